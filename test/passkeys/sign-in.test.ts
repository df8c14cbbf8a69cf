import assert from 'node:assert/strict'
import { test } from 'node:test'
import { answers } from '../helpers/answers.js'
import { backends } from '../helpers/backends.js'
import { Client, signedIn } from '../helpers/client.js'
import { form, postBytes } from '../helpers/hostile.js'
import {
  assertionOf,
  buildPasskeys,
  device,
  isRefused,
  origin,
  passkeyLogin,
  passkeyUser,
  register,
  registrationOf,
} from '../helpers/passkeys.js'

for (const backend of backends) {
  test(`${backend.name}: a passkey signs in as its user, with two factors where it verifies them`, async (t) => {
    const app = await buildPasskeys(t, backend.options())
    const { authenticator } = await passkeyUser(app, 'ann')
    const client = new Client(app)
    const signedIn = answers(await passkeyLogin(client, authenticator), 200)
    assert.equal(signedIn.username, 'ann')
    assert.deepEqual((await client.get('/guarded')).json(), {
      amr: ['webauthn', 'mfa'],
      via: 'session',
    })
    const other = await passkeyUser(app, 'bob', { verifiesUser: false, counts: false })
    const bob = new Client(app)
    assert.equal(answers(await passkeyLogin(bob, other.authenticator), 200).username, 'bob')
    assert.deepEqual((await bob.get('/guarded')).json().amr, ['webauthn'])
  })
}

test('only JSON signs in: a form of another site cannot send it', async (t) => {
  const app = await buildPasskeys(t)
  const { authenticator } = await passkeyUser(app, 'ada')
  const proof = await assertionOf(new Client(app), authenticator)
  const url = '/passkeys/login/verify'
  for (const type of ['text/plain', form, 'multipart/form-data', undefined]) {
    const response = await postBytes(app, url, JSON.stringify(proof), type)
    assert.equal(response.statusCode, type === form ? 400 : 415, type)
  }
  const large = { ...proof, filler: 'x'.repeat(17_000) }
  assert.equal((await new Client(app).post(url, large)).statusCode, 413)
  answers(await postBytes(app, url, JSON.stringify(proof), 'application/json'), 200)
})

test('an Android app signs in by the hash of its key', async (t) => {
  const android = 'android:apk-key-hash:-sYXRdwJA3hvue3mKpYrOZ9zSPC7b4mbgzJmdZEDO5w'
  const app = await buildPasskeys(t, {}, { origins: [origin, android] })
  const client = await signedIn(app, 'ada')
  const authenticator = device()
  const registration = await registrationOf(client, authenticator, { origin: android })
  answers(await register(client, registration), 201)
  const asApp = { forged: { origin: android } }
  answers(await passkeyLogin(new Client(app), authenticator, asApp), 200)
  const other = { forged: { origin: `${android}x` } }
  isRefused(await passkeyLogin(new Client(app), authenticator, other))
})
