import assert from 'node:assert/strict'
import { once } from 'node:events'
import { type AddressInfo, connect, createServer } from 'node:net'
import { type TestContext, test } from 'node:test'
import { backends } from '../helpers/backends.js'
import { build } from '../helpers/build.js'
import { Client } from '../helpers/client.js'
import { deviceCookie, sessionCookie } from '../helpers/hostile.js'
import { refuses } from '../helpers/refuses.js'

/** A proxy to Redis that counts commands and round trips. A pipeline is one round trip. */
async function countingWay(t: TestContext, url: string) {
  const { hostname, port } = new URL(url)
  const seen = { trips: 0, commands: 0 }
  let answered = true
  const server = createServer((client) => {
    const redis = connect(Number(port), hostname)
    client.on('data', (data) => {
      if (answered) seen.trips++
      answered = false
      seen.commands += data.toString('latin1').match(/^\*\d+\r$/gm)?.length ?? 0
      redis.write(data)
    })
    redis.on('data', (data) => {
      answered = true
      client.write(data)
    })
    for (const socket of [client, redis]) {
      socket.on('error', () => {})
      socket.on('close', () => {
        client.destroy()
        redis.destroy()
      })
    }
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => server.close())
  return { seen, url: `redis://127.0.0.1:${(server.address() as AddressInfo).port}` }
}

for (const backend of backends.filter(({ name }) => name === 'redis')) {
  test('POST /login: two Redis round trips, and a third with a device cookie', async (t) => {
    const options = backend.options()
    const { seen, url } = await countingWay(t, options.redis as string)
    const app = await build(t, { auth: { ...options, redis: url, lockout: { maxAttempts: 100 } } })
    const client = new Client(app)
    await client.register('ann')
    // The first sign-in loads the scripts into Redis.
    for (let i = 0; i < 2; i++) assert.equal((await client.login('ann')).statusCode, 200)
    refuses(await client.login('ann', 'wrong'), 'CRUDAUTH_BAD_CREDENTIALS')

    const costOf = async (run: () => Promise<unknown>) => {
      const before = { ...seen }
      await run()
      return { trips: seen.trips - before.trips, commands: seen.commands - before.commands }
    }
    const signIn = async () => assert.equal((await client.login('ann')).statusCode, 200)

    assert.ok(client.cookies.has(sessionCookie) && client.cookies.has(deviceCookie))
    // Trip 1 reads the device, trip 2 counts the attempt. Trip 3 replaces the session, records the
    // use of the device and gives the attempt back.
    assert.deepEqual(await costOf(signIn), { trips: 3, commands: 6 })
    client.cookies.delete(deviceCookie)
    assert.deepEqual(await costOf(signIn), { trips: 2, commands: 5 })
    client.cookies.clear()
    assert.deepEqual(await costOf(signIn), { trips: 2, commands: 5 })
    assert.deepEqual(await costOf(async () => void (await client.login('ann', 'wrong'))), {
      trips: 2,
      commands: 2,
    })
    assert.deepEqual(await costOf(async () => void (await client.get('/me'))), {
      trips: 1,
      commands: 1,
    })
  })
}
