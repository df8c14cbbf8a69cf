import assert from 'node:assert/strict'
import { EventEmitter } from 'node:events'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { type RedisClient, redisLink } from '../../src/state/redis/connection.js'

const timeoutMs = 200

/** A link whose connection the test interrupts. `get` sends a command. */
function open() {
  const client = Object.assign(new EventEmitter(), { status: 'ready', isCluster: false })
  const link = redisLink(client as unknown as RedisClient, timeoutMs)
  return {
    get: () => link.ask(async () => 'value'),
    interrupt() {
      client.status = 'reconnecting'
    },
    reconnect() {
      client.status = 'ready'
      client.emit('ready')
    },
  }
}

test('connection: a command waits in a second interruption, if one waited for the end of the first', async () => {
  const { get, interrupt, reconnect } = open()
  interrupt()
  const first = get()
  reconnect()
  assert.equal(await first, 'value')
  await sleep(timeoutMs + 10)
  interrupt()
  const second = get()
  setImmediate(reconnect)
  assert.equal(await second, 'value')
})

test('connection: a command waits again after an outage, if one was sent in between', async () => {
  const { get, interrupt, reconnect } = open()
  interrupt()
  await assert.rejects(get(), { code: 'CRUDAUTH_STATE_UNAVAILABLE' })
  await assert.rejects(get(), { code: 'CRUDAUTH_STATE_UNAVAILABLE' })
  reconnect()
  assert.equal(await get(), 'value')
  interrupt()
  const later = get()
  setImmediate(reconnect)
  assert.equal(await later, 'value')
})

test('connection: an outage is waited for once, then commands fail at once', async () => {
  const { get, interrupt } = open()
  interrupt()
  await assert.rejects(get(), { code: 'CRUDAUTH_STATE_UNAVAILABLE' })
  const startMs = performance.now()
  await assert.rejects(get())
  assert.ok(performance.now() - startMs < timeoutMs / 2)
})
