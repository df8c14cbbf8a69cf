import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { setTimeout as wait } from 'node:timers/promises'
import { bearerTransport, memoryUsers, sessionTransport } from '../../src/index.js'
import { answers } from '../helpers/answers.js'
import { askToken, authorization, tokensOf } from '../helpers/bearer.js'
import { password } from '../helpers/build.js'
import { Client, signedIn } from '../helpers/client.js'
import { statuses, times } from '../helpers/hostile.js'
import { passkeyPlaces, passkeysEverywhere } from '../helpers/passkey-places.js'
import {
  assertionOf,
  buildPasskeys,
  device,
  elevateWithPasskey,
  passkeyUser,
  registrationOf,
} from '../helpers/passkeys.js'
import { refuses } from '../helpers/refuses.js'

const wrong = 'CRUDAUTH_MFA_CODE'
const evil = { origin: 'https://evil.example' }

const elevate = (client: Client, proof: object) => client.post('/sudo', { passkey: proof })
const optionsOf = async (client: Client) => (await client.post('/sudo/options', {})).json()

for (const place of passkeyPlaces) {
  describe(`${place.name}: sudo mode with a passkey`, () => {
    test('the passkey of this session elevates it, once', async (t) => {
      const { auth, store } = await place.open(t)
      const app = await buildPasskeys(t, { ...auth, freshSeconds: 1 }, { store })
      const { client, authenticator } = await passkeyUser(app, 'ada')
      await wait(1100)
      const stale = await client.post('/passkeys/register/options', {})
      refuses(stale, 'CRUDAUTH_FRESH_SIGN_IN_REQUIRED')
      const { challenge_id, options } = await optionsOf(client)
      assert.deepEqual(
        options.allowCredentials.map(({ id }: { id: string }) => id),
        authenticator.credentials.map(({ id }) => id),
      )
      const proof = { challenge_id, response: authenticator.get(options) }
      const { until } = (await elevate(client, proof)).json()
      assert.ok(Date.parse(until) > Date.now())
      answers(await client.post('/passkeys/register/options', {}), 200)
      refuses(await elevate(client, proof), wrong)
    })

    test('a wrong passkey is told to the app', async (t) => {
      const { auth, store } = await place.open(t)
      const told: unknown[] = []
      const onMfaFailed = (user: unknown, { purpose }: { purpose: string }) =>
        told.push((user as { username: string }).username, purpose)
      const app = await buildPasskeys(t, { ...auth, hooks: { onMfaFailed } }, { store })
      const { client, authenticator } = await passkeyUser(app, 'ada')
      const { challenge_id, options } = await optionsOf(client)
      const response = authenticator.get(options, evil)
      refuses(await elevate(client, { challenge_id, response }), wrong)
      assert.deepEqual(told, ['ada', 'sudo'])
    })

    test('options of other sessions, purposes and users are refused', async (t) => {
      const { auth, store } = await place.open(t)
      const app = await buildPasskeys(t, { ...auth, sudo: { maxAttempts: 99 } }, { store })
      const { client, authenticator } = await passkeyUser(app, 'ada')
      const bob = await passkeyUser(app, 'bob')
      const other = new Client(app)
      await other.login('ada')
      for (const from of [other, bob.client]) {
        const { challenge_id, options } = await optionsOf(from)
        const response = authenticator.get({ ...options, allowCredentials: [] })
        refuses(await elevate(client, { challenge_id, response }), wrong)
      }
      const login = await assertionOf(client, authenticator)
      refuses(await elevate(client, login), wrong)
      const { challenge_id } = await registrationOf(client, device())
      refuses(await elevate(client, { ...login, challenge_id }), wrong)
      // A passkey of another user, for the right challenge.
      const own = await optionsOf(client)
      const response = bob.authenticator.get({ ...own.options, allowCredentials: [] })
      refuses(await elevate(client, { challenge_id: own.challenge_id, response }), wrong)
      // And no sudo answer signs in.
      const late = await optionsOf(client)
      const alone = { challenge_id: late.challenge_id, response: authenticator.get(late.options) }
      refuses(await client.post('/passkeys/login/verify', alone), 'CRUDAUTH_BAD_CREDENTIALS')
    })

    test('wrong passkeys and wrong passwords share one lockout', async (t) => {
      const { auth, store } = await place.open(t)
      const app = await buildPasskeys(t, { ...auth, sudo: { maxAttempts: 3 } }, { store })
      const { client, authenticator } = await passkeyUser(app, 'ada')
      refuses(await elevateWithPasskey(client, authenticator, evil), wrong)
      refuses(await client.post('/sudo', { password: 'wrong one' }), 'CRUDAUTH_WRONG_PASSWORD')
      refuses(await elevateWithPasskey(client, authenticator, evil), wrong)
      refuses(await elevateWithPasskey(client, authenticator), 'CRUDAUTH_LOCKED_OUT')
      refuses(await client.post('/sudo', { password }), 'CRUDAUTH_LOCKED_OUT')
      const other = new Client(app)
      await other.login('ada')
      assert.equal((await elevateWithPasskey(other, authenticator)).statusCode, 200)
    })

    test('a removed passkey elevates nobody', async (t) => {
      const { auth, store } = await place.open(t)
      const app = await buildPasskeys(t, auth, { store })
      const { client, authenticator, passkey } = await passkeyUser(app, 'ada')
      const { challenge_id, options } = await optionsOf(client)
      const proof = { challenge_id, response: authenticator.get(options) }
      answers(await client.delete(`/passkeys/${passkey.id}`), 200)
      refuses(await elevate(client, proof), 'CRUDAUTH_SUDO_REQUIRED')
      refuses(await client.post('/sudo/options', {}), 'CRUDAUTH_SUDO_REQUIRED')
    })
  })
}

for (const place of passkeysEverywhere) {
  test(`${place.name}: 100 parallel uses of one answer elevate once`, async (t) => {
    const { auth, store } = await place.open(t)
    const app = await buildPasskeys(t, { ...auth, sudo: { maxAttempts: 500 } }, { store })
    const { client, authenticator } = await passkeyUser(app, 'ada', { counts: false })
    const { challenge_id, options } = await optionsOf(client)
    const proof = { challenge_id, response: authenticator.get(options) }
    const answered = await Promise.all(times(100, () => elevate(client, proof)))
    assert.deepEqual(statuses(answered), { 200: 1, 401: 99 })
  })
}

test('proofs of any other form are wrong, or malformed', async (t) => {
  const app = await buildPasskeys(t, { sudo: { maxAttempts: 99 } })
  const { client, authenticator } = await passkeyUser(app, 'ada')
  const { challenge_id, options } = await optionsOf(client)
  const response = authenticator.get(options)
  for (const proof of [
    {},
    [],
    { challenge_id },
    { response },
    { challenge_id: [challenge_id], response },
    { challenge_id: 1, response },
    { challenge_id: 'A'.repeat(43), response: null },
    ...[null, 1, 'x', [], { id: '' }, { id: {} }, { ...response, response: 5 }].map((broken) => ({
      challenge_id: 'A'.repeat(43),
      response: broken,
    })),
  ])
    refuses(await elevate(client, proof), wrong)
  for (const passkey of [null, 'x', 1, true])
    refuses(await client.post('/sudo', { passkey }), 'CRUDAUTH_BAD_REQUEST')
  for (const broken of [
    null,
    1,
    { ...response, response: null },
    { ...response, response: { ...response.response, userHandle: {} } },
    { ...response, response: { ...response.response, signature: {} } },
    { ...response, rawId: undefined },
  ]) {
    const begun = await optionsOf(client)
    refuses(await elevate(client, { challenge_id: begun.challenge_id, response: broken }), wrong)
  }
})

test('fresh is refused for an account with a passkey, and taken once it has none', async (t) => {
  const users = memoryUsers()
  const app = await buildPasskeys(t, { users })
  const { authenticator } = await passkeyUser(app, 'ada')
  // Without a password it is the passkey alone that stands in the way.
  await users.update(1, { hashedPassword: null })
  const browser = new Client(app)
  const proof = await assertionOf(browser, authenticator)
  browser.csrf = answers(await browser.post('/passkeys/login/verify', proof), 200).csrf_token
  refuses(await browser.post('/sudo', { fresh: true }), 'CRUDAUTH_SUDO_REQUIRED')
  assert.equal((await elevateWithPasskey(browser, authenticator)).statusCode, 200)
  await app.crudAuth.passkeys.revokeAll({ id: 1 } as never)
  assert.equal((await browser.post('/sudo', { fresh: true })).statusCode, 200)
})

test('accounts without passkeys, tokens and anonymous requests get no options', async (t) => {
  const app = await buildPasskeys(t, { transports: [sessionTransport(), bearerTransport()] })
  const { authenticator } = await passkeyUser(app, 'ada')
  const bob = await signedIn(app, 'bob')
  refuses(await bob.post('/sudo/options', {}), 'CRUDAUTH_SUDO_REQUIRED')
  const proof = await assertionOf(bob, authenticator)
  refuses(await elevate(bob, proof), 'CRUDAUTH_SUDO_REQUIRED')
  const { access_token } = tokensOf(await askToken(app, 'ada'))
  const client = new Client(app, '', { headers: authorization(access_token) })
  refuses(await client.post('/sudo/options', {}), 'CRUDAUTH_SUDO_REQUIRED')
  refuses(await new Client(app).post('/sudo/options', {}), 'CRUDAUTH_UNAUTHENTICATED')
})
