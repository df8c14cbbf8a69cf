import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Redis } from 'ioredis'
import { bearerTransport, memoryUsers, sessionTransport } from '../../src/index.js'
import { backends } from '../helpers/backends.js'
import { build, password } from '../helpers/build.js'
import { Client } from '../helpers/client.js'
import { sessionCookie } from '../helpers/hostile.js'

const refreshCookie = '__Host-crudauth_refresh'

/** A client whose nth command after `arm(nth)` fails. */
function failing(url: string) {
  const redis = new Redis(url, { maxRetriesPerRequest: 1 })
  const send = redis.sendCommand.bind(redis)
  let left = 0
  redis.sendCommand = (command, stream) => {
    if (left > 0 && --left === 0) {
      command.reject(new Error('OOM command not allowed'))
      return command.promise
    }
    return send(command, stream)
  }
  return {
    redis,
    arm(nth: number) {
      left = nth
    },
  }
}

for (const backend of backends.filter(({ name }) => name === 'redis')) {
  test('sign-in: a 503 from a failing Redis command keeps the current session and token family', async (t) => {
    const options = backend.options()
    const { redis, arm } = failing(options.redis as string)
    t.after(() => redis.disconnect())
    const transports = [sessionTransport(), bearerTransport()]
    const users = memoryUsers()
    const app = await build(t, {
      auth: {
        ...options,
        redis,
        users,
        transports,
        lockout: { maxAttempts: 100, maxAttemptsPerIp: 1000 },
      },
    })
    for (const name of ['ann', 'bob']) await new Client(app).register(name)
    let outages = 0
    for (const url of ['/login', '/token']) {
      for (const other of ['ann', 'bob']) {
        for (let nth = 1; nth <= 6; nth++) {
          const client = new Client(app)
          assert.equal((await client.login('ann')).statusCode, 200)
          assert.equal((await client.form('/token', { username: 'ann', password })).statusCode, 200)
          const before = [sessionCookie, refreshCookie].map((name) => client.cookies.get(name))
          arm(nth)
          const { statusCode } = await client.form(url, { username: other, password })
          arm(0)
          if (statusCode === 200) continue
          outages++
          assert.equal(statusCode, 503)
          assert.deepEqual(
            [sessionCookie, refreshCookie].map((name) => client.cookies.get(name)),
            before,
          )
          const what = `${url} as ${other}, command ${nth}`
          assert.equal((await client.get('/me')).statusCode, 200, what)
          assert.equal((await client.post('/refresh', {})).statusCode, 200, what)
        }
      }
    }
    assert.ok(outages >= 8, `${outages}`)
  })
}
