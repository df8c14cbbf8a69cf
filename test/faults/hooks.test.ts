import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { build, captureLogs, password } from '../helpers/build.js'
import { Client, signedIn } from '../helpers/client.js'
import { noUnhandledRejections, openUsers } from '../helpers/hostile.js'
import { refuses } from '../helpers/refuses.js'

const secretText = 'driver text with the hash'

const throwing: Record<string, () => unknown> = {
  throws: () => {
    throw new Error(secretText)
  },
  rejects: () => Promise.reject(new Error(secretText)),
  'rejects with undefined': () => Promise.reject(undefined),
  'throws null': () => {
    throw null
  },
  'throws a string': () => {
    throw secretText
  },
  'throws a status that is a string': () => {
    throw Object.assign(new Error(secretText), { statusCode: '400' })
  },
  'throws a success status': () => {
    throw Object.assign(new Error(secretText), { statusCode: 200 })
  },
  'throws a status out of range': () => {
    throw Object.assign(new Error(secretText), { statusCode: 600 })
  },
}

for (const [what, hook] of Object.entries(throwing)) {
  test(`before-hooks: one that ${what} refuses with 403, without an account, session or details`, async (t) => {
    noUnhandledRejections(t)
    const users = openUsers()
    let on = false
    const refuse = () => (on ? hook() : undefined)
    const app = await build(t, {
      auth: { users: users.store, hooks: { onBeforeRegister: refuse, onBeforeLogin: refuse } },
    })
    const client = await signedIn(app, 'ann')
    const before = await users.rows()
    on = true
    for (const response of [
      await new Client(app).register('bob'),
      await new Client(app).login('ann'),
    ]) {
      refuses(response, 'CRUDAUTH_FORBIDDEN', [secretText, password])
      assert.equal(response.headers['set-cookie'], undefined)
    }
    assert.deepEqual(await users.rows(), before)
    assert.equal((await client.get('/sessions')).json().length, 1)
    refuses(await new Client(app).login('ann', 'wrong'), 'CRUDAUTH_BAD_CREDENTIALS')
  })

  test(`after-hooks: one that ${what} is logged and does not fail the request`, async (t) => {
    noUnhandledRejections(t)
    const { lines, logger } = captureLogs('error')
    const hooks = Object.fromEntries(
      [
        'onAfterRegister',
        'onAfterLogin',
        'onAfterLogout',
        'onLoginFailed',
        'onLockout',
        'onAfterPasswordChanged',
        'onAfterSudo',
      ].map((name) => [name, hook]),
    )
    const app = await build(t, {
      fastify: { logger: { level: logger.level, stream: logger.stream } },
      auth: { hooks },
      routes(app) {
        app.post('/sudo', { onRequest: app.currentUser() }, async (request) => {
          await app.crudAuth.sudo.elevate(request, { password: password })
          return {}
        })
      },
    })
    const client = await signedIn(app, 'ann')
    assert.equal((await client.post('/sudo')).statusCode, 200)
    const change = { current_password: password, new_password: 'another good one' }
    assert.equal((await client.post('/change-password', change)).statusCode, 200)
    assert.equal((await client.post('/logout')).statusCode, 200)
    for (let i = 0; i < 5; i++)
      refuses(await new Client(app).login('ann', 'wrong'), 'CRUDAUTH_BAD_CREDENTIALS', [secretText])
    refuses(await new Client(app).login('ann', 'wrong'), 'CRUDAUTH_LOCKED_OUT', [secretText])
    assert.ok(lines.length >= 11, 'each failure is logged')
  })
}

test('before-hooks: the status and code of a thrown 4xx or 5xx error are returned', async (t) => {
  let status = 422
  const onBeforeLogin = () => {
    throw Object.assign(new Error('not on Sundays'), { statusCode: status, code: 'APP_SUNDAY' })
  }
  const app = await build(t, { auth: { hooks: { onBeforeLogin }, lockout: false } })
  await new Client(app).register('ann')
  for (status of [400, 422, 429, 503]) {
    const response = await new Client(app).login('ann')
    assert.equal(response.statusCode, status)
    assert.equal(response.json().code, 'APP_SUNDAY')
  }
})

test('before-hooks: one that hangs blocks neither the hash queue nor other sign-ins', async (t) => {
  noUnhandledRejections(t)
  const users = openUsers()
  const never = () => new Promise<void>(() => {})
  const app = await build(t, {
    auth: {
      users: users.store,
      passwords: { cost: { memoryKiB: 64, iterations: 1 }, maxConcurrent: 1, maxQueued: 1 },
      hooks: {
        onBeforeLogin: (user) => (user.username === 'stuck' ? never() : undefined),
        onBeforeRegister: (values) => (values.username === 'never' ? never() : undefined),
      },
    },
  })
  for (const name of ['stuck', 'ann']) await new Client(app).register(name)
  let answered = 0
  for (let i = 0; i < 4; i++) {
    void new Client(app).login('stuck').then(() => answered++)
    void new Client(app).register('never').then(() => answered++)
    await nextTurn()
    for (;;) {
      const response = await new Client(app).login('ann')
      if (response.statusCode === 200) break
      refuses(response, 'CRUDAUTH_OVERLOADED')
    }
  }
  assert.equal(answered, 0)
  assert.equal((await users.rows()).length, 2, 'a pending sign-up creates no account')
})

test('registration.fields and passwords.check: a function that throws creates no account', async (t) => {
  noUnhandledRejections(t)
  for (const fault of Object.values(throwing)) {
    const users = openUsers()
    const app = await build(t, {
      auth: {
        users: users.store,
        registration: { fields: fault as never },
        passwords: { cost: { memoryKiB: 64, iterations: 1 } },
      },
    })
    refuses(await new Client(app).register('ann'), 'CRUDAUTH_INTERNAL', [secretText, password])
    assert.deepEqual(await users.rows(), [])
    const strict = await build(t, {
      auth: {
        users: users.store,
        passwords: { cost: { memoryKiB: 64, iterations: 1 }, check: fault as never },
      },
    })
    refuses(await new Client(strict).register('ann'), 'CRUDAUTH_INTERNAL', [secretText, password])
    assert.deepEqual(await users.rows(), [])
  }
})
