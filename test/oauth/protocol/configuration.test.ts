import assert from 'node:assert/strict'
import { generateKeyPairSync } from 'node:crypto'
import { test } from 'node:test'
import { createProtocol } from '../../../src/features/oauth/protocol/protocol.js'
import {
  apple,
  discord,
  github,
  gitlab,
  google,
  microsoft,
  type OAuthProvider,
  oauth2,
  oidc,
} from '../../../src/index.js'

const client = { clientId: 'app', clientSecret: 'secret-of-the-client' }
const issuer = 'https://issuer.example'
const p256 = generateKeyPairSync('ec', { namedCurve: 'P-256' })
const p521 = generateKeyPairSync('ec', { namedCurve: 'P-521' }).privateKey
const appleClient = { clientId: 'app', teamId: 'T', keyId: 'K', privateKey: p256.privateKey }
const endpoints = {
  authorizationEndpoint: `${issuer}/authorize`,
  tokenEndpoint: `${issuer}/token`,
  userinfoEndpoint: `${issuer}/me`,
}
const mapProfile = () => ({ id: 1 })

const create = (provider: OAuthProvider) =>
  createProtocol('oauth.providers.acme', provider, {
    redirectUri: 'https://app.example.com/callback',
    timeoutMs: 1000,
  })

test('builders: every provider passes the checks and uses https only', () => {
  const providers = [
    google(client),
    github(client),
    microsoft(client),
    apple(appleClient),
    gitlab(client),
    discord(client),
    oidc({ ...client, issuer }),
    oauth2({ ...client, ...endpoints, mapProfile }),
  ]
  for (const provider of providers) {
    const { allowInsecure, formPost } = create(provider)
    assert.equal(allowInsecure, false)
    assert.equal(formPost, provider.responseMode === 'form_post')
    for (const [name, value] of Object.entries(provider)) {
      if (/Endpoint|Url|issuer$/.test(name) && value !== undefined)
        assert.ok(String(value).startsWith('https://'), name)
    }
    assert.ok(Object.isFrozen(provider))
  }
})

test('builders: an unknown option is refused', () => {
  const scope = 'email'
  for (const make of [
    () => google(asAny({ ...client, scope })),
    () => github(asAny({ ...client, scope })),
    () => microsoft(asAny({ ...client, scope })),
    () => apple(asAny({ ...appleClient, scope })),
    () => gitlab(asAny({ ...client, scope })),
    () => discord(asAny({ ...client, scope })),
    () => oidc(asAny({ ...client, issuer, scope })),
    () => oauth2(asAny({ ...client, ...endpoints, mapProfile, scope })),
  ])
    assert.throws(make, { code: 'CRUDAUTH_CONFIG', message: /has no option "scope"/ })
})

test('builders: every endpoint of a built-in provider can be overridden', () => {
  const shared = { ...endpoints, allowInsecure: true, scopes: ['x'] }
  const ofOidc = { ...shared, metadataUrl: `${issuer}/meta`, jwksUri: `${issuer}/keys`, issuer }
  const made: [OAuthProvider, object][] = [
    [google({ ...client, ...ofOidc }), ofOidc],
    [microsoft({ ...client, ...ofOidc }), ofOidc],
    [gitlab({ ...client, ...ofOidc }), ofOidc],
    [apple({ ...appleClient, ...ofOidc }), ofOidc],
    [
      github({ ...client, ...shared, emailsEndpoint: `${issuer}/mails` }),
      { ...shared, emailsEndpoint: `${issuer}/mails` },
    ],
    [discord({ ...client, ...shared }), shared],
  ]
  for (const [provider, expected] of made) {
    const actual = Object.fromEntries(
      Object.keys(expected).map((name) => [name, provider[name as keyof OAuthProvider]]),
    )
    assert.deepEqual(actual, expected)
  }
})

const asAny = (value: unknown) => value as never

const refused: [message: RegExp, make: () => unknown][] = [
  [
    /"google.clientSecret" must be a non-empty string, got undefined/,
    () => google(asAny({ clientId: 'app' })),
  ],
  [
    /"github.clientSecret" must be a non-empty string, got string/,
    () => github({ clientId: 'app', clientSecret: '' }),
  ],
  [
    /"github" has no option "issuer"; it takes clientId,/,
    () => github(asAny({ ...client, issuer })),
  ],
  [/"discord" must be an object, got undefined/, () => discord(asAny(undefined))],
  [
    /"microsoft.tenant" must be "common", .*GUID/,
    () => microsoft({ ...client, tenant: 'contoso.onmicrosoft.com' }),
  ],
  [/"microsoft.tenant" must be/, () => microsoft({ ...client, tenant: 'constructor' })],
  [
    /"apple.privateKey" is not a readable private key, got string/,
    () => apple({ ...appleClient, privateKey: 'secret-of-the-client' }),
  ],
  [
    /"apple.privateKey" is not a readable private key/,
    () => apple({ ...appleClient, privateKey: p256.publicKey }),
  ],
  [
    /"apple.privateKey" must be a key on P-256/,
    () => apple({ ...appleClient, privateKey: generateKeyPairSync('ed25519').privateKey }),
  ],
  [
    /"apple.teamId" must be a non-empty string/,
    () => apple(asAny({ ...appleClient, teamId: undefined })),
  ],
  [
    /"oidc.keyId" must be a non-empty string, got 5/,
    () =>
      oidc(
        asAny({ issuer: 'https://issuer.example', clientId: 'app', clientSecret: 'x', keyId: 5 }),
      ),
  ],
  [/"apple.keyId" must be a non-empty string/, () => apple(asAny({ ...appleClient, keyId: '' }))],
  [
    /"oidc" needs "clientSecret" or "privateKey"; for a public client/,
    () => oidc({ issuer, clientId: 'app', clientSecret: undefined }),
  ],
  [
    /"oidc" has credentials that "clientAuthentication" of "none" does not use/,
    () => oidc({ ...client, issuer, clientAuthentication: 'none' }),
  ],
  [
    /"oidc" has credentials that .*"private_key_jwt" does not use/,
    () => oidc({ ...client, issuer, privateKey: p256.privateKey }),
  ],
  [
    /"oidc.privateKey" is needed/,
    () => oidc({ issuer, clientId: 'app', clientAuthentication: 'private_key_jwt' }),
  ],
  [
    /"oidc.clientAuthentication" must be "client_secret_basic"/,
    () => oidc({ ...client, issuer, clientAuthentication: asAny('tls') }),
  ],
  [/"oidc.issuer" must be a non-empty string/, () => oidc(asAny(client))],
  [
    /"oidc.scopes" must be an array/,
    () => oidc({ ...client, issuer, scopes: asAny('openid email') }),
  ],
]

for (const [message, make] of refused) {
  test(`builders: an invalid option is refused: ${message.source.slice(0, 60)}`, () => {
    assert.throws(make, (error: Error & { code?: string }) => {
      assert.equal(error.code, 'CRUDAUTH_CONFIG')
      assert.match(error.message, message)
      assert.ok(!error.message.includes('secret-of-the-client'))
      return true
    })
  })
}

const good = oauth2({ ...client, ...endpoints, mapProfile })
const goodOidc = oidc({ ...client, issuer })
const rsa1024 = generateKeyPairSync('rsa', { modulusLength: 1024 }).privateKey

const unfit: [message: RegExp, provider: unknown][] = [
  [
    /"oauth.providers.acme" must be an OAuthProvider, got undefined; create one with google\(\)/,
    undefined,
  ],
  [/"oauth.providers.acme" must be an OAuthProvider/, { ...good, protocol: 'saml' }],
  [/acme.clientId" must be a non-empty string, got 7/, { ...good, clientId: 7 }],
  [
    /acme.tokenEndpoint" must be an https URL; http is for development, with "allowInsecure"/,
    { ...good, tokenEndpoint: 'http://issuer.example/token' },
  ],
  [
    /acme.tokenEndpoint" must be an https URL/,
    { ...good, allowInsecure: true, tokenEndpoint: 'ftp://issuer.example/token' },
  ],
  [
    /acme.authorizationEndpoint" must be an https URL/,
    { ...good, authorizationEndpoint: 'javascript:alert(1)' },
  ],
  [
    /acme.authorizationEndpoint" must be a URL, as in/,
    { ...good, authorizationEndpoint: '/authorize' },
  ],
  [
    /acme.userinfoEndpoint" must be a URL, got undefined; plain OAuth 2.0 has no discovery/,
    { ...good, userinfoEndpoint: undefined },
  ],
  [
    /acme.tokenEndpoint" must be a URL without credentials/,
    { ...good, tokenEndpoint: 'https://u:secret-of-the-client@issuer.example/' },
  ],
  [/acme.emailsEndpoint" must be a URL, got 7/, { ...good, emailsEndpoint: 7 }],
  [/acme.issuer" must be a URL, got undefined/, { ...goodOidc, issuer: undefined }],
  [/acme.issuer" must be a URL without a query/, { ...goodOidc, issuer: `${issuer}/?a=b` }],
  [/acme.requireIss" needs "issuer"/, { ...good, requireIss: true }],
  [/acme.requireIss" must be true or false, got string/, { ...good, requireIss: 'yes' }],
  [/acme.allowInsecure" must be true or false, got string/, { ...good, allowInsecure: 'false' }],
  [/acme.scopes" must be a list of scopes, each without spaces/, { ...good, scopes: ['a b'] }],
  [/acme.scopes" must be an array/, { ...good, scopes: 'a' }],
  [/acme.responseMode" must be "query" or "form_post"/, { ...good, responseMode: 'fragment' }],
  [
    /acme.authorizationParams" must be an object of strings, got string/,
    { ...good, authorizationParams: 'prompt' },
  ],
  [
    /acme.authorizationParams" must be an object of strings, got an array/,
    { ...good, authorizationParams: ['prompt'] },
  ],
  [
    /acme.authorizationParams" must not set "state"/,
    { ...good, authorizationParams: { state: 'fixed' } },
  ],
  [
    /acme.authorizationParams" must not set "code_challenge_method"/,
    { ...good, authorizationParams: { code_challenge_method: 'plain' } },
  ],
  [
    /acme.authorizationParams.prompt" must be a string, got true/,
    { ...good, authorizationParams: { prompt: true } },
  ],
  [/acme.mapProfile" must be a function, got undefined/, { ...good, mapProfile: undefined }],
  [/acme.issuerOf" must be a function/, { ...goodOidc, issuerOf: 'x' }],
  [/acme.clientAuthentication.method" must be/, { ...good, clientAuthentication: undefined }],
  [
    /acme.clientAuthentication.method" must be/,
    { ...good, clientAuthentication: { method: 'basic' } },
  ],
  [
    /acme.clientAuthentication.clientSecret" must be a non-empty string/,
    { ...good, clientAuthentication: { method: 'client_secret_post' } },
  ],
  [
    /acme.clientAuthentication.privateKey" is not a readable private key/,
    { ...good, clientAuthentication: { method: 'private_key_jwt' } },
  ],
  [
    /acme.clientAuthentication.privateKey" must be an RSA key of at least 2048 bits/,
    { ...good, clientAuthentication: { method: 'private_key_jwt', privateKey: rsa1024 } },
  ],
  [
    /acme.clientAuthentication.privateKey" must be .* a key on P-256, P-384 or Ed25519/,
    { ...good, clientAuthentication: { method: 'private_key_jwt', privateKey: p521 } },
  ],
  [
    /acme.clientAuthentication.keyId" must be a string/,
    {
      ...good,
      clientAuthentication: { method: 'private_key_jwt', privateKey: p256.privateKey, keyId: 7 },
    },
  ],
]

for (const [message, provider] of unfit) {
  test(`oauth.providers: an invalid provider is refused at start-up: ${message.source.slice(0, 70)}`, () => {
    assert.throws(
      () => create(provider as OAuthProvider),
      (error: Error & { code?: string }) => {
        assert.equal(error.code, 'CRUDAUTH_CONFIG')
        assert.match(error.message, message)
        assert.ok(!error.message.includes('secret-of-the-client'))
        return true
      },
    )
  })
}

test('allowInsecure: http is accepted with it and refused without it', () => {
  const local = 'http://localhost:9000'
  const provider = oidc({ ...client, issuer: local, allowInsecure: true })
  assert.equal(create(provider).allowInsecure, true)
  assert.throws(
    () => create(oidc({ ...client, issuer: local })),
    /"oauth.providers.acme.issuer" must be an https URL/,
  )
})

test('discovery: skipped when all endpoints are configured', async (t) => {
  const protocol = create(oidc({ ...client, ...endpoints, issuer, jwksUri: `${issuer}/keys` }))
  t.after(() => protocol.close())
  const url = new URL(
    await protocol.begin({ state: 's', nonce: 'n', codeVerifier: 'v'.repeat(43) }),
  )
  assert.equal(url.origin + url.pathname, `${issuer}/authorize`)
  // RFC 7636, 4.2: a SHA-256 digest in base64url has 43 characters.
  assert.equal(url.searchParams.get('code_challenge')?.length, 43)
})
