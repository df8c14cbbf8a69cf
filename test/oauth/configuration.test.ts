import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import Fastify from 'fastify'
import crudAuth, {
  bearerTransport,
  type CrudAuthOptions,
  google,
  memoryUsers,
  type OAuthAccountStore,
  oauthRoutes,
  oidc,
  sessionTransport,
} from '../../src/index.js'
import { captureLogs, cheap, secret } from '../helpers/build.js'
import {
  ada,
  Browser,
  baseUrl,
  buildOAuth,
  fields,
  landsOn,
  memoryAccounts,
} from '../helpers/oauth.js'

const provider = google({ clientId: 'app', clientSecret: 'secret-of-the-client' })
const models = {
  known: memoryUsers({ fields }),
  empty: memoryUsers({ fields: ['email', 'username', 'hashedPassword'] }),
}

async function start(
  t: TestContext,
  options: Partial<CrudAuthOptions> | { oauth: unknown },
  routes?: (app: ReturnType<typeof Fastify>) => unknown,
) {
  const { lines, logger } = captureLogs('warn')
  const app = Fastify({ logger })
  t.after(() => app.close())
  await app.register(crudAuth, {
    secret,
    users: models.known,
    transports: [sessionTransport()],
    passwords: { cost: cheap },
    ...(options as Partial<CrudAuthOptions>),
  })
  await routes?.(app)
  await app.ready()
  return { app, lines }
}

/** Start-up stops with a message that names the option and contains no secret. */
async function stops(
  t: TestContext,
  options: Parameters<typeof start>[1],
  message: RegExp,
  label = '',
) {
  const error = await start(t, options).then(
    () => assert.fail(`it starts: ${label} ${message}`),
    (reason: Error & { code?: string }) => reason,
  )
  assert.equal(error.code, 'CRUDAUTH_CONFIG', `${label} ${error.stack}`)
  assert.match(error.message, message, label)
  assert.ok(!error.message.includes('secret-of-the-client') && !error.message.includes(secret))
}

const acme = { acme: provider }

test('oauth: needs a session transport', async (t) => {
  await stops(
    t,
    { transports: [bearerTransport()], oauth: { baseUrl, providers: acme } },
    /"oauth" needs sessionTransport\(\)/,
  )
})

test('oauth: needs a unique field for each provider, or an accounts table', async (t) => {
  await stops(
    t,
    { users: models.empty, oauth: { baseUrl, providers: acme } },
    /"oauth\.providers\.acme" needs the field "acmeId"/,
  )
  const users = memoryUsers({ fields: [...fields, 'ourId'], unique: [] })
  await stops(
    t,
    { users, oauth: { baseUrl, providers: { our: provider } } },
    /"ourId" must be unique/,
  )
  await start(t, {
    users: models.empty,
    oauth: { baseUrl, providers: acme, accounts: memoryAccounts().store },
  })
  const lacking: Partial<OAuthAccountStore> = memoryAccounts().store
  for (const verb of ['find', 'list', 'add', 'remove'] as const) {
    const accounts = { ...lacking, [verb]: undefined }
    await stops(
      t,
      { oauth: { baseUrl, providers: acme, accounts } },
      new RegExp(`"oauth\\.accounts" lacks the method "${verb}"`),
    )
  }
  for (const accounts of [null, 1, 'table', {}]) {
    await stops(t, { oauth: { baseUrl, providers: acme, accounts } }, /"oauth\.accounts"/)
  }
})

test('oauth.baseUrl: absolute, https except on localhost, without credentials, query or hash', async (t) => {
  const wrong = [
    undefined,
    null,
    1,
    '',
    'app.example.com',
    '/auth',
    '//app.example.com',
    'ftp://app.example.com',
    'javascript:alert(1)',
  ]
  const insecure = [
    'http://app.example.com',
    'http://10.0.0.1',
    'http://localhost.evil.example',
    'http://127.0.0.1.evil.example',
  ]
  const surplus = [
    'https://u:p@app.example.com',
    'https://app.example.com?a=1',
    'https://app.example.com#x',
    'https://app.example.com?',
  ]
  for (const value of [...wrong, ...insecure, ...surplus]) {
    await stops(
      t,
      { oauth: { baseUrl: value, providers: acme } },
      /"oauth\.baseUrl"/,
      String(value),
    )
  }
  for (const value of [
    'http://localhost:3000',
    'http://127.0.0.1:1',
    'http://[::1]:3000',
    'http://app.localhost',
    baseUrl,
  ]) {
    await start(t, { oauth: { baseUrl: value, providers: acme } })
  }
})

test('oauth.defaultRedirect: must be a path or a URL of the front end', async (t) => {
  for (const defaultRedirect of [
    '//evil.example',
    'http://app.example.com',
    'https://ann:secret@app.example.com/',
    'https://ann@app.example.com/',
    'https://:secret@app.example.com/',
    'javascript:alert(1)',
    'data:text/html,x',
    'https:',
    'home',
    '',
    '/\\evil.example',
    1,
    null,
    {},
    '/a\nb',
  ]) {
    const oauth = { baseUrl, providers: acme, defaultRedirect }
    if (defaultRedirect === null) continue
    await stops(t, { oauth }, /"oauth\.defaultRedirect"/, String(defaultRedirect))
  }
  for (const defaultRedirect of [
    '/a?b=c#d',
    'https://app.example.com',
    'https://app.example.com/#/signed-in',
    'http://localhost:5173/signed-in',
    'capacitor://localhost/signed-in',
  ])
    await start(t, { oauth: { baseUrl, providers: acme, defaultRedirect } })
  await stops(t, { oauth: { baseUrl, providers: acme, responses: 'xml' } }, /"oauth\.responses"/)
})

test('oauth.defaultRedirect: "/" by default; its query is kept next to the error', async (t) => {
  const { app } = await buildOAuth(t, { oauth: { defaultRedirect: undefined } })
  landsOn(await new Browser(app).signIn(ada), '/')
  const other = await buildOAuth(t, { oauth: { defaultRedirect: '/a?b=c&error=old#d' } })
  const browser = new Browser(other.app)
  const query = await browser.begin()
  const failed = await browser.callback({ error: 'access_denied', state: query.get('state') ?? '' })
  landsOn(failed, '/a?b=c&error=oauth_failed#d')
})

test('oauth.providers: keys must fit a path and a field name', async (t) => {
  for (const key of [
    '',
    'Acme',
    'a-b',
    'a.b',
    'a/b',
    'a b',
    '1a',
    'accounts',
    'ä',
    'a'.repeat(33),
    '__proto__x',
    'a_b',
    ':provider',
    '*',
  ]) {
    await stops(
      t,
      { oauth: { baseUrl, providers: { [key]: provider }, accounts: memoryAccounts().store } },
      /"oauth\.providers"/,
      key,
    )
  }
  for (const providers of [undefined, null, {}, [], 'google', 1]) {
    await stops(t, { oauth: { baseUrl, providers } }, /"oauth\.providers"/, String(providers))
  }
  for (const value of [undefined, null, 'google', 1, true]) {
    await stops(
      t,
      { oauth: { baseUrl, providers: { acme: value } } },
      /"oauth\.providers\.acme" must be a provider/,
      String(value),
    )
  }
  for (const key of ['a', 'google2', 'a'.repeat(32)]) {
    await start(t, {
      oauth: { baseUrl, providers: { [key]: provider }, accounts: memoryAccounts().store },
    })
  }
})

test('oauth.providers: an invalid option of a provider is named at start-up', async (t) => {
  for (const [change, message] of [
    [{ clientId: '' }, /"oauth\.providers\.acme\.clientId"/],
    [{ protocol: 'saml' }, /"oauth\.providers\.acme" must be an OAuthProvider/],
    [
      { issuer: 'http://accounts.example.com' },
      /"oauth\.providers\.acme\.issuer" must be an https URL/,
    ],
    [{ tokenEndpoint: 'nowhere' }, /"oauth\.providers\.acme\.tokenEndpoint"/],
    [{ scopes: ['a b'] }, /"oauth\.providers\.acme\.scopes"/],
    [{ responseMode: 'fragment' }, /"oauth\.providers\.acme\.responseMode"/],
    [{ authorizationParams: { state: 'x' } }, /"oauth\.providers\.acme\.authorizationParams"/],
    [{ mapProfile: 1 }, /"oauth\.providers\.acme\.mapProfile"/],
    [{ allowInsecure: 'yes' }, /"oauth\.providers\.acme\.allowInsecure"/],
    [{ clientAuthentication: undefined }, /"oauth\.providers\.acme\.clientAuthentication\.method"/],
  ] as const) {
    await stops(
      t,
      { oauth: { baseUrl, providers: { acme: { ...provider, ...change } } } },
      message,
      JSON.stringify(change),
    )
  }
  await stops(t, { oauth: { baseUrl, providers: acme, redirect: '/x' } }, /"oauth"/)
  for (const oauth of [null, 'google', true, []])
    await stops(t, { oauth }, /"oauth"/, String(oauth))
})

test('oauth routes: need the oauth option, as a route group and as a plugin', async (t) => {
  await stops(t, { routes: ['oauth'] }, /"oauth"/)
  const byHand = start(t, { routes: false }, (app) => app.register(oauthRoutes, { prefix: '/x' }))
  await assert.rejects(byHand, { code: 'CRUDAUTH_CONFIG', message: /"oauth"/ })
  await assert.rejects(async () => {
    const app = Fastify()
    t.after(() => app.close())
    await app.register(oauthRoutes)
  })
})

test('oauth routes: mounted with the oauth option, unless their group is left out', async (t) => {
  const statusOf = async (options: Partial<CrudAuthOptions>) => {
    const { app } = await start(t, options)
    return (await app.inject('/oauth/unknown/authorize')).json().code
  }
  const oauth = { baseUrl, providers: acme }
  assert.equal(await statusOf({ oauth }), 'CRUDAUTH_NOT_FOUND')
  assert.equal(await statusOf({ oauth, routes: ['oauth'] }), 'CRUDAUTH_NOT_FOUND')
  for (const options of [
    {},
    { oauth, routes: false as const },
    { oauth, routes: ['session' as const] },
  ]) {
    assert.notEqual(await statusOf(options), 'CRUDAUTH_NOT_FOUND')
  }
})

test('allowInsecure: one start-up warning names all providers that have it', async (t) => {
  const insecure = oidc({
    issuer: 'http://127.0.0.1:1',
    clientId: 'a',
    clientSecret: 's',
    allowInsecure: true,
  })
  const { lines } = await start(t, {
    oauth: { baseUrl, providers: { acme: insecure, other: insecure, github: provider } },
  })
  const warnings = lines.filter((line) => line.includes('allowInsecure'))
  assert.equal(warnings.length, 1)
  assert.match(warnings[0] ?? '', /is on for acme, other,/)
  const secure = await start(t, { oauth: { baseUrl, providers: acme } })
  assert.deepEqual(
    secure.lines.filter((line) => line.includes('allowInsecure')),
    [],
  )
})

test('oauth routes: a prefix with parameters is refused', async (t) => {
  const oauth = { baseUrl, providers: acme }
  for (const prefix of ['/:tenant', '/a/:b', '/*']) {
    const byHand = start(t, { oauth, routes: false }, (app) =>
      app.register(oauthRoutes, { prefix }),
    )
    await assert.rejects(byHand, { code: 'CRUDAUTH_CONFIG', message: /parameters/ }, prefix)
  }
})

test('oauth: warns at start-up if the user model has no emailVerified field', async (t) => {
  const users = memoryUsers({ fields: fields.filter((field) => field !== 'emailVerified') })
  const { lines } = await start(t, { users, oauth: { baseUrl, providers: acme } })
  assert.ok(lines.some((line) => line.includes('emailVerified')))
  const known = await start(t, { oauth: { baseUrl, providers: acme } })
  assert.ok(!known.lines.some((line) => line.includes('emailVerified')))
})

test('registration: provider columns are privileged in extraFields and defaults', async (t) => {
  for (const name of ['acmeId', 'acme_id', 'ACMEID', 'oauthProvider', 'googleId']) {
    await stops(
      t,
      { registration: { extraFields: [name] }, oauth: { baseUrl, providers: acme } },
      /privileged/,
      name,
    )
    await stops(
      t,
      { registration: { defaults: { [name]: 'x' } }, oauth: { baseUrl, providers: acme } },
      /privileged/,
      name,
    )
  }
})
