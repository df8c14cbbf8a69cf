import assert from 'node:assert/strict'
import { generateKeyPairSync } from 'node:crypto'
import { type TestContext, test } from 'node:test'
import {
  type OidcProviderOptions,
  startOidcProvider,
} from '../../../scripts/services/oidc-provider.js'
import { oidc } from '../../../src/index.js'
import { failsWith, freshSecrets, protocolOf, redirectUri, visit } from '../../helpers/protocol.js'

const clientId = 'app'
const clientSecret = 'a secret of the client, long enough'

async function start(t: TestContext, options: Partial<OidcProviderOptions> = {}) {
  const clients = [
    { client_id: clientId, client_secret: clientSecret, redirect_uris: [redirectUri] },
  ]
  const server = await startOidcProvider({ clients, ...options })
  t.after(() => server.stop())
  return server
}

const providerAt = (issuer: string, options: object = {}) =>
  oidc({ issuer, clientId, clientSecret, allowInsecure: true, ...options })

test('OIDC: a sign-in at a real provider completes, from discovery to userinfo', async (t) => {
  const server = await start(t)
  const protocol = protocolOf(t, providerAt(server.url))
  assert.deepEqual(server.requests, [], 'nothing is fetched before it is needed')
  const secrets = freshSecrets()
  const url = new URL(await protocol.begin(secrets))
  assert.equal(url.origin, server.url)
  const params = Object.fromEntries(url.searchParams)
  assert.equal(params.response_type, 'code')
  assert.equal(params.client_id, clientId)
  assert.equal(params.redirect_uri, redirectUri)
  assert.equal(params.scope, 'openid email profile')
  assert.equal(params.state, secrets.state)
  assert.equal(params.nonce, secrets.nonce)
  assert.equal(params.code_challenge_method, 'S256')
  assert.notEqual(params.code_challenge, secrets.codeVerifier)

  const callback = await visit(url.href)
  assert.equal(callback.get('iss'), server.url)
  const result = await protocol.finish(callback, secrets)
  const { raw, ...profile } = result.profile
  assert.deepEqual(profile, {
    id: 'ada',
    email: 'ada@example.com',
    emailVerified: true,
    name: 'Ada Lovelace',
    username: 'ada',
  })
  assert.equal(raw.aud, clientId)
})

test('takeTokens: returns the tokens once; JSON and inspect never show them', async (t) => {
  const server = await start(t)
  const protocol = protocolOf(t, providerAt(server.url))
  const secrets = freshSecrets()
  const result = await protocol.finish(await visit(await protocol.begin(secrets)), secrets)
  const { inspect } = await import('node:util')
  const shown = () => JSON.stringify(result) + inspect(result, { depth: 9, showHidden: true })
  const before = shown()
  const tokens = result.takeTokens()
  assert.ok(tokens?.accessToken && tokens.idToken)
  assert.equal(tokens.tokenType, 'bearer')
  assert.equal(tokens.expiresInSeconds, 600)
  assert.equal(result.takeTokens(), null)
  for (const text of [
    before,
    shown(),
    JSON.stringify({ tokens }),
    inspect({ tokens }, { depth: 9 }),
  ]) {
    assert.ok(!text.includes(tokens.accessToken) && !text.includes(tokens.idToken))
  }
})

test('OIDC: an unverified email stays unverified', async (t) => {
  const server = await start(t)
  const protocol = protocolOf(t, providerAt(server.url))
  const secrets = freshSecrets()
  const { profile } = await protocol.finish(
    await visit(await protocol.begin(secrets), { login: 'bob' }),
    secrets,
  )
  assert.equal(profile.email, 'bob@example.com')
  assert.equal(profile.emailVerified, false)
})

test('OIDC: denied consent fails with declined and sends no token request', async (t) => {
  const server = await start(t)
  const protocol = protocolOf(t, providerAt(server.url))
  const secrets = freshSecrets()
  const callback = await visit(await protocol.begin(secrets), { consent: 'deny' })
  await failsWith(protocol.finish(callback, secrets), {
    reason: 'declined',
    step: 'authorization',
    detail: 'access_denied',
  })
  assert.ok(!server.requests.includes('POST /token'))
})

test('PKCE: a code is redeemed only once and only with its own code_verifier', async (t) => {
  const server = await start(t)
  const protocol = protocolOf(t, providerAt(server.url))
  const secrets = freshSecrets()
  const callback = await visit(await protocol.begin(secrets))
  const code = callback.get('code') as string
  const others = { ...secrets, codeVerifier: freshSecrets().codeVerifier }
  const expected = {
    reason: 'provider_error',
    step: 'token',
    status: 400,
    detail: 'invalid_grant',
  } as const
  await failsWith(protocol.finish(callback, others), expected, [
    code,
    secrets.codeVerifier,
    clientSecret,
    secrets.state,
  ])
  const again = await visit(await protocol.begin(secrets))
  await protocol.finish(again, secrets)
  await failsWith(protocol.finish(again, secrets), expected)
})

test('state: another or a duplicate state is refused before the code is redeemed', async (t) => {
  const server = await start(t)
  const protocol = protocolOf(t, providerAt(server.url))
  const secrets = freshSecrets()
  const callback = await visit(await protocol.begin(secrets))
  await failsWith(protocol.finish(callback, { ...secrets, state: freshSecrets().state }), {
    reason: 'bad_state',
  })
  callback.append('state', secrets.state)
  await failsWith(protocol.finish(callback, secrets), {
    reason: 'malformed',
    step: 'authorization',
  })
  assert.ok(!server.requests.includes('POST /token'))
})

test('nonce: an ID token with the nonce of another sign-in is refused', async (t) => {
  const server = await start(t)
  const protocol = protocolOf(t, providerAt(server.url))
  const secrets = freshSecrets()
  const callback = await visit(await protocol.begin(secrets))
  await failsWith(protocol.finish(callback, { ...secrets, nonce: freshSecrets().nonce }), {
    reason: 'bad_id_token',
    step: 'id_token',
    detail: 'nonce',
  })
})

test('mix-up attack: the code of one provider is never sent to another', async (t) => {
  const [honest, evil] = [await start(t), await start(t)]
  const [ours, theirs] = [honest, evil].map((server) => protocolOf(t, providerAt(server.url)))
  assert.ok(ours && theirs)
  const secrets = freshSecrets()
  // The attacker routes a sign-in that began at their provider through ours.
  await theirs.begin(secrets)
  const callback = await visit(await ours.begin(secrets))
  await failsWith(theirs.finish(callback, secrets), { reason: 'bad_issuer', step: 'authorization' })
  callback.delete('iss')
  await failsWith(theirs.finish(callback, secrets), { reason: 'bad_issuer' })
  assert.ok(!evil.requests.includes('POST /token') && !honest.requests.includes('POST /token'))
})

test('OIDC: every client authentication method works with a real provider', async (t) => {
  const keys = {
    ES256: generateKeyPairSync('ec', { namedCurve: 'P-256' }),
    RS256: generateKeyPairSync('rsa', { modulusLength: 2048 }),
    EdDSA: generateKeyPairSync('ed25519'),
  }
  const common = { redirect_uris: [redirectUri], client_secret: clientSecret }
  const signing = Object.entries(keys).map(([alg, { publicKey }]) => ({
    client_id: alg,
    redirect_uris: [redirectUri],
    token_endpoint_auth_method: 'private_key_jwt' as const,
    token_endpoint_auth_signing_alg: alg as 'ES256',
    jwks: {
      keys: [{ ...publicKey.export({ format: 'jwk' }), kid: `${alg}-1`, alg, use: 'sig' }],
    } as never,
  }))
  const server = await start(t, {
    clients: [
      { ...common, client_id: 'basic', token_endpoint_auth_method: 'client_secret_basic' },
      { ...common, client_id: 'post', token_endpoint_auth_method: 'client_secret_post' },
      { client_id: 'public', redirect_uris: [redirectUri], token_endpoint_auth_method: 'none' },
      ...signing,
    ],
  })
  const ways: [clientId: string, credentials: object][] = [
    ['basic', { clientSecret }],
    ['post', { clientSecret, clientAuthentication: 'client_secret_post' }],
    ['public', { clientAuthentication: 'none' }],
    ...Object.entries(keys).map(([alg, { privateKey }]): [string, object] => [
      alg,
      {
        privateKey:
          alg === 'RS256' ? privateKey.export({ format: 'pem', type: 'pkcs8' }) : privateKey,
        keyId: `${alg}-1`,
      },
    ]),
  ]
  for (const [id, credentials] of ways) {
    const provider = oidc({ issuer: server.url, clientId: id, allowInsecure: true, ...credentials })
    const protocol = protocolOf(t, provider)
    const secrets = freshSecrets()
    const { profile } = await protocol.finish(await visit(await protocol.begin(secrets)), secrets)
    assert.equal(profile.id, 'ada', id)
  }
  const wrong = protocolOf(
    t,
    oidc({ issuer: server.url, clientId: 'basic', clientSecret: 'wrong', allowInsecure: true }),
  )
  const secrets = freshSecrets()
  await failsWith(wrong.finish(await visit(await wrong.begin(secrets)), secrets), {
    reason: 'provider_error',
    step: 'token',
    status: 401,
    detail: 'invalid_client',
  })
})

test('OIDC: a form_post provider signs the user in', async (t) => {
  const server = await start(t)
  const protocol = protocolOf(t, { ...providerAt(server.url), responseMode: 'form_post' })
  assert.equal(protocol.formPost, true)
  const secrets = freshSecrets()
  const { profile } = await protocol.finish(await visit(await protocol.begin(secrets)), secrets)
  assert.equal(profile.id, 'ada')
})

test('JWKS: rotated keys are fetched again, but only after a cool-down', async (t) => {
  t.mock.timers.enable({ apis: ['Date'], now: Date.now() })
  const server = await start(t)
  const protocol = protocolOf(t, providerAt(server.url))
  const keyRequests = () => server.requests.filter((request) => request === 'GET /jwks').length
  const signIn = async () => {
    const secrets = freshSecrets()
    return protocol.finish(await visit(await protocol.begin(secrets)), secrets)
  }
  await signIn()
  await signIn()
  assert.equal(keyRequests(), 1, 'keys are cached')

  server.rotateKeys()
  for (let attempt = 0; attempt < 3; attempt += 1) {
    await failsWith(signIn(), { reason: 'bad_id_token', step: 'keys', detail: 'kid' })
  }
  assert.equal(keyRequests(), 1, 'an unknown kid does not cause a request each time')

  t.mock.timers.tick(61_000)
  await signIn()
  assert.equal(keyRequests(), 2)
  t.mock.timers.tick(200_000)
  await signIn()
  assert.equal(keyRequests(), 2)
  t.mock.timers.tick(120_000)
  await signIn()
  assert.equal(keyRequests(), 3, 'cached keys expire')
})

test('discovery: metadata is cached for an hour; an unreachable issuer fails closed', async (t) => {
  t.mock.timers.enable({ apis: ['Date'], now: Date.now() })
  const server = await start(t)
  const { port } = server
  await server.stop()
  const protocol = protocolOf(t, providerAt(server.url))
  const refused = { reason: 'unreachable', step: 'discovery', detail: 'ECONNREFUSED' } as const
  await failsWith(protocol.begin(freshSecrets()), refused)

  const back = await start(t, { port })
  const discoveries = () =>
    back.requests.filter((request) => request.includes('.well-known')).length
  await failsWith(protocol.begin(freshSecrets()), refused)
  assert.equal(discoveries(), 0, 'not requested at every attempt')
  t.mock.timers.tick(5_001)
  await Promise.all(Array.from({ length: 20 }, () => protocol.begin(freshSecrets())))
  assert.equal(discoveries(), 1, 'concurrent sign-ins share one request')
  t.mock.timers.tick(3_599_000)
  await protocol.begin(freshSecrets())
  assert.equal(discoveries(), 1)
  t.mock.timers.tick(2_000)
  await protocol.begin(freshSecrets())
  assert.equal(discoveries(), 2)

  await back.stop()
  t.mock.timers.tick(3_601_000)
  await failsWith(protocol.begin(freshSecrets()), { reason: 'unreachable', step: 'discovery' })
})
