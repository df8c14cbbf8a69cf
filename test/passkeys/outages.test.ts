import assert from 'node:assert/strict'
import { describe, type TestContext, test } from 'node:test'
import { memoryUsers } from '../../src/index.js'
import { answers } from '../helpers/answers.js'
import { serverUrl } from '../helpers/backends.js'
import { breakableRedis } from '../helpers/breakable-redis.js'
import { Client, signedIn } from '../helpers/client.js'
import { hookedPasskeys } from '../helpers/hooked-passkeys.js'
import { noUnhandledRejections, times } from '../helpers/hostile.js'
import { challengeOf, enroll, mfaOptions } from '../helpers/mfa.js'
import {
  addPasskey,
  answerWithPasskey,
  assertionOf,
  buildPasskeys,
  device,
  elevateWithPasskey,
  passkeyIds,
  passkeyLoginOf,
  passkeyUser,
  register,
  registrationOf,
} from '../helpers/passkeys.js'
import { refuses } from '../helpers/refuses.js'

const skip = serverUrl('TEST_REDIS_URL') ? false : 'TEST_REDIS_URL is not set'
const down = 'CRUDAUTH_UNAVAILABLE'
/** So few attempts that one that stays counted shows. */
const few = {
  lockout: { maxAttempts: 2, maxAttemptsPerIp: 2 },
  sudo: { maxAttempts: 2 },
  mfa: { ...mfaOptions, maxAttempts: 2 },
} as const

/** An app whose users and passkeys a test can take away. */
async function start(t: TestContext, auth: object = {}) {
  noUnhandledRejections(t)
  const hooked = hookedPasskeys()
  const inner = memoryUsers()
  const state = { passkeys: '', isUsersDown: false }
  hooked.before = (method) => {
    if (state.passkeys === method) throw new Error('connect ECONNREFUSED 10.0.0.1')
  }
  const users = {
    ...inner,
    findById: async (id: Parameters<typeof inner.findById>[0]) => {
      if (state.isUsersDown) throw new Error('connect ECONNREFUSED 10.0.0.2')
      return inner.findById(id)
    },
  }
  const app = await buildPasskeys(t, { ...few, users, ...auth }, { store: hooked.store })
  return { app, state, hooked }
}

/** A request that fails: 503, nothing about the reason, and no cookie of a session. */
function isDown(response: Awaited<ReturnType<Client['post']>>) {
  refuses(response, down, ['ECONNREFUSED', '10.0.0.'])
  assert.equal(response.headers['set-cookie'], undefined)
}

describe('a sign-in while a database fails', () => {
  for (const method of ['findByCredentialId', 'compareAndSetCounter', 'users'] as const) {
    test(`${method}: 503 five times, and no attempt is lost`, async (t) => {
      const { app, state } = await start(t)
      const { authenticator } = await passkeyUser(app, 'ada')
      const set = (on: boolean) => {
        state.isUsersDown = on && method === 'users'
        state.passkeys = on ? method : ''
      }
      for (const _ of times(5, Number)) {
        const proof = await assertionOf(new Client(app), authenticator)
        set(true)
        isDown(await new Client(app).post('/passkeys/login/verify', proof))
        set(false)
      }
      answers(await passkeyLoginOf(app, authenticator), 200)
    })
  }
})

describe('a second factor while a database fails', () => {
  for (const method of ['findByCredentialId', 'compareAndSetCounter', 'listByUser'] as const) {
    test(`${method}: 503 five times, and the challenge lives`, async (t) => {
      const { app, state } = await start(t)
      const { client: owner, authenticator } = await passkeyUser(app, 'ada')
      await enroll(owner)
      const client = new Client(app)
      const challenge = await challengeOf(client, 'ada')
      for (const _ of times(5, Number)) {
        const begun = answers(await client.post('/mfa/passkey/options', { challenge }), 200)
        const { challenge_id, options } = begun
        const response = authenticator.get(options)
        state.passkeys = method
        if (method === 'listByUser')
          isDown(await client.post('/mfa/passkey/options', { challenge }))
        else isDown(await client.post('/mfa/verify', { challenge, challenge_id, response }))
        state.passkeys = ''
      }
      answers(await answerWithPasskey(client, challenge, authenticator), 200)
    })
  }

  test('an account that may have a passkey is not taken for one that has none', async (t) => {
    const { app, state } = await start(t, { mfa: { ...mfaOptions, required: true } })
    await new Client(app).register('ada')
    state.passkeys = 'listByUser'
    isDown(await new Client(app).login('ada'))
    state.passkeys = ''
    assert.equal(answers(await new Client(app).login('ada'), 200).mfa_required, true)
  })
})

describe('sudo mode while a database fails', () => {
  for (const method of ['findByCredentialId', 'compareAndSetCounter', 'listByUser'] as const) {
    test(`${method}: 503 five times, and no attempt is lost`, async (t) => {
      const { app, state } = await start(t)
      const { client, authenticator } = await passkeyUser(app, 'ada')
      for (const _ of times(5, Number)) {
        const { challenge_id, options } = (await client.post('/sudo/options', {})).json()
        const passkey = { challenge_id, response: authenticator.get(options) }
        state.passkeys = method
        refuses(await client.post('/sudo', { passkey }), down)
        state.passkeys = ''
      }
      assert.equal((await elevateWithPasskey(client, authenticator)).statusCode, 200)
    })
  }
})

describe('management while a database fails', () => {
  test('every route is 503, and changes nothing', async (t) => {
    const { app, state } = await start(t)
    const { client, passkey } = await passkeyUser(app, 'ada')
    const registration = await registrationOf(client, device())
    for (const [method, send] of [
      ['listByUser', () => client.get('/passkeys')],
      ['listByUser', () => client.post('/passkeys/register/options', {})],
      ['create', () => register(client, registration)],
      [
        'rename',
        () => client.request('PATCH', `/passkeys/${passkey.id}`, { payload: { name: 'x' } }),
      ],
      ['delete', () => client.delete(`/passkeys/${passkey.id}`)],
    ] as const) {
      state.passkeys = method
      isDown(await send())
      state.passkeys = ''
    }
    assert.deepEqual(answers(await client.get('/passkeys'), 200), [passkey])
    await addPasskey(client, device())
    assert.equal((await passkeyIds(client)).length, 2)
  })

  test('a store that never answers is 503', async (t) => {
    noUnhandledRejections(t)
    const hooked = hookedPasskeys()
    const app = await buildPasskeys(t, { timeouts: { usersMs: 100 } }, { store: hooked.store })
    const client = await signedIn(app, 'ada')
    hooked.before = () => new Promise(() => {})
    isDown(await client.get('/passkeys'))
  })
})

describe('while Redis fails', { skip }, () => {
  const steps: readonly (readonly [string, RegExp])[] = [
    ['the attempt is counted', /^eval.* crudauth\/l:\{lock:/],
    ['the challenge is used up', /^getdel /],
    ['the session is created', /^eval.* crudauth\/s:/],
  ]
  for (const [name, command] of steps) {
    test(`${name}: 503 five times, then a passkey signs in`, async (t) => {
      const redis = breakableRedis(t)
      const { app } = await start(t, redis.options)
      const { authenticator } = await passkeyUser(app, 'ada')
      let failed = 0
      for (const _ of times(5, Number)) {
        const proof = await assertionOf(new Client(app), authenticator)
        redis.fails = (text) => {
          if (!command.test(text)) return null
          failed++
          return 'unsent'
        }
        isDown(await new Client(app).post('/passkeys/login/verify', proof))
        redis.fails = () => null
      }
      assert.ok(failed >= 5, 'the step is reached')
      answers(await passkeyLoginOf(app, authenticator), 200)
    })
  }

  test('no options without a challenge, and no registration without its challenge', async (t) => {
    const redis = breakableRedis(t)
    const { app } = await start(t, redis.options)
    const { client } = await passkeyUser(app, 'ada')
    const registration = await registrationOf(client, device())
    redis.fails = (text) => (/^(?:set|getdel) /.test(text) ? 'unsent' : null)
    isDown(await new Client(app).post('/passkeys/login/options', {}))
    isDown(await client.post('/passkeys/register/options', {}))
    isDown(await register(client, registration))
    redis.fails = () => null
    answers(await register(client, registration), 201)
  })

  test('accounts without passkeys cost no more than without the option', async (t) => {
    const costs = async (isOn: boolean) => {
      const redis = breakableRedis(t)
      const hooked = hookedPasskeys()
      const off = isOn ? {} : { passkeys: undefined }
      const auth = { ...redis.options, mfa: mfaOptions, ...off }
      const app = await buildPasskeys(t, auth, { store: hooked.store })
      const client = await signedIn(app, 'ada')
      const password = 'correct horse battery'
      const counted: Record<string, number> = {}
      for (const [name, send] of Object.entries({
        login: () => client.login('ada'),
        me: () => client.get('/me'),
        sudo: () => client.post('/sudo', { password }),
        change: () =>
          client.post('/change-password', {
            current_password: password,
            new_password: 'a new phrase',
          }),
        logout: () => client.post('/logout'),
      })) {
        const before = redis.commands
        assert.equal((await send()).statusCode, 200, name)
        counted[name] = redis.commands - before
      }
      assert.deepEqual(hooked.calls, [])
      return counted
    }
    // The first run loads the scripts.
    await costs(false)
    const off = await costs(false)
    assert.deepEqual(await costs(true), off)
  })
})
