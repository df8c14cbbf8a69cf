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

test('google(): takes the profile from the ID token, without userinfo', async (t) => {
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

test('gitlab(): takes the email from userinfo', async (t) => {
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

test('apple(): form_post, the name at the first sign-in, email_verified as a string', async (t) => {
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
  assert.equal(profile.email, null, 'the email in the posted user field is ignored')
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
  test(`apple(): the malformed posted user ${user.slice(0, 20) || 'nothing'} is ignored`, async (t) => {
    const make = ({ url }: BadProvider) =>
      apple({ ...appleClient, issuer: url, allowInsecure: true })
    assert.ok(!('name' in (await signIn(t, make, {}, { user })).profile))
  })
}

test('apple(): the client secret is a ten-minute ES256 JWT, renewed before it expires', async (t) => {
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
  assert.notEqual(await make(), second, 'renewed after the clock was set back')
})

const tenant = '11111111-2222-4333-8444-555555555555'
const personal = '9188040d-6c67-4c5b-b112-36a304b66dad'

/** Microsoft's shared endpoint, whose metadata has a template instead of an issuer. */
const shared = (tenantOption?: string) => (server: BadProvider) => {
  const issuer = `${server.url}/{tenantid}/v2.0`
  server.on.metadata = (response) => json(response, { ...metadataAt(server.url), issuer })
  const metadataUrl = `${server.url}/.well-known/openid-configuration`
  return microsoft({ ...client, tenant: tenantOption, issuer, metadataUrl, allowInsecure: true })
}

/** Signs in with an account of a tenant. `iss` is a path, appended to the server's URL. */
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

test('microsoft(): the email is verified only with a true xms_edov claim', async (t) => {
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

test('microsoft(): at a shared endpoint, iss must match tid and the tenant must be allowed', async (t) => {
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

test('microsoft(): a single tenant has a fixed issuer with discovery', () => {
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

test("discord(): emailVerified comes from Discord's verified field", () => {
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

/** A plain OAuth 2.0 server with these responses. */
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

test('oauth2(): sends PKCE without a nonce, and keeps the query of the authorization endpoint', async (t) => {
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

test('oauth2(): null fields, lists of scopes and unverifiable ID tokens are tolerated', async (t) => {
  const token = { refresh_token: null, expires_in: null, scope: ['a', 'b'], id_token: 'x.y.z' }
  const { finish } = await plain(t, { token, user: { id: 0 } })
  const { profile, takeTokens } = await finish()
  assert.equal(profile.id, '0')
  assert.deepEqual({ ...takeTokens() }, { accessToken, tokenType: 'bearer', scope: 'a b' })
})

test('oauth2(): iss must match a configured issuer, and be present with requireIss', async (t) => {
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
  test(`oauth2(): userinfo ${JSON.stringify(user)} is malformed`, async (t) => {
    const { finish } = await plain(t, { user })
    await failsWith(finish(), { reason: 'malformed', step: 'userinfo' })
  })
}

test('mapProfile: ids such as NaN or "[object Object]" are refused with bad_subject', async (t) => {
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
