import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { setTimeout as wait } from 'node:timers/promises'
import {
  bearerTransport,
  memoryUsers,
  sessionTransport,
  type Transport,
  type UserId,
} from '../../src/index.js'
import { answers, refusesOwn } from '../helpers/answers.js'
import { askRefresh, askToken, authorization, claimsOf, tokensOf } from '../helpers/bearer.js'
import { password } from '../helpers/build.js'
import { Client, signedIn } from '../helpers/client.js'
import { hookedPasskeys, once } from '../helpers/hooked-passkeys.js'
import { passkeyPlaces } from '../helpers/passkey-places.js'
import {
  assertionOf,
  buildPasskeys,
  device,
  passkeyIds,
  passkeyUser,
  register,
  registrationOf,
} from '../helpers/passkeys.js'

const invalid = 'CRUDAUTH_PASSKEY_INVALID'
const transports = [sessionTransport(), bearerTransport({ refresh: 'body' })]

/** A client that sends a token. */
const tokenClient = (app: Client['app'], token: string) =>
  new Client(app, '', { headers: authorization(token) })

for (const place of passkeyPlaces) {
  describe(`${place.name}: a registration belongs to what began it`, () => {
    test('another session of the user, and another user, are refused, and use it up', async (t) => {
      const { auth, store } = await place.open(t)
      const app = await buildPasskeys(t, auth, { store })
      const ada = await signedIn(app, 'ada')
      const again = new Client(app)
      await again.login('ada')
      const bob = await signedIn(app, 'bob')
      for (const other of [again, bob]) {
        const registration = await registrationOf(ada, device())
        refusesOwn(await register(other, registration), invalid)
        refusesOwn(await register(ada, registration), invalid)
      }
      for (const client of [ada, bob]) assert.deepEqual(await passkeyIds(client), [])
    })

    test('a token of the same sign-in continues, one of another sign-in does not', async (t) => {
      const { auth, store } = await place.open(t)
      const app = await buildPasskeys(t, { ...auth, transports }, { store })
      await new Client(app).register('ada')
      const first = tokensOf(await askToken(app, 'ada'))
      const registration = await registrationOf(tokenClient(app, first.access_token), device())
      const second = await registrationOf(tokenClient(app, first.access_token), device())
      // `auth_time` has whole seconds.
      await wait(1100)
      const other = tokensOf(await askToken(app, 'ada'))
      refusesOwn(await register(tokenClient(app, other.access_token), registration), invalid)
      const session = new Client(app)
      await session.login('ada')
      const third = await registrationOf(session, device())
      refusesOwn(await register(tokenClient(app, other.access_token), third), invalid)
      const refreshed = tokensOf(await askRefresh(app, first.refresh_token))
      answers(await register(tokenClient(app, refreshed.access_token), second), 201)
    })

    test('a challenge of another purpose is refused', async (t) => {
      const { auth, store } = await place.open(t)
      const app = await buildPasskeys(t, auth, { store })
      const { client, authenticator } = await passkeyUser(app, 'ada')
      const login = await assertionOf(client, authenticator)
      const sudo = (await client.post('/sudo/options', {})).json()
      for (const { challenge_id } of [login, sudo]) {
        const { response } = await registrationOf(client, device())
        refusesOwn(await register(client, { challenge_id, response }), invalid)
      }
      const own = await registrationOf(client, device())
      const crossed = { challenge_id: own.challenge_id, response: login.response }
      refusesOwn(await client.post('/passkeys/login/verify', crossed), 'CRUDAUTH_BAD_CREDENTIALS')
      assert.equal((await passkeyIds(client)).length, 1)
    })

    test('an expired or unknown challenge is refused', async (t) => {
      const { auth, store } = await place.open(t)
      const app = await buildPasskeys(t, auth, { store, challengeSeconds: 1 })
      const client = await signedIn(app, 'ada')
      const registration = await registrationOf(client, device())
      for (const challenge_id of ['', 'A'.repeat(43), registration.challenge_id.slice(1), '\0'])
        refusesOwn(await register(client, { ...registration, challenge_id }), invalid)
      await wait(1100)
      refusesOwn(await register(client, registration), invalid)
    })

    test('a password that changed in between ends it, also in the session that goes on', async (t) => {
      const { auth, store } = await place.open(t)
      const app = await buildPasskeys(t, auth, { store })
      const client = await signedIn(app, 'ada')
      const registration = await registrationOf(client, device())
      const change = { current_password: password, new_password: 'another good one' }
      answers(await client.post('/change-password', change), 200)
      refusesOwn(await register(client, registration), invalid)
      assert.deepEqual(await passkeyIds(client), [])
    })
  })
}

test('a credential of another transport is refused, even from the same moment', async (t) => {
  const key: Transport = {
    name: 'key',
    async authenticate(request, auth) {
      const seconds = Number(request.headers['x-key-time'] ?? 0)
      const user = seconds > 0 && (await auth.users.findBy('username', 'ada'))
      if (!user) return null
      return auth.createPrincipal(user, { transport: 'key', authenticatedAtMs: seconds * 1000 })
    },
  }
  const app = await buildPasskeys(t, { transports: [bearerTransport({ refresh: 'body' }), key] })
  await new Client(app).register('ada')
  const { access_token } = tokensOf(await askToken(app, 'ada'))
  const headers = { 'x-key-time': String(claimsOf(access_token).auth_time) }
  const byKey = new Client(app, '', { headers })
  const registration = await registrationOf(tokenClient(app, access_token), device())
  refusesOwn(await register(byKey, registration), invalid)
  answers(await register(byKey, await registrationOf(byKey, device())), 201)
})

describe('a registration while the account changes', () => {
  /** Runs `change` at the moment after the passkey was written. */
  const interrupted = async (
    t: Parameters<typeof buildPasskeys>[0],
    change: (users: ReturnType<typeof memoryUsers>) => Promise<unknown>,
  ) => {
    const users = memoryUsers()
    const hooked = hookedPasskeys()
    const app = await buildPasskeys(t, { users }, { store: hooked.store })
    const client = await signedIn(app, 'ada')
    once(hooked, 'create', () => change(users))
    refusesOwn(await register(client, await registrationOf(client, device())), invalid)
    assert.deepEqual(await hooked.store.listByUser(1), [], 'the passkey is gone again')
  }

  test('disabled, taken over or deleted in between: 400, and no passkey stays', async (t) => {
    for (const values of [{ isActive: false }, { tokenVersion: 7 }, { hashedPassword: '!' }])
      await interrupted(t, (users) => users.update(1 as UserId, values))
  })

  test('disabled before: the session ends', async (t) => {
    const users = memoryUsers()
    const app = await buildPasskeys(t, { users })
    const client = await signedIn(app, 'ada')
    const registration = await registrationOf(client, device())
    await users.update(1, { isActive: false })
    refusesOwn(await register(client, registration), 'CRUDAUTH_UNAUTHENTICATED')
  })
})

test('changes need a CSRF token or the account scope', async (t) => {
  const scopes = ['account', 'notes']
  const app = await buildPasskeys(t, {
    transports: [sessionTransport(), bearerTransport({ refresh: 'body', grantableScopes: scopes })],
  })
  const { client, passkey } = await passkeyUser(app, 'ada')
  const registration = await registrationOf(client, device())
  const changes = (from: Client) => [
    register(from, registration),
    from.post('/passkeys/register/options', {}),
    from.request('PATCH', `/passkeys/${passkey.id}`, { payload: { name: 'x' } }),
    from.delete(`/passkeys/${passkey.id}`),
  ]
  client.csrf = null
  for (const change of changes(client)) refusesOwn(await change, 'CRUDAUTH_CSRF')
  for (const change of changes(new Client(app)))
    refusesOwn(await change, 'CRUDAUTH_UNAUTHENTICATED')
  refusesOwn(await new Client(app).get('/passkeys'), 'CRUDAUTH_UNAUTHENTICATED')
  const notes = tokensOf(await askToken(app, 'ada', { scope: 'notes' })).access_token
  for (const change of changes(tokenClient(app, notes)))
    refusesOwn(await change, 'CRUDAUTH_INSUFFICIENT_SCOPE')
  assert.deepEqual(answers(await client.get('/passkeys'), 200), [passkey])
})
