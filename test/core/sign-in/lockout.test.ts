import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { setTimeout as wait } from 'node:timers/promises'
import type { FastifyInstance } from 'fastify'
import type { CrudAuthOptions } from '../../../src/index.js'
import { answers, refusesOwn } from '../../helpers/answers.js'
import { backends } from '../../helpers/backends.js'
import { build, captureLogs, password } from '../../helpers/build.js'
import { Client, signedIn } from '../../helpers/client.js'
import { refuses } from '../../helpers/refuses.js'

const from = (app: FastifyInstance, remoteAddress: string) => new Client(app, '', { remoteAddress })
const wrong = 'wrong password'

for (const backend of backends) {
  describe(`${backend.name}: POST /login: lockout`, () => {
    const start = async (t: Parameters<typeof build>[0], lockout?: CrudAuthOptions['lockout']) => {
      const app = await build(t, {
        auth: { ...backend.options(), ...(lockout !== undefined && { lockout }) },
      })
      for (const name of ['ann', 'bob']) await new Client(app).register(name)
      return app
    }
    const fail = async (app: FastifyInstance, times: number, name = 'ann', ip = '203.0.113.1') => {
      for (let n = 0; n < times; n++)
        refusesOwn(await from(app, ip).login(name, wrong), 'CRUDAUTH_BAD_CREDENTIALS')
    }

    test('the sixth attempt within a minute gets 429 with Retry-After, even with the right password', async (t) => {
      const app = await start(t)
      await fail(app, 5)
      const response = await from(app, '203.0.113.1').login('ann')
      refusesOwn(response, 'CRUDAUTH_LOCKED_OUT', [password])
      const seconds = Number(response.headers['retry-after'])
      assert.ok(Number.isInteger(seconds) && seconds >= 1 && seconds <= 60, String(seconds))
      assert.equal(response.headers['set-cookie'], undefined)
    })

    test('failures from several IP addresses lock the account and no other account', async (t) => {
      const app = await start(t)
      for (let n = 1; n <= 5; n++) await fail(app, 1, 'ann', `203.0.113.${n}`)
      refusesOwn(await from(app, '203.0.113.99').login('ann'), 'CRUDAUTH_LOCKED_OUT')
      answers(await from(app, '203.0.113.99').login('bob'), 200)
    })

    test('username and email in any spelling share one counter', async (t) => {
      const app = await start(t)
      await fail(app, 2, 'ann')
      await fail(app, 1, 'ann@example.com')
      await fail(app, 1, ' ANN@Example.COM ')
      await fail(app, 1, 'ａｎｎ@example.com')
      refusesOwn(await from(app, '203.0.113.1').login('ann'), 'CRUDAUTH_LOCKED_OUT')
      refusesOwn(await from(app, '203.0.113.1').login('ann@example.com'), 'CRUDAUTH_LOCKED_OUT')
    })

    test('an unknown identifier is locked like a known one, in any letter case and width', async (t) => {
      const app = await start(t)
      for (const name of ['ghost', 'Ghost', 'GHOST', ' ghost ', 'ｇｈｏｓｔ'])
        await fail(app, 1, name)
      const known = await start(t)
      await fail(known, 5)
      const [a, b] = [
        await from(app, '203.0.113.1').login('ghost', wrong),
        await from(known, '203.0.113.1').login('ann', wrong),
      ]
      refusesOwn(a, 'CRUDAUTH_LOCKED_OUT')
      assert.equal(a.body, b.body)
    })

    test('the thirty-first attempt from an IP address gets 429, even with the right password', async (t) => {
      const app = await start(t)
      for (let n = 0; n < 30; n++) await fail(app, 1, `ghost${n}`)
      refusesOwn(await from(app, '203.0.113.1').login('ann'), 'CRUDAUTH_LOCKED_OUT')
      refusesOwn(await from(app, '::ffff:203.0.113.1').login('ann'), 'CRUDAUTH_LOCKED_OUT')
      answers(await from(app, '203.0.113.2').login('ann'), 200)
    })

    test('a success refunds its own attempt to the IP address, but no failures', async (t) => {
      const app = await start(t, { maxAttemptsPerIp: 3, maxAttempts: 100 })
      for (let n = 0; n < 3; n++) {
        await fail(app, 1, 'ann')
        if (n < 2)
          for (let m = 0; m < 4; m++) answers(await from(app, '203.0.113.1').login('bob'), 200)
      }
      refusesOwn(await from(app, '203.0.113.1').login('bob'), 'CRUDAUTH_LOCKED_OUT')
    })

    test('100 successful sign-ins from one IP address cause no lock', async (t) => {
      const app = await start(t, { maxAttemptsPerIp: 5, windowSeconds: 60 })
      for (let n = 0; n < 100; n++) answers(await from(app, '203.0.113.1').login('bob'), 200)
    })

    test('repeated locks of an IP address do not get longer', async (t) => {
      const app = await start(t, { maxAttemptsPerIp: 1, windowSeconds: 1, lockSeconds: 1 })
      for (let round = 0; round < 3; round++) {
        await fail(app, 1, `ghost${round}`)
        const locked = await from(app, '203.0.113.1').login('bob')
        refusesOwn(locked, 'CRUDAUTH_LOCKED_OUT')
        assert.equal(locked.headers['retry-after'], '1')
        await wait(1100)
      }
      answers(await from(app, '203.0.113.1').login('bob'), 200)
    })

    test('a known device can sign in from a locked IP address', async (t) => {
      const app = await start(t, { maxAttemptsPerIp: 3 })
      const owner = from(app, '203.0.113.1')
      answers(await owner.login('ann'), 200)
      for (let n = 0; n < 3; n++) await fail(app, 1, `ghost${n}`)
      refusesOwn(await from(app, '203.0.113.1').login('ann'), 'CRUDAUTH_LOCKED_OUT')
      answers(await owner.login('ann'), 200)
    })

    test('a success resets the attempts of the account', async (t) => {
      const app = await start(t)
      for (let round = 0; round < 3; round++) {
        await fail(app, 4)
        answers(await from(app, '203.0.113.1').login('ann'), 200)
      }
    })

    test('a known device can sign in to an account that is locked for other devices', async (t) => {
      const app = await start(t)
      const owner = from(app, '198.51.100.1')
      answers(await owner.login('ann'), 200)
      await owner.post('/logout')
      await fail(app, 5)
      refusesOwn(await from(app, '203.0.113.1').login('ann'), 'CRUDAUTH_LOCKED_OUT')
      answers(await owner.login('ann'), 200)
      // The owner's success doesn't unlock the account for other devices.
      refusesOwn(await from(app, '203.0.113.1').login('ann'), 'CRUDAUTH_LOCKED_OUT')
    })

    test('a known device has the same limit and cannot bypass the lock of another account', async (t) => {
      const app = await start(t)
      const owner = from(app, '198.51.100.1')
      await owner.login('ann')
      for (let n = 0; n < 5; n++)
        refusesOwn(await owner.login('ann', wrong), 'CRUDAUTH_BAD_CREDENTIALS')
      refusesOwn(await owner.login('ann'), 'CRUDAUTH_LOCKED_OUT')
      await fail(app, 5, 'bob')
      refusesOwn(await owner.login('bob'), 'CRUDAUTH_LOCKED_OUT')
      // The lock of this device doesn't affect other devices.
      answers(await from(app, '198.51.100.2').login('ann'), 200)
    })

    test('a tampered device cookie is ignored', async (t) => {
      const app = await start(t)
      const owner = from(app, '198.51.100.1')
      await owner.login('ann')
      const name = '__Host-crudauth_device'
      const value = owner.cookies.get(name) as string
      await fail(app, 5)
      for (const forged of [
        value.slice(0, -2),
        `${value.startsWith('x') ? 'y' : 'x'}${value.slice(1)}`,
        `${value}x`,
        value.split('.').slice(0, -1).join('.'),
      ]) {
        const client = from(app, '198.51.100.3')
        client.cookies.set(name, forged)
        refusesOwn(await client.login('ann'), 'CRUDAUTH_LOCKED_OUT')
      }
    })

    test('each lock is twice as long as the last, up to maxLockSeconds', async (t) => {
      const app = await start(t, {
        maxAttempts: 1,
        windowSeconds: 1,
        lockSeconds: 1,
        maxLockSeconds: 3,
      })
      const retry: number[] = []
      for (let n = 0; n < 3; n++) {
        await fail(app, 1)
        const response = await from(app, '203.0.113.1').login('ann', wrong)
        refusesOwn(response, 'CRUDAUTH_LOCKED_OUT')
        const seconds = Number(response.headers['retry-after'])
        retry.push(seconds)
        await wait(seconds * 1000 + 100)
      }
      assert.deepEqual(retry, [1, 2, 3])
      answers(await from(app, '203.0.113.1').login('ann'), 200)
    })

    test('20 parallel guesses get five password checks and 15 responses with 429', async (t) => {
      const app = await start(t)
      const all = await Promise.all(
        Array.from({ length: 20 }, (_, n) => from(app, `203.0.113.${n}`).login('ann', wrong)),
      )
      assert.equal(all.filter(({ statusCode }) => statusCode === 401).length, 5)
      assert.equal(all.filter(({ statusCode }) => statusCode === 429).length, 15)
    })

    test('authenticatePassword in a custom route shares the counters', async (t) => {
      const app = await build(t, {
        auth: backend.options(),
        routes: (app) =>
          void app.post('/own-login', async (request) => {
            const { identifier, secret } = request.body as Record<string, string>
            const user = await app.crudAuth.authenticatePassword(
              request,
              identifier ?? '',
              secret ?? '',
            )
            return { id: user.id }
          }),
      })
      await new Client(app).register('ann')
      const own = (secret: string) =>
        from(app, '203.0.113.1').post('/own-login', { identifier: 'ann@example.com', secret })
      for (let n = 0; n < 2; n++) refuses(await own(wrong), 'CRUDAUTH_BAD_CREDENTIALS')
      assert.deepEqual((await own(password)).json(), { id: 1 })
      for (let n = 0; n < 2; n++) refuses(await own(wrong), 'CRUDAUTH_BAD_CREDENTIALS')
      await fail(app, 3, 'ann')
      refuses(await own(password), 'CRUDAUTH_LOCKED_OUT')
    })

    test('lockout: false disables it', async (t) => {
      const app = await start(t, false)
      await fail(app, 40)
      answers(await from(app, '203.0.113.1').login('ann'), 200)
    })
  })
}

describe('lockout', () => {
  test('a disabled lockout warns at start-up; an enabled one does not', async (t) => {
    const off = captureLogs('warn')
    await build(t, { auth: { lockout: false }, fastify: { logger: off.logger } })
    assert.ok(off.lines.some((line) => line.includes('lockout')))
    const on = captureLogs('warn')
    await build(t, { fastify: { logger: on.logger } })
    assert.ok(!on.lines.some((line) => line.includes('"lockout"') || line.includes('lockout\\"')))
  })

  test('a locked account keeps its existing sessions', async (t) => {
    const app = await build(t)
    const client = await signedIn(app, 'ann')
    for (let n = 0; n < 6; n++) await from(app, '203.0.113.1').login('ann', wrong)
    answers(await client.get('/me'), 200)
  })
})
