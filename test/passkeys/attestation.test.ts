import assert from 'node:assert/strict'
import { test } from 'node:test'
import { answers, refusesOwn } from '../helpers/answers.js'
import { signedIn } from '../helpers/client.js'
import {
  buildPasskeys,
  device,
  passkeyLoginOf,
  register,
  registrationOf,
} from '../helpers/passkeys.js'

// Each is by nobody. The library would look at the certificates, and might fetch what they name.
const statements = ['packed', 'fido-u2f', 'tpm', 'android-key', 'android-safetynet', 'apple', 'x']
const attestationOf = (fmt: string) => ({
  fmt,
  attStmt: new Map<string, string | number | Buffer>([
    ['alg', -7],
    ['sig', Buffer.alloc(70, 1)],
    ['ver', '2.0'],
  ]),
})

test('a statement that was not asked for is not looked at', async (t) => {
  const app = await buildPasskeys(t)
  const client = await signedIn(app, 'ada')
  for (const fmt of statements) {
    const authenticator = device()
    const forged = { attestation: attestationOf(fmt) }
    const registration = await registrationOf(client, authenticator, forged)
    answers(await register(client, registration), 201)
    if (fmt === 'packed') answers(await passkeyLoginOf(app, authenticator), 200)
  }
  // Everything else is.
  for (const wrong of [{ origin: 'https://evil.example' }, { rpId: 'evil.example' }]) {
    const forged = { attestation: attestationOf('packed'), ...wrong }
    const registration = await registrationOf(client, device(), forged)
    refusesOwn(await register(client, registration), 'CRUDAUTH_PASSKEY_INVALID')
  }
})

test('a statement that was asked for is not looked at either', async (t) => {
  for (const attestation of ['direct', 'enterprise'] as const) {
    const app = await buildPasskeys(t, {}, { attestation })
    const client = await signedIn(app, 'ada')
    const begun = answers(await client.post('/passkeys/register/options', {}), 200)
    assert.equal(begun.options.attestation, attestation)
    for (const fmt of statements) {
      const forged = { attestation: attestationOf(fmt) }
      const registration = await registrationOf(client, device(), forged)
      answers(await register(client, registration), 201)
    }
  }
})

test('broken attestation objects are invalid', async (t) => {
  const app = await buildPasskeys(t)
  const client = await signedIn(app, 'ada')
  for (const attestationObject of ['AAAA', 'oA', 'gA', Buffer.from('{}').toString('base64url')]) {
    const { challenge_id, response } = await registrationOf(client, device())
    const broken = { ...response, response: { ...response.response, attestationObject } }
    const answered = await register(client, { challenge_id, response: broken })
    refusesOwn(answered, 'CRUDAUTH_PASSKEY_INVALID')
  }
  assert.deepEqual(answers(await client.get('/passkeys'), 200), [])
})
