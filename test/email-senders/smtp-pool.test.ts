import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { createPool, type SmtpTransport } from '../../src/email-senders/smtp-pool.js'

const wait = 40

// The pool's timers keep no process alive.
const alive = setInterval(() => {}, 1000)
after(() => clearInterval(alive))

/** Transports in the order in which they were made, whose messages are settled by the test. */
function transports() {
  const made: { sent: { settle(): void }[]; closed: number }[] = []
  const connect = (): SmtpTransport => {
    const one = { sent: [] as { settle(): void }[], closed: 0 }
    made.push(one)
    return {
      sendMail: () => new Promise((resolve) => one.sent.push({ settle: () => resolve(undefined) })),
      close: () => void one.closed++,
    }
  }
  return { made, connect }
}

const timedOut = { name: 'SmtpError', code: 'ETIMEDOUT', permanent: false }

test('after a message that is never done the next ones have a pool of their own, and the old one is closed once it is empty', async () => {
  const { made, connect } = transports()
  const pool = createPool(connect, wait)
  const stuck = assert.rejects(pool.send({}), timedOut)
  await sleep(wait / 2)
  const slow = pool.send({})
  await stuck
  assert.equal(made[0]?.closed, 0, 'another message is on its way there')
  const after = pool.send({})
  assert.deepEqual(
    made.map(({ sent }) => sent.length),
    [2, 1],
  )
  made[0]?.sent[1]?.settle()
  await slow
  assert.equal(made[0]?.closed, 1)
  made[1]?.sent[0]?.settle()
  await after
  pool.close()
  assert.deepEqual(
    made.map(({ closed }) => closed),
    [1, 1],
  )
  await assert.rejects(pool.send({}), { code: 'ECLOSED' })
})

test('any number that are stuck at once leave one new pool', async () => {
  const { made, connect } = transports()
  const pool = createPool(connect, wait)
  await Promise.all(Array.from({ length: 100 }, () => assert.rejects(pool.send({}), timedOut)))
  assert.deepEqual(
    made.map(({ closed }) => closed),
    [1, 0],
  )
  pool.close()
})

test('closed while messages are stuck it makes no pool anew', async () => {
  const { made, connect } = transports()
  const pool = createPool(connect, wait)
  const stuck = assert.rejects(pool.send({}), timedOut)
  pool.close()
  await stuck
  assert.deepEqual(
    made.map(({ closed }) => closed),
    [1],
  )
})
