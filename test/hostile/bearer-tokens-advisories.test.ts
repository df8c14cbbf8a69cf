import assert from 'node:assert/strict'
import { test } from 'node:test'
import { memoryUsers } from '../../src/index.js'
import {
  asBearer,
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
import { refuses } from '../helpers/refuses.js'

// Regression tests for past fast-jwt advisories, run against the whole plugin: no version of
// fast-jwt may bring them back.

test('algorithm confusion: a public key in any PEM form is not accepted as an HMAC secret', async (t) => {
  const { privateKey, publicKey } = pairFor('RS256')
  const app = await bearerApp(t, null, {
    keys: [{ kid: 'k', alg: 'RS256', publicKey, privateKey }],
  })
  const { access_token } = await signedInBearer(app)
  const pkcs1 = publicKey.export({ format: 'pem', type: 'pkcs1' }) as string
  for (const text of [pem(publicKey), pkcs1]) {
    for (const key of [text, `\n${text}`, `  \t${text}`, text.trim(), `x\n${text}`]) {
      for (const alg of ['HS256', 'HS384', 'HS512']) {
        const token = forge({ ...headerOf(access_token), alg }, claimsOf(access_token), key)
        refuses(await asBearer(app, token), 'CRUDAUTH_INVALID_TOKEN')
      }
    }
  }
})

test('iss: an array or a lookalike of the issuer is rejected', async (t) => {
  const { privateKey } = pairFor('EdDSA')
  const issuer = 'https://auth.example.com'
  const app = await bearerApp(t, null, { issuer, keys: [{ kid: 'k', alg: 'EdDSA', privateKey }] })
  const { access_token } = await signedInBearer(app)
  const [header, claims] = [headerOf(access_token), claimsOf(access_token)]
  assert.equal(
    (await asBearer(app, forgeWith('EdDSA', privateKey, header, claims))).statusCode,
    200,
  )
  for (const iss of [
    [issuer],
    ['https://evil.example', issuer],
    [issuer, issuer],
    `${issuer}.evil.example`,
    `x${issuer}`,
  ]) {
    refuses(
      await asBearer(app, forgeWith('EdDSA', privateKey, header, { ...claims, iss })),
      'CRUDAUTH_INVALID_TOKEN',
    )
  }
})

test('crit: tokens with critical header extensions are rejected', async (t) => {
  const { privateKey } = pairFor('ES256')
  const app = await bearerApp(t, null, { keys: [{ kid: 'k', alg: 'ES256', privateKey }] })
  const { access_token } = await signedInBearer(app)
  for (const extra of [
    { crit: ['bound'], bound: true },
    { crit: [] },
    { crit: ['alg'] },
    { crit: 'bound' },
    { crit: ['exp', 'exp'] },
  ]) {
    const header = { ...headerOf(access_token), ...extra }
    refuses(
      await asBearer(app, forgeWith('ES256', privateKey, header, claimsOf(access_token))),
      'CRUDAUTH_INVALID_TOKEN',
    )
  }
})

test('verification cache: tokens spliced from two valid ones are rejected', async (t) => {
  const users = memoryUsers()
  const app = await bearerApp(t, null, {}, { users })
  const ann = await signedInBearer(app, 'ann')
  const bob = await signedInBearer(app, 'bob')
  for (let n = 0; n < 3; n++) {
    assert.equal((await asBearer(app, ann.access_token)).json().username, 'ann')
    assert.equal((await asBearer(app, bob.access_token)).json().username, 'bob')
  }
  const [head, annClaims, annSignature] = ann.access_token.split('.')
  const [, bobClaims, bobSignature] = bob.access_token.split('.')
  for (const token of [
    `${head}.${bobClaims}.${annSignature}`,
    `${head}.${annClaims}.${bobSignature}`,
  ]) {
    refuses(await asBearer(app, token), 'CRUDAUTH_INVALID_TOKEN')
  }
  const again = tokensOf(await askToken(app, 'ann'))
  assert.equal((await asBearer(app, again.access_token)).json().username, 'ann')
})

test('access token: signatures by an empty or trivial key are rejected', async (t) => {
  const app = await bearerApp(t, null)
  const { access_token } = await signedInBearer(app)
  const [header, claims] = [headerOf(access_token), claimsOf(access_token)]
  for (const key of ['', '\0', Buffer.alloc(32), 'undefined', 'null', '[object Object]']) {
    refuses(await asBearer(app, forge(header, claims, key)), 'CRUDAUTH_INVALID_TOKEN')
    refuses(
      await asBearer(app, forge({ alg: 'HS256', typ: 'at+jwt' }, claims, key)),
      'CRUDAUTH_INVALID_TOKEN',
    )
  }
})
