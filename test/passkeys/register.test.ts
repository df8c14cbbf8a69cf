import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { memoryUsers } from '../../src/index.js'
import { answers, refusesOwn } from '../helpers/answers.js'
import { createKey } from '../helpers/authenticator-keys.js'
import { type Forgery, looseBase64url } from '../helpers/authenticator-parts.js'
import { type Cbor, encodeCbor } from '../helpers/cbor.js'
import { signedIn } from '../helpers/client.js'
import { times } from '../helpers/hostile.js'
import { Mailbox } from '../helpers/mailbox.js'
import { passkeyPlaces } from '../helpers/passkey-places.js'
import {
  addPasskey,
  buildPasskeys,
  device,
  passkeyIds,
  passkeyLoginOf,
  passkeyOptions,
  passkeyUser,
  register,
  registrationOf,
} from '../helpers/passkeys.js'

const invalid = 'CRUDAUTH_PASSKEY_INVALID'
const beginUrl = '/passkeys/register/options'

for (const place of passkeyPlaces) {
  describe(`${place.name}: registration`, () => {
    test('201 with the passkey, which then signs in', async (t) => {
      const { auth, store } = await place.open(t)
      const app = await buildPasskeys(t, auth, { store })
      const client = await signedIn(app, 'ada')
      const authenticator = device({ isSynced: true, counts: false, transports: ['hybrid', 'usb'] })
      const startedMs = Date.now()
      const passkey = await addPasskey(client, authenticator, '  My phone  ')
      const { id, created_at, ...rest } = passkey
      assert.match(id, /^[\w-]{22}$/)
      assert.notEqual(id, authenticator.credentials[0]?.id)
      assert.ok(Math.abs(Date.parse(created_at) - startedMs) < 10_000)
      assert.deepEqual(rest, {
        name: 'My phone',
        last_used_at: null,
        backed_up: true,
        transports: ['hybrid', 'usb'],
      })
      assert.deepEqual(answers(await client.get('/passkeys'), 200), [passkey])
      answers(await passkeyLoginOf(app, authenticator), 200)
      const [used] = answers(await client.get('/passkeys'), 200)
      assert.ok(Date.parse(used.last_used_at) >= startedMs - 1000)
    })

    test('a known credential is 409, for its own user and for others', async (t) => {
      const { auth, store } = await place.open(t)
      const app = await buildPasskeys(t, auth, { store })
      const { client, authenticator } = await passkeyUser(app, 'ada')
      const bob = await signedIn(app, 'bob')
      const credentialId = Buffer.from(authenticator.credentials[0]?.id ?? '', 'base64url')
      for (const who of [client, bob]) {
        const again = await registrationOf(who, device(), { credentialId })
        refusesOwn(await register(who, again), 'CRUDAUTH_DUPLICATE', [again.response.id])
      }
      assert.deepEqual(await passkeyIds(bob), [])
      const signedInAs = answers(await passkeyLoginOf(app, authenticator), 200)
      assert.equal(signedInAs.username, 'ada', 'the key was not replaced')
    })

    test('all algorithms of the options are accepted', async (t) => {
      const { auth, store } = await place.open(t)
      const app = await buildPasskeys(t, auth, { store })
      for (const alg of ['ES256', 'EdDSA', 'RS256'] as const) {
        const { authenticator } = await passkeyUser(app, alg.toLowerCase(), { alg })
        answers(await passkeyLoginOf(app, authenticator), 200)
      }
    })

    test('names and transports of any form fit into the columns', async (t) => {
      const { auth, store } = await place.open(t)
      const app = await buildPasskeys(t, auth, { store })
      const client = await signedIn(app, 'ada')
      const long = (length: number) =>
        times(10, (index) => 'x'.repeat(length - 1) + String.fromCharCode(97 + index))
      const transports = ['usb', 'usb', 'Not-One', '', ...long(32), ...long(28), ...long(27)]
      const { transports: kept } = await addPasskey(
        client,
        device({ transports }),
        '😀'.repeat(100),
      )
      assert.deepEqual(kept.slice(0, 2), ['usb', long(28)[0]])
      assert.ok(JSON.stringify(kept).length <= 255, JSON.stringify(kept))
      for (const name of ['', '   ', 'x'.repeat(101), 'a\0b', 'a\nb', 1, null])
        refusesOwn(await client.post(beginUrl, { name }), 'FST_ERR_VALIDATION')
    })
  })
}

describe('registrations that are refused', () => {
  const wrong: [string, Forgery][] = [
    ['the challenge of another registration', { challenge: 'A'.repeat(43) }],
    ['another origin', { origin: 'https://evil.example' }],
    ['the same host over http', { origin: 'http://app.example.com' }],
    ['another port', { origin: 'https://app.example.com:8443' }],
    ['a frame of another site', { crossOrigin: true }],
    ['a topOrigin', { topOrigin: 'https://evil.example' }],
    ['a topOrigin in a frame', { crossOrigin: true, topOrigin: 'https://evil.example' }],
    ['crossOrigin as text', { clientData: { crossOrigin: 'true' } }],
    ['another relying party', { rpId: 'evil.example' }],
    ['the type of a sign-in', { type: 'webauthn.get' }],
    ['no user presence', { flags: { up: false } }],
    ['no credential', { flags: { at: false } }],
    ['a backup without eligibility', { flags: { bs: true } }],
    ['another credential type', { credentialType: 'password' }],
    ['an id that is not the raw id', { rawId: 'AAAA' }],
    ['an id that is not the signed one', { id: 'AAAA', rawId: 'AAAA' }],
    ['an id of 1,024 bytes', { credentialId: Buffer.alloc(1024, 1) }],
    ['an empty id', { credentialId: Buffer.alloc(0) }],
    ['loose base64url', { encode: looseBase64url }],
    ['padding', { encode: (bytes) => Buffer.from(bytes).toString('base64') }],
  ]
  for (const [name, forged] of wrong) {
    test(`${name}: 400, and nothing is added`, async (t) => {
      const app = await buildPasskeys(t)
      const client = await signedIn(app, 'ada')
      const registration = await registrationOf(client, device(), forged)
      refusesOwn(await register(client, registration), invalid)
      assert.deepEqual(await passkeyIds(client), [])
    })
  }

  test('an id of 1,023 bytes is accepted', async (t) => {
    const app = await buildPasskeys(t)
    const client = await signedIn(app, 'ada')
    const registration = await registrationOf(client, device(), {
      credentialId: Buffer.alloc(1023, 1),
    })
    answers(await register(client, registration), 201)
  })

  test('without user verification: only where it is required', async (t) => {
    for (const [userVerification, status] of [
      ['required', 400],
      ['preferred', 201],
      ['discouraged', 201],
    ] as const) {
      const app = await buildPasskeys(t, {}, { userVerification })
      const client = await signedIn(app, 'ada')
      const registration = await registrationOf(client, device(), { flags: { uv: false } })
      answers(await register(client, registration), status)
    }
  })

  test('a key of another algorithm, or larger than its column, is invalid', async (t) => {
    const app = await buildPasskeys(t)
    const client = await signedIn(app, 'ada')
    const keyOf = (...members: [number, Cbor][]) => ({
      ...createKey('ES256'),
      cose: encodeCbor(new Map<number, Cbor>([[1, 2], [-1, 1], ...members])),
    })
    const point: [number, Cbor][] = [
      [-2, Buffer.alloc(32, 1)],
      [-3, Buffer.alloc(32, 2)],
    ]
    for (const [key, status] of [
      [keyOf([3, -7], ...point), 201],
      [keyOf([3, -36], ...point), 400],
      [keyOf(...point), 400],
      [keyOf([3, -7], ...point, [99, Buffer.alloc(3000)]), 400],
    ] as const) {
      const registration = await registrationOf(client, device(), { key })
      answers(await register(client, registration), status)
    }
  })
})

test('the user and the app are told, and not of refused ones', async (t) => {
  const mail = new Mailbox()
  const added: { user: object; passkey: object }[] = []
  const hooks = {
    onPasskeyAdded: (user: object, { passkey }: { passkey: object }) =>
      void added.push({ user, passkey }),
  }
  const users = memoryUsers()
  const app = await buildPasskeys(t, {
    users,
    email: mail.options(),
    hooks: hooks as never,
    passkeys: passkeyOptions(),
  })
  const client = await signedIn(app, 'ada')
  const wrong = await registrationOf(client, device(), { origin: 'https://evil.example' })
  refusesOwn(await register(client, wrong), invalid)
  const passkey = await addPasskey(client, device(), 'Key')
  const message = await mail.next('ada@example.com', 'passkey_added')
  assert.ok(!JSON.stringify(message).includes(passkey.id))
  assert.equal(mail.to('ada@example.com', 'passkey_added').length, 1)
  assert.equal(added.length, 1)
  assert.deepEqual(Object.keys(added[0]?.passkey ?? {}).sort(), [
    'backedUp',
    'createdAt',
    'id',
    'lastUsedAt',
    'name',
    'transports',
  ])
  assert.ok(!('hashedPassword' in (added[0]?.user ?? {})))
})
