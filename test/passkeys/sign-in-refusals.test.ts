import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { answers, refusesOwn } from '../helpers/answers.js'
import { createKey } from '../helpers/authenticator-keys.js'
import { type AssertionForgery, base64url, looseBase64url } from '../helpers/authenticator-parts.js'
import { Client, signedIn } from '../helpers/client.js'
import { passkeyPlaces } from '../helpers/passkey-places.js'
import {
  assertionOf,
  buildPasskeys,
  isRefused,
  passkeyLoginOf,
  passkeyUser,
} from '../helpers/passkeys.js'

const verifyUrl = '/passkeys/login/verify'
const loose = { lockout: false } as const

/** Replaces a member of the response, after it was signed. */
type Tampering = (response: Record<string, unknown> & { response: Record<string, string> }) => void

const bytesOf = (text: string | undefined) => Buffer.from(text ?? '', 'base64url')
const clientDataOf =
  (text: string): Tampering =>
  ({ response }) => {
    response.clientDataJSON = base64url(Buffer.from(text))
  }

describe('every wrong answer of a passkey is refused in one wording', () => {
  const forgeries: [string, AssertionForgery][] = [
    ['the challenge of nobody', { challenge: 'A'.repeat(43) }],
    ['a signature of another key', { key: createKey('ES256') }],
    ['a signature by another algorithm', { key: createKey('EdDSA') }],
    ['an RSA signature', { key: createKey('RS256') }],
    ['a signature of nothing', { signature: Buffer.alloc(70) }],
    ['an empty signature', { signature: Buffer.alloc(0) }],
    ['another origin', { origin: 'https://evil.example' }],
    ['the same host over http', { origin: 'http://app.example.com' }],
    ['a sibling of the origin', { origin: 'https://example.com' }],
    ['an origin with a slash', { origin: 'https://app.example.com/' }],
    ['the relying party of another host', { rpId: 'app.example.com' }],
    ['a frame of another site', { crossOrigin: true }],
    ['crossOrigin as text', { clientData: { crossOrigin: 'false' } }],
    ['crossOrigin as null', { clientData: { crossOrigin: null } }],
    ['a topOrigin', { topOrigin: 'https://app.example.com' }],
    ['a topOrigin in a frame', { crossOrigin: true, topOrigin: 'https://evil.example' }],
    ['an empty topOrigin', { topOrigin: '' }],
    ['the type of a registration', { type: 'webauthn.create' }],
    ['no user presence', { flags: { up: false } }],
    ['a backup without eligibility', { flags: { bs: true } }],
    ['extensions that are not there', { flags: { ed: true } }],
    ['a credential that is not there', { flags: { at: true } }],
    ['no user handle', { userHandle: undefined }],
    ['an empty user handle', { userHandle: '' }],
    ['a foreign user handle', { userHandle: base64url(Buffer.alloc(32, 9)) }],
    ['the user id as user handle', { userHandle: base64url(Buffer.from('1')) }],
    ['another credential type', { credentialType: 'password' }],
    ['an unknown id', { credentialId: Buffer.alloc(32, 3) }],
    ['an id of 1,024 bytes', { credentialId: Buffer.alloc(1024, 3) }],
    ['an empty id', { credentialId: Buffer.alloc(0) }],
    ['an id that is not the raw id', { rawId: 'AAAA' }],
    ['a raw id that is not the id', { id: 'AAAA' }],
    ['an id with NUL', { id: 'AAAA\0', rawId: 'AAAA\0' }],
    ['an id that is half a character', { id: '\ud800', rawId: '\ud800' }],
    ['an id of __proto__', { id: '__proto__', rawId: '__proto__' }],
    ['loose base64url', { encode: looseBase64url }],
    ['padding', { encode: (bytes) => Buffer.from(bytes).toString('base64') }],
  ]
  const members = ['clientDataJSON', 'authenticatorData', 'signature', 'id', 'rawId']
  for (const spelled of members)
    forgeries.push([
      `loose base64url of ${spelled}`,
      { encode: (bytes, member) => (member === spelled ? looseBase64url : base64url)(bytes) },
    ])

  const tamperings: [string, Tampering][] = [
    ['client data that is no JSON', clientDataOf('{"type":"webauthn.get"')],
    ['client data that is null', clientDataOf('null')],
    ['client data that is a list', clientDataOf('[]')],
    ['client data that is a number', clientDataOf('1')],
    [
      'client data that is empty',
      ({ response }) => {
        response.clientDataJSON = ''
      },
    ],
    [
      'client data that is no base64url',
      ({ response }) => {
        response.clientDataJSON = '{}'
      },
    ],
    [
      'client data with a byte order mark',
      ({ response }) => {
        const marked = [Buffer.from('\ufeff'), bytesOf(response.clientDataJSON)]
        response.clientDataJSON = base64url(Buffer.concat(marked))
      },
    ],
    [
      'client data with a duplicate member',
      ({ response }) => {
        const text = bytesOf(response.clientDataJSON).toString()
        response.clientDataJSON = base64url(Buffer.from(text.replace('{', '{"crossOrigin":true,')))
      },
    ],
    [
      'truncated authenticator data',
      ({ response }) => {
        response.authenticatorData = base64url(bytesOf(response.authenticatorData).subarray(0, 36))
      },
    ],
    [
      'authenticator data with further bytes',
      ({ response }) => {
        const longer = [bytesOf(response.authenticatorData), Buffer.alloc(1)]
        response.authenticatorData = base64url(Buffer.concat(longer))
      },
    ],
    [
      'another counter than the signed one',
      ({ response }) => {
        const changed = bytesOf(response.authenticatorData)
        changed.writeUInt32BE(99, 33)
        response.authenticatorData = base64url(changed)
      },
    ],
    [
      'a flag that was not signed',
      ({ response }) => {
        const changed = bytesOf(response.authenticatorData)
        changed.writeUInt8((changed[32] ?? 0) ^ 4, 32)
        response.authenticatorData = base64url(changed)
      },
    ],
    [
      'a user handle in capitals',
      ({ response }) => {
        response.userHandle = 'AAAA'
      },
    ],
  ]

  for (const place of passkeyPlaces) {
    test(`${place.name}: forged and broken responses`, async (t) => {
      const { auth, store } = await place.open(t)
      const suspicious: unknown[] = []
      const hooks = { onPasskeySuspicious: (user: unknown) => void suspicious.push(user) }
      const app = await buildPasskeys(t, { ...auth, ...loose, hooks }, { store })
      const { authenticator } = await passkeyUser(app, 'ada')
      for (const [name, forged] of forgeries) {
        const proof = await assertionOf(new Client(app), authenticator, forged)
        await t.test(name, async () =>
          isRefused(await new Client(app).post(verifyUrl, proof), [proof.challenge_id]),
        )
      }
      for (const [name, tamper] of tamperings) {
        const proof = await assertionOf(new Client(app), authenticator)
        tamper(proof.response as never)
        await t.test(name, async () => isRefused(await new Client(app).post(verifyUrl, proof)))
      }
      assert.deepEqual(suspicious, [])
      answers(await passkeyLoginOf(app, authenticator), 200)
    })
  }
})

test('user verification: refused where it is required, and missing', async (t) => {
  const app = await buildPasskeys(t, loose, { userVerification: 'required' })
  const { authenticator } = await passkeyUser(app, 'ada')
  isRefused(await passkeyLoginOf(app, authenticator, { forged: { flags: { uv: false } } }))
  answers(await passkeyLoginOf(app, authenticator), 200)
  await signedIn(app, 'bob')
})

test('bodies of another form are 400', async (t) => {
  const app = await buildPasskeys(t, loose)
  const { authenticator } = await passkeyUser(app, 'ada')
  const { challenge_id, response } = await assertionOf(new Client(app), authenticator)
  for (const body of [
    {},
    { challenge_id },
    { response },
    { challenge_id: [challenge_id], response },
    { challenge_id, response: [response] },
    { challenge_id, response: null },
    { challenge_id, response: { ...response, id: [response.id] } },
    { challenge_id, response: { ...response, response: null } },
    { challenge_id, response: { ...response, response: { ...response.response, signature: 1 } } },
    { challenge_id: 'A'.repeat(129), response },
    { challenge_id, response, transport: ['session'] },
  ])
    refusesOwn(await new Client(app).post(verifyUrl, body), 'FST_ERR_VALIDATION')
  answers(await new Client(app).post(verifyUrl, { challenge_id, response }), 200)
})
