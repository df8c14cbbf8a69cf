import assert from 'node:assert/strict'
import { createPublicKey, verify as verifyBytes, webcrypto } from 'node:crypto'
import { describe, test } from 'node:test'
import { bearerTransport, memoryUsers, type TokenKey, type UserStore } from '../../src/index.js'
import { answers, refusesOwn } from '../helpers/answers.js'
import { backends } from '../helpers/backends.js'
import {
  asBearer,
  askRefresh,
  askToken,
  bearerApp,
  claimsOf,
  forge,
  forgeWith,
  headerOf,
  pairFor,
  pem,
  signedInBearer,
  tokensOf,
} from '../helpers/bearer.js'
import { build, secret } from '../helpers/build.js'
import { Client } from '../helpers/client.js'
import { refuses } from '../helpers/refuses.js'

const algorithms = ['EdDSA', 'ES256', 'RS256'] as const
const other = 'Zq7Lm2Xc9Vb4Nt1Hy6Gf3Ds8Aw5Po0Ku-other'
const unavailableToClients = /private key/

interface PublishedKey {
  kty: string
  kid: string
  alg: string
  use: string
  [name: string]: string
}

for (const alg of algorithms) {
  describe(alg, () => {
    test('signs and verifies with PEM and KeyObject keys', async (t) => {
      const { privateKey, publicKey } = pairFor(alg)
      for (const halves of [
        { privateKey },
        { privateKey: pem(privateKey) },
        { privateKey, publicKey: pem(publicKey) },
      ]) {
        const app = await bearerApp(t, null, { keys: [{ kid: 'k1', alg, ...halves }] })
        const { access_token } = await signedInBearer(app)
        assert.deepEqual(headerOf(access_token), { alg, typ: 'at+jwt', kid: 'k1' })
        answers(await asBearer(app, access_token), 200)
      }
    })

    test('another service can verify tokens with the JWKS and WebCrypto', async (t) => {
      const { privateKey } = pairFor(alg)
      const retired = pairFor('ES256')
      const app = await build(t, {
        auth: {
          prefix: '/auth',
          transports: [
            bearerTransport({
              refresh: 'body',
              jwks: true,
              keys: [
                { kid: 'now', alg, privateKey },
                { kid: 'before', alg: 'ES256', publicKey: retired.publicKey },
              ],
            }),
          ],
        },
      })
      const response = await app.inject({ method: 'GET', url: '/.well-known/jwks.json' })
      assert.equal(response.statusCode, 200)
      assert.match(String(response.headers['content-type']), /^application\/json/)
      assert.equal(response.headers['cache-control'], 'public, max-age=300')
      assert.equal(
        (await app.inject({ method: 'GET', url: '/auth/.well-known/jwks.json' })).statusCode,
        404,
      )
      const { keys } = response.json() as { keys: PublishedKey[] }
      assert.deepEqual(
        keys.map(({ kid }) => kid),
        ['now', 'before'],
      )
      for (const key of keys) {
        for (const name of ['d', 'p', 'q', 'dp', 'dq', 'qi', 'k'])
          assert.ok(!(name in key), `${name} is private`)
        assert.equal(key.use, 'sig')
        createPublicKey({ key: key as never, format: 'jwk' })
      }
      await new Client(app, '/auth').register('ann')
      const { access_token } = tokensOf(await askToken(app, 'ann', {}, '/auth/token'))
      const [header = '', payload = '', signature = ''] = access_token.split('.')
      const jwk = keys.find(({ kid }) => kid === headerOf(access_token).kid)
      assert.equal(jwk?.alg, alg)
      const parameters = {
        EdDSA: { name: 'Ed25519' },
        ES256: { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' },
        RS256: { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256' },
      }[alg]
      const { alg: _, ...plain } = jwk as PublishedKey
      const key = await webcrypto.subtle.importKey('jwk', plain, parameters, false, ['verify'])
      const data = Buffer.from(`${header}.${payload}`)
      assert.equal(
        await webcrypto.subtle.verify(parameters, key, Buffer.from(signature, 'base64url'), data),
        true,
      )
      data.writeUInt8(data.readUInt8(0) ^ 1, 0)
      assert.equal(
        await webcrypto.subtle.verify(parameters, key, Buffer.from(signature, 'base64url'), data),
        false,
      )
    })

    test('an app with only the public key verifies tokens but cannot issue any', async (t) => {
      const { privateKey, publicKey } = pairFor(alg)
      const users = memoryUsers()
      const issuing = await bearerApp(t, null, { keys: [{ kid: 'k', alg, privateKey }] }, { users })
      const { access_token } = await signedInBearer(issuing)
      const checking = await bearerApp(
        t,
        null,
        { keys: [{ kid: 'k', alg, publicKey: pem(publicKey) }] },
        { users },
      )
      answers(await asBearer(checking, access_token), 200)
      const user = await users.findById(1)
      assert.ok(user)
      await assert.rejects(() => checking.crudAuth.issueTokens(user), {
        code: 'CRUDAUTH_CONFIG',
        message: unavailableToClients,
      })
      assert.equal((await askToken(checking)).statusCode, 404)
      assert.deepEqual(await checking.crudAuth.sessions.list(1), [])
    })
  })
}

describe('key rotation: asymmetric keys', () => {
  test('the first private key signs, all keys verify, a removed key does not', async (t) => {
    const users = memoryUsers()
    const [old, next] = [pairFor('ES256'), pairFor('EdDSA')]
    const oldKey: TokenKey = { kid: 'old', alg: 'ES256', privateKey: old.privateKey }
    const nextKey: TokenKey = { kid: 'next', alg: 'EdDSA', privateKey: next.privateKey }
    const appWith = (keys: TokenKey[]) => bearerApp(t, null, { keys }, { users })
    const before = await appWith([oldKey])
    const announced = await appWith([
      oldKey,
      { kid: 'next', alg: 'EdDSA', publicKey: next.publicKey },
    ])
    const switched = await appWith([
      nextKey,
      { kid: 'old', alg: 'ES256', publicKey: old.publicKey },
    ])
    const after = await appWith([nextKey])
    const first = await signedInBearer(before)
    const second = tokensOf(await askToken(switched))
    assert.equal(headerOf(second.access_token).kid, 'next')
    assert.equal(headerOf(tokensOf(await askToken(announced)).access_token).kid, 'old')
    for (const app of [before, announced, switched])
      answers(await asBearer(app, first.access_token), 200)
    for (const app of [announced, switched, after])
      answers(await asBearer(app, second.access_token), 200)
    refuses(await asBearer(after, first.access_token), 'CRUDAUTH_INVALID_TOKEN')
    refuses(await asBearer(before, second.access_token), 'CRUDAUTH_INVALID_TOKEN')
  })

  test('a list that starts with a public key signs with the first private key', async (t) => {
    const [a, b] = [pairFor('EdDSA'), pairFor('EdDSA')]
    const app = await bearerApp(t, null, {
      keys: [
        { kid: 'a', alg: 'EdDSA', publicKey: a.publicKey },
        { kid: 'b', alg: 'EdDSA', privateKey: b.privateKey },
      ],
    })
    const { access_token } = await signedInBearer(app)
    assert.equal(headerOf(access_token).kid, 'b')
    // A token signed with one key under the kid of another key is refused.
    const claims = claimsOf(access_token)
    refuses(
      await asBearer(
        app,
        forgeWith('EdDSA', b.privateKey, { alg: 'EdDSA', typ: 'at+jwt', kid: 'a' }, claims),
      ),
      'CRUDAUTH_INVALID_TOKEN',
    )
  })

  test('algorithm confusion: an HS256 app and an EdDSA app refuse each other’s tokens', async (t) => {
    const users = memoryUsers()
    const { privateKey } = pairFor('EdDSA')
    const hsApp = await bearerApp(t, null, {}, { users })
    const edApp = await bearerApp(
      t,
      null,
      { keys: [{ kid: 'k', alg: 'EdDSA', privateKey }] },
      { users },
    )
    const first = await signedInBearer(hsApp)
    const second = tokensOf(await askToken(edApp))
    refuses(await asBearer(edApp, first.access_token), 'CRUDAUTH_INVALID_TOKEN')
    refuses(await asBearer(hsApp, second.access_token), 'CRUDAUTH_INVALID_TOKEN')
    refuses(
      await asBearer(edApp, forge(headerOf(second.access_token), claimsOf(second.access_token))),
      'CRUDAUTH_INVALID_TOKEN',
    )
  })
})

for (const backend of backends) {
  test(`${backend.name}: secret rotation: tokens of the old secret are valid until it is removed`, async (t) => {
    const shared = { ...backend.options(), users: memoryUsers() }
    const appWith = (secret: string | string[], users: UserStore = shared.users) =>
      bearerApp(t, null, {}, { ...shared, users, secret })
    const before = await appWith(secret)
    const during = await appWith([other, secret])
    // Apps without Redis share their state in memory, like one app that restarts.
    const share = (app: typeof before) => {
      if (!('redis' in shared)) Object.assign(app.sessionStore, before.sessionStore)
    }
    share(during)
    const first = await signedInBearer(before)
    const second = tokensOf(await askToken(during))
    assert.notEqual(headerOf(first.access_token).kid, headerOf(second.access_token).kid)
    for (let n = 0; n < 2; n++) {
      answers(await asBearer(during, first.access_token), 200)
      answers(await asBearer(during, second.access_token), 200)
    }
    const after = await appWith(other)
    share(after)
    answers(await asBearer(after, second.access_token), 200)
    for (let n = 0; n < 2; n++)
      refuses(await asBearer(after, first.access_token), 'CRUDAUTH_INVALID_TOKEN')
    refuses(await asBearer(before, second.access_token), 'CRUDAUTH_INVALID_TOKEN')

    // Refresh tokens survive the rotation, too.
    const third = tokensOf(await askRefresh(during, first.refresh_token))
    assert.equal(headerOf(third.access_token).kid, headerOf(second.access_token).kid)
    assert.deepEqual(
      tokensOf(await askRefresh(during, first.refresh_token)).refresh_token,
      third.refresh_token,
      'the same successor within the grace period',
    )
    assert.equal((await during.crudAuth.sessions.list(1)).length, 2)
    refusesOwn(await askRefresh(after, third.refresh_token), 'CRUDAUTH_INVALID_TOKEN')
    answers(await askRefresh(during, third.refresh_token), 200)
    answers(await askRefresh(after, second.refresh_token), 200)
    assert.equal(await during.crudAuth.sessions.revokeAll(1), 2)
  })
}

for (const backend of backends) {
  test(`${backend.name}: secret rotation: repeated use within the grace period returns the same successor`, async (t) => {
    const shared = { ...backend.options(), users: memoryUsers() }
    const appWith = (secret: string | string[]) => bearerApp(t, null, {}, { ...shared, secret })
    const [before, during] = [await appWith(secret), await appWith([other, secret])]
    if (!('redis' in shared)) Object.assign(during.sessionStore, before.sessionStore)
    const { refresh_token } = await signedInBearer(before)
    const next = tokensOf(await askRefresh(before, refresh_token))
    const repeated = tokensOf(await askRefresh(during, refresh_token))
    assert.equal(repeated.refresh_token, next.refresh_token)
    answers(await askRefresh(during, next.refresh_token), 200)
  })
}

test('ES256: node:crypto verifies the signature in IEEE P1363 format', async (t) => {
  const { privateKey, publicKey } = pairFor('ES256')
  const app = await bearerApp(t, null, { keys: [{ kid: 'k', alg: 'ES256', privateKey }] })
  const { access_token } = await signedInBearer(app)
  const [header, payload, signature = ''] = access_token.split('.')
  const bytes = Buffer.from(signature, 'base64url')
  assert.equal(bytes.length, 64)
  assert.ok(
    verifyBytes(
      'sha256',
      Buffer.from(`${header}.${payload}`),
      { key: publicKey, dsaEncoding: 'ieee-p1363' },
      bytes,
    ),
  )
})
