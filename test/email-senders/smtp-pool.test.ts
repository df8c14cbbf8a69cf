import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { createPool, type SmtpTransport } from '../../src/email-senders/smtp-pool.js'

const wait = 40

// The pool's timers are unreferenced, so this one keeps the process alive.
const alive = setInterval(() => {}, 1000)
after(() => clearInterval(alive))

/** Transports in order of creation. The test settles their messages. */
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

test('SMTP pool: after a timeout new messages use a new pool, and the old one closes when empty', async () => {
  const { made, connect } = transports()
  const pool = createPool(connect, wait)
  const stuck = assert.rejects(pool.send({}), timedOut)
  await sleep(wait / 2)
  const slow = pool.send({})
  await stuck
  assert.equal(made[0]?.closed, 0, 'another message is still being sent in the old pool')
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

test('SMTP pool: parallel timeouts create only one new pool', async () => {
  const { made, connect } = transports()
  const pool = createPool(connect, wait)
  await Promise.all(Array.from({ length: 100 }, () => assert.rejects(pool.send({}), timedOut)))
  assert.deepEqual(
    made.map(({ closed }) => closed),
    [1, 0],
  )
  pool.close()
})

test('SMTP pool: a timeout after close creates no new pool', async () => {
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
