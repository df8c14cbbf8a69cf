import assert from 'node:assert/strict'
import { once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'
import { type TestContext, test } from 'node:test'
import { setTimeout as wait } from 'node:timers/promises'
import Fastify from 'fastify'
import crudAuth, { memoryUsers } from '../../src/index.js'
import { build, captureLogs, cheap, secret, startAndClose } from '../helpers/build.js'
import { signedIn } from '../helpers/client.js'

/** A server that closes every connection at once and counts them. */
async function countingServer(t: TestContext) {
  const seen = { connections: 0 }
  const server = createServer((socket) => {
    seen.connections++
    socket.destroy()
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => server.close())
  return { seen, url: `redis://:hunter2@127.0.0.1:${(server.address() as AddressInfo).port}` }
}

for (const value of [
  '',
  null,
  6379,
  Number.NaN,
  true,
  false,
  [],
  'localhost:6379',
  '127.0.0.1',
  'http://localhost:6379',
  'redis://',
]) {
  test(`redis: ${typeof value === 'number' ? value : JSON.stringify(value)} is refused as a configuration error`, async () => {
    await assert.rejects(startAndClose({ redis: value }), (error: Error & { code: string }) => {
      assert.equal(error.code, 'CRUDAUTH_CONFIG')
      assert.match(error.message, /^"redis" must be .*redis:\/\/.*; leave it out/)
      return true
    })
  })
}

test('redis: the error for an invalid URL does not repeat it, because it may contain a password', async () => {
  await assert.rejects(
    startAndClose({ redis: 'reddis://:hunter2@localhost:6379' }),
    (error: Error & { code: string }) => {
      assert.equal(error.code, 'CRUDAUTH_CONFIG')
      assert.ok(!error.message.includes('hunter2'))
      return true
    },
  )
})

test('redis: undefined keeps state in the memory of the process, and logs a warning', async (t) => {
  const { lines, logger } = captureLogs('warn')
  const app = await build(t, { auth: { redis: undefined }, fastify: { logger } })
  assert.equal((await (await signedIn(app, 'ann')).get('/me')).statusCode, 200)
  assert.equal(lines.filter((line) => line.includes('memory of this process')).length, 1)
})

for (const [what, options] of [
  ['a privileged name in "extraFields"', { registration: { extraFields: ['isSuperuser'] } }],
  ['a privileged default', { registration: { defaults: { token_version: 3 } } }],
  ['a decorator name already in use', {}],
] as const) {
  test(`redis: ${what} fails before any connection is opened`, async (t) => {
    const { seen, url } = await countingServer(t)
    const app = Fastify()
    if (what.startsWith('a decorator')) app.decorate('currentUser' as string, () => {})
    const auth = {
      secret,
      users: memoryUsers(),
      passwords: { cost: cheap },
      redis: url,
      ...options,
    }
    await assert.rejects(
      async () => {
        await app.register(crudAuth, auth)
        await app.ready()
      },
      { code: 'CRUDAUTH_CONFIG' },
    )
    await wait(150)
    assert.equal(seen.connections, 0)
    await app.close()
  })
}

test('redis: valid options connect before the first request', async (t) => {
  const { seen, url } = await countingServer(t)
  await startAndClose({ redis: url })
  const app = await build(t, { auth: { redis: url } })
  for (let i = 0; i < 100 && seen.connections === 0; i++) await wait(20)
  assert.ok(seen.connections > 0)
  await app.close()
})
