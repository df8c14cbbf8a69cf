import assert from 'node:assert/strict'
import { createPublicKey, generateKeyPairSync, randomUUID } from 'node:crypto'
import { type TestContext, test } from 'node:test'
import { createVerifier } from 'fast-jwt'
import {
  apple,
  discord,
  gitlab,
  google,
  type MappedProfile,
  microsoft,
  type OAuthProvider,
  oauth2,
} from '../../../src/index.js'
import {
  accessToken,
  type BadProvider,
  code,
  json,
  metadataAt,
  serve,
  startBadProvider,
} from '../../helpers/bad-provider.js'
import { failsWith, freshSecrets, protocolOf } from '../../helpers/protocol.js'

const client = { clientId: 'app', clientSecret: 'secret' }
const developerKey = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey
const appleClient = {
  clientId: 'com.example.web',
  teamId: 'TEAM123456',
  keyId: 'KEY1234567',
  privateKey: developerKey.export({ format: 'pem', type: 'pkcs8' }) as string,
}

/** A whole sign-in of a built-in provider at a stand-in that issues these claims. */
async function signIn(
  t: TestContext,
  make: (server: BadProvider) => OAuthProvider,
  claims: object,
  callback: Record<string, string> = {},
) {
  const server = await startBadProvider(t)
  const provider = make(server)
  const protocol = protocolOf(t, provider)
  const secrets = freshSecrets()
  const nowS = Math.floor(Date.now() / 1000)
  const standard = {
    iss: server.url,
    aud: provider.clientId,
    sub: 'user-1',
    nonce: secrets.nonce,
    iat: nowS,
    exp: nowS + 60,
  }
  server.claims = { ...standard, ...claims }
  const url = new URL(await protocol.begin(secrets))
  const result = await protocol.finish(
    new URLSearchParams({ code, state: secrets.state, ...callback }),
    secrets,
  )
  const { raw: _, ...profile } = result.profile
  return { url, profile, server }
}

const person = { email: 'ada@example.com', email_verified: true, name: 'Ada' }

test('google() takes the profile from the ID token alone', async (t) => {
  const make = ({ url }: BadProvider) =>
    google({
      ...client,
      issuer: url,
      allowInsecure: true,
      authorizationParams: { prompt: 'select_account' },
    })
  const { url, profile, server } = await signIn(t, make, { ...person, hd: 'example.com' })
  assert.deepEqual(profile, {
    id: 'user-1',
    email: 'ada@example.com',
    emailVerified: true,
    name: 'Ada',
  })
  assert.equal(url.searchParams.get('scope'), 'openid email profile')
  assert.equal(url.searchParams.get('prompt'), 'select_account')
  assert.ok(!server.requests.includes('GET /userinfo'))
  const { profile: other } = await signIn(t, make, { ...person, email_verified: 'false' })
  assert.equal(other.emailVerified, false)
})

test('gitlab() asks userinfo', async (t) => {
  const { profile, server } = await signIn(
    t,
    ({ url }) => gitlab({ ...client, issuer: url, allowInsecure: true }),
    {
      nickname: 'ada',
    },
  )
  assert.deepEqual(profile, {
    id: 'user-1',
    email: 'u@example.com',
    emailVerified: true,
    username: 'ada',
  })
  assert.ok(server.requests.includes('GET /userinfo'))
})

test('apple() posts its callback, with the name at the first sign-in and an address verified in words', async (t) => {
  const make = ({ url }: BadProvider) => apple({ ...appleClient, issuer: url, allowInsecure: true })
  const user = JSON.stringify({
    name: { firstName: 'Ada', lastName: 'Lovelace' },
    email: 'forged@example.com',
  })
  const claims = {
    email: 'relay@privaterelay.appleid.com',
    email_verified: 'true',
    is_private_email: 'true',
  }
  const first = await signIn(t, make, claims, { user })
  assert.equal(first.url.searchParams.get('response_mode'), 'form_post')
  assert.equal(first.url.searchParams.get('scope'), 'name email')
  assert.deepEqual(first.profile, {
    id: 'user-1',
    email: 'relay@privaterelay.appleid.com',
    emailVerified: true,
    name: 'Ada Lovelace',
  })
  const later = await signIn(t, make, { ...claims, email_verified: true })
  assert.deepEqual(later.profile, {
    id: 'user-1',
    email: 'relay@privaterelay.appleid.com',
    emailVerified: true,
  })
  for (const email_verified of ['false', false, 'yes', 1]) {
    const { profile } = await signIn(t, make, { ...claims, email_verified })
    assert.equal(profile.emailVerified, false)
  }
  const { profile } = await signIn(t, make, {}, { user })
  assert.equal(profile.email, null, 'the form is no source of addresses')
})

for (const user of [
  '',
  '{',
  'null',
  '[]',
  '"x"',
  '{"name":"x"}',
  '{"name":{"firstName":{}}}',
  JSON.stringify({ name: { firstName: 'x'.repeat(5000) } }),
]) {
  test(`a posted user of ${user.slice(0, 20) || 'nothing'} is no name and no failure`, async (t) => {
    const make = ({ url }: BadProvider) =>
      apple({ ...appleClient, issuer: url, allowInsecure: true })
    assert.ok(!('name' in (await signIn(t, make, {}, { user })).profile))
  })
}

test("Apple's client secret is a short JWT of the developer's key, made anew before it ends", async (t) => {
  t.mock.timers.enable({ apis: ['Date'], now: 1_800_000_000_000 })
  const { clientAuthentication } = apple(appleClient)
  const { clientSecret: make, method } = clientAuthentication as {
    method: string
    clientSecret: () => Promise<string>
  }
  assert.equal(method, 'client_secret_post')
  const verify = createVerifier({
    key: createPublicKey(developerKey).export({ format: 'pem', type: 'spki' }) as string,
    algorithms: ['ES256'],
    complete: true,
    cache: false,
  })
  const first = await make()
  const { header, payload } = verify(first)
  assert.deepEqual({ alg: header.alg, kid: header.kid }, { alg: 'ES256', kid: 'KEY1234567' })
  assert.deepEqual(payload, {
    iss: 'TEAM123456',
    sub: 'com.example.web',
    aud: 'https://appleid.apple.com',
    iat: 1_800_000_000,
    exp: 1_800_000_600,
  })
  t.mock.timers.tick(299_000)
  assert.equal(await make(), first)
  t.mock.timers.tick(2_000)
  const second = await make()
  assert.notEqual(second, first)
  t.mock.timers.setTime(1_700_000_000_000)
  assert.notEqual(await make(), second, 'a clock that was set back does not keep it')
})

const tenant = '11111111-2222-4333-8444-555555555555'
const personal = '9188040d-6c67-4c5b-b112-36a304b66dad'

/** Microsoft's shared endpoint: metadata with a pattern for an issuer. */
const shared = (tenantOption?: string) => (server: BadProvider) => {
  const issuer = `${server.url}/{tenantid}/v2.0`
  server.on.metadata = (response) => json(response, { ...metadataAt(server.url), issuer })
  const metadataUrl = `${server.url}/.well-known/openid-configuration`
  return microsoft({ ...client, tenant: tenantOption, issuer, metadataUrl, allowInsecure: true })
}

/** Claims of an account in a tenant; `claims.iss` is the server's, so it is given as a function of it. */
async function signInAtTenant(
  t: TestContext,
  option: string | undefined,
  tid: unknown,
  iss = `/${tid}/v2.0`,
  claims: object = person,
) {
  const make = shared(option)
  return signIn(
    t,
    (server) => {
      const { makeToken } = server
      server.makeToken = (standard) => makeToken({ ...standard, iss: server.url + iss, tid })
      return make(server)
    },
    claims,
  )
}

test('microsoft() takes an address for verified only where the owner of its domain vouches for it', async (t) => {
  const mapped = (claims: object) =>
    microsoft(client).mapProfile(
      { sub: 's', email: 'a@example.com', ...claims },
      {},
    ) as MappedProfile
  assert.equal(mapped({ xms_edov: true }).emailVerified, true)
  for (const [title, claims] of Object.entries({
    none: { email_verified: true },
    no: { xms_edov: false },
    text: { xms_edov: '0' },
    number: { xms_edov: 0 },
  })) {
    const { profile } = await signInAtTenant(t, undefined, tenant, undefined, {
      ...person,
      ...claims,
    })
    assert.deepEqual(
      profile,
      { id: 'user-1', email: 'ada@example.com', emailVerified: false, name: 'Ada' },
      title,
    )
  }
  const { profile } = await signInAtTenant(t, undefined, tenant, undefined, {
    ...person,
    xms_edov: true,
  })
  assert.equal(profile.emailVerified, true)
})

test('a token of a shared Microsoft endpoint must name the issuer of its own tenant, and one that is allowed', async (t) => {
  const cases: [
    option: string | undefined,
    tid: unknown,
    iss: string | undefined,
    isAllowed: boolean,
  ][] = [
    ['common', tenant, undefined, true],
    ['common', personal, undefined, true],
    ['organizations', tenant, undefined, true],
    ['organizations', personal, undefined, false],
    ['consumers', personal, undefined, true],
    ['consumers', tenant, undefined, false],
    ['common', tenant, `/${personal}/v2.0`, false],
    ['common', tenant, '/{tenantid}/v2.0', false],
    ['common', undefined, `/${tenant}/v2.0`, false],
    ['common', '../evil', undefined, false],
    ['common', tenant.toUpperCase().replaceAll('1', 'A'), undefined, false],
  ]
  for (const [option, tid, iss, isAllowed] of cases) {
    const attempt = signInAtTenant(t, option, tid, iss)
    if (isAllowed) assert.equal((await attempt).profile.id, 'user-1')
    else await failsWith(attempt, { reason: 'bad_issuer', step: 'id_token' })
  }
})

test('one tenant of Microsoft has one issuer, found by discovery', () => {
  const { issuer, metadataUrl, issuerOf } = microsoft({ ...client, tenant })
  assert.equal(issuer, `https://login.microsoftonline.com/${tenant}/v2.0`)
  assert.equal(metadataUrl, `${issuer}/.well-known/openid-configuration`)
  assert.equal(issuerOf, undefined)
  const common = microsoft(client)
  assert.equal(
    common.metadataUrl,
    'https://login.microsoftonline.com/common/v2.0/.well-known/openid-configuration',
  )
  assert.equal(common.issuerOf?.({ tid: tenant }), issuer)
})

test('discord() says itself whether the address is verified', () => {
  const claims = {
    id: '80351110224678912',
    username: 'nelly',
    global_name: null,
    email: 'nelly@example.com',
    verified: true,
  }
  const { mapProfile, authorizationEndpoint, scopes } = discord(client)
  assert.equal(authorizationEndpoint, 'https://discord.com/oauth2/authorize')
  assert.deepEqual(scopes, ['identify', 'email'])
  assert.deepEqual(mapProfile(claims, {}), {
    id: '80351110224678912',
    email: 'nelly@example.com',
    emailVerified: true,
    name: null,
    username: 'nelly',
  })
})

/** A plain OAuth 2.0 server that answers with these. */
async function plain(t: TestContext, { token = {}, user = {} as unknown, options = {} as object }) {
  const server = await serve(t, (request, response) => {
    const answer = { access_token: accessToken, token_type: 'bearer', ...token }
    json(response, request.url === '/token' ? answer : user)
  })
  const provider = oauth2({
    ...client,
    authorizationEndpoint: `${server.url}/authorize?audience=app`,
    tokenEndpoint: `${server.url}/token`,
    userinfoEndpoint: `${server.url}/me`,
    mapProfile: (claims) => ({
      id: claims.id,
      email: claims.mail,
      emailVerified: claims.confirmed,
    }),
    allowInsecure: true,
    ...options,
  })
  const protocol = protocolOf(t, provider)
  const secrets = freshSecrets()
  const finish = (callback: Record<string, string> = {}) =>
    protocol.finish(new URLSearchParams({ code, state: secrets.state, ...callback }), secrets)
  return { url: new URL(await protocol.begin(secrets)), finish, server }
}

test('an own provider by oauth2(): PKCE always, no nonce, the endpoint keeps its query', async (t) => {
  const id = randomUUID()
  const { url, finish } = await plain(t, {
    user: { id, mail: 'a@example.com', confirmed: true },
    options: { scopes: ['profile:read', 'mail'] },
  })
  assert.equal(url.searchParams.get('audience'), 'app')
  assert.equal(url.searchParams.get('scope'), 'profile:read mail')
  assert.equal(url.searchParams.get('code_challenge_method'), 'S256')
  assert.equal(url.searchParams.has('nonce'), false)
  const { raw: _, ...profile } = (await finish()).profile
  assert.deepEqual(profile, { id, email: 'a@example.com', emailVerified: true })
})

test('quirks of plain OAuth 2.0 servers are no failures: nulls, lists of scopes, ID tokens that nobody can verify', async (t) => {
  const token = { refresh_token: null, expires_in: null, scope: ['a', 'b'], id_token: 'x.y.z' }
  const { finish } = await plain(t, { token, user: { id: 0 } })
  const { profile, takeTokens } = await finish()
  assert.equal(profile.id, '0')
  assert.deepEqual({ ...takeTokens() }, { accessToken, tokenType: 'bearer', scope: 'a b' })
})

test('an issuer of a plain provider must match where it is known, and be there where it is required', async (t) => {
  const issuer = 'https://issuer.example'
  const user = { id: 1 }
  const known = await plain(t, { user, options: { issuer } })
  assert.equal((await known.finish()).profile.id, '1')
  assert.equal((await known.finish({ iss: issuer })).profile.id, '1')
  await failsWith(known.finish({ iss: `${issuer}/` }), {
    reason: 'bad_issuer',
    step: 'authorization',
  })
  const required = await plain(t, { user, options: { issuer, requireIss: true } })
  await failsWith(required.finish(), { reason: 'bad_issuer', step: 'authorization' })
  assert.equal((await required.finish({ iss: issuer })).profile.id, '1')
})

for (const user of [[], null, 'x', 7]) {
  test(`userinfo of ${JSON.stringify(user)} is malformed`, async (t) => {
    const { finish } = await plain(t, { user })
    await failsWith(finish(), { reason: 'malformed', step: 'userinfo' })
  })
}

test('ids that a mapping spoils are refused, not shared by everybody', async (t) => {
  for (const id of [
    undefined,
    null,
    Number.NaN,
    2 ** 53,
    Symbol('x'),
    'null',
    'undefined',
    'NaN',
    '[object Object]',
    new Date(0),
  ]) {
    const { finish } = await plain(t, { options: { mapProfile: () => ({ id }) } })
    await failsWith(finish(), { reason: 'bad_subject', step: 'profile' })
  }
  const { finish } = await plain(t, {
    options: { mapProfile: () => ({ id: 12345678901234567890n }) },
  })
  assert.equal((await finish()).profile.id, '12345678901234567890')
})
