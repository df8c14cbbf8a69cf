import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { FastifyInstance } from 'fastify'
import { memoryUsers, type OAuthProfile } from '../../src/index.js'
import { backends } from '../helpers/backends.js'
import { build, captureLogs } from '../helpers/build.js'
import { Mailbox } from '../helpers/mailbox.js'
import { ada, Browser, browserOf, buildOAuth, landsOn, linkPlaces } from '../helpers/oauth.js'
import { refuses } from '../helpers/refuses.js'

const profile = (more: Partial<OAuthProfile> = {}): OAuthProfile => ({
  id: 'ada-1',
  email: 'ada@example.com',
  emailVerified: true,
  username: 'ada',
  raw: {},
  ...more,
})

const json = { 'content-type': 'application/json' }

/** Custom routes over the toolbox. The request body is the profile. */
function byHand(app: FastifyInstance) {
  const { oauth, sessions } = app.crudAuth
  app.post('/hand/:provider', async (request, reply) => {
    const { provider } = request.params as { provider: string }
    const { user, created, linked } = await oauth.resolve(
      request,
      provider,
      request.body as OAuthProfile,
    )
    if (user.isActive === false) return reply.code(403).send({})
    sessions.setCookies(request, reply, await sessions.create(request, user))
    return { id: user.id, created, linked }
  })
  app.post(
    '/hand/:provider/link',
    { onRequest: [app.currentUser(), app.requireFresh] },
    async (request) => {
      const { provider } = request.params as { provider: string }
      const outcome = await oauth.link(
        request.principal.user,
        provider,
        request.body as OAuthProfile,
      )
      return { outcome: typeof outcome === 'string' ? outcome : outcome.user.id }
    },
  )
  app.post('/hand/:provider/unlink', { onRequest: app.currentUser() }, async (request) => {
    await oauth.unlink(request.principal.user, (request.params as { provider: string }).provider)
    return {}
  })
  app.get('/hand', { onRequest: app.currentUser() }, async (request) =>
    oauth.accounts(request.principal.user),
  )
}

for (const backend of backends) {
  for (const place of linkPlaces) {
    test(`${backend.name}, ${place.name}: toolbox: resolve finds, creates and links accounts as the callback does`, async (t) => {
      const accounts = place.accounts()
      const { app, store, rows } = await buildOAuth(t, {
        auth: backend.options(),
        oauth: { accounts: accounts?.store },
        routes: byHand,
      })
      const first = await new Browser(app).post('/hand/acme', profile())
      assert.deepEqual(first.json(), { id: 1, created: true, linked: false })
      assert.deepEqual((await new Browser(app).post('/hand/acme', profile())).json(), {
        id: 1,
        created: false,
        linked: false,
      })
      const browser = new Browser(app)
      landsOn(await browser.signIn(ada), '/start')
      assert.equal((await browser.me()).user_id, 1, 'the callback of the plugin finds it too')
      const linked = await new Browser(app).post('/hand/other', profile({ id: 'x' }))
      assert.deepEqual(linked.json(), { id: 1, created: false, linked: true })

      for (const bad of [
        profile({ id: 'new', emailVerified: false }),
        profile({ id: 'new' }),
        profile({ id: 'new', email: null, emailVerified: false }),
      ]) {
        const refused = await new Browser(app).post('/hand/acme', bad)
        assert.equal(refused.statusCode, 400, refused.body)
        assert.match(
          refused.json().code,
          /^CRUDAUTH_OAUTH_(EMAIL_UNVERIFIED|PROVIDER_ALREADY_LINKED|EMAIL_MISSING)$/,
        )
      }
      await store.update(1, { isActive: false })
      const before = await rows()
      assert.equal((await new Browser(app).post('/hand/acme', profile())).statusCode, 403)
      assert.deepEqual(await rows(), before)
    })

    test(`${backend.name}, ${place.name}: toolbox: custom routes link, list and unlink accounts`, async (t) => {
      const accounts = place.accounts()
      const { app } = await buildOAuth(t, {
        auth: backend.options(),
        oauth: { accounts: accounts?.store },
        routes: byHand,
      })
      const other = new Browser(app)
      await other.signIn(ada)
      const ann = await browserOf(app, 'ann')
      const link = async (id: string) =>
        (await ann.post('/hand/acme/link', profile({ id }))).json().outcome
      assert.equal(await link('ada-1'), 'elsewhere')
      assert.deepEqual((await ann.get('/hand')).json(), [])
      assert.equal(await link('mine'), 2)
      assert.equal(await link('mine'), 2)
      assert.equal(await link('second'), 'stale')
      const [listed] = (await ann.get('/hand')).json()
      assert.equal(listed.provider, 'acme')
      assert.equal(listed.email, accounts ? 'ada@example.com' : null)
      assert.equal((await ann.post('/hand/acme/unlink')).statusCode, 200)
      assert.equal((await ann.post('/hand/acme/unlink')).json().code, 'CRUDAUTH_NOT_FOUND')
      other.csrf = other.cookies.get('csrf_token') ?? null
      assert.equal(
        (await other.post('/hand/acme/unlink')).json().code,
        'CRUDAUTH_LAST_SIGN_IN_METHOD',
      )
    })
  }
}

test('toolbox: link and unlink notify the recovery address', async (t) => {
  const mail = new Mailbox()
  const { app } = await buildOAuth(t, { auth: { email: mail.options() }, routes: byHand })
  const ann = await browserOf(app, 'ann')
  const address = 'ann@example.com'
  const token = await mail.token(address, 'verify_email')
  assert.equal((await ann.post('/email/verify-confirm', { token })).statusCode, 200)
  await ann.post('/hand/acme/link', profile({ id: 'mine' }))
  await mail.next(address, 'provider_linked')
  await ann.post('/hand/acme/unlink')
  await mail.next(address, 'provider_unlinked')
})

test('toolbox: CRUDAUTH_CONFIG without the oauth option or for an unknown provider', async (t) => {
  const request = {} as never
  const user = {} as never
  const without = (await build(t)).crudAuth.oauth
  const { app } = await buildOAuth(t)
  const withIt = app.crudAuth.oauth
  for (const call of [
    () => without.resolve(request, 'acme', profile()),
    () => without.link(user, 'acme', profile()),
    () => without.unlink(user, 'acme'),
    () => without.accounts(user),
  ]) {
    await assert.rejects(call, { code: 'CRUDAUTH_CONFIG', message: /"oauth"/ })
  }
  for (const provider of ['unknown', 'constructor', '']) {
    for (const call of [
      () => withIt.resolve(request, provider, profile()),
      () => withIt.link(user, provider, profile()),
      () => withIt.unlink(user, provider),
    ]) {
      await assert.rejects(call, { code: 'CRUDAUTH_CONFIG', message: /knows no provider/ })
    }
  }
})

test('toolbox: resolve throws 503 when the user store is down', async (t) => {
  const users = memoryUsers({ fields: ['email', 'hashedPassword', 'acmeId', 'otherId'] })
  users.findBy = async () => {
    throw new Error('db-7 is down')
  }
  const identity = { login: ['email'], recovery: null } as const
  const { logger } = captureLogs('fatal')
  const { app } = await buildOAuth(t, {
    auth: { users, identity },
    fastify: { logger },
    routes: byHand,
  })
  const response = await app.inject({ method: 'POST', url: '/hand/acme', payload: profile() })
  assert.equal(response.statusCode, 503)
  assert.equal(response.json().code, 'CRUDAUTH_UNAVAILABLE')
  assert.ok(!response.body.includes('db-7'))
})

for (const backend of backends) {
  test(`${backend.name}: toolbox: an ambiguous emailVerified in a custom profile counts as unverified`, async (t) => {
    const { app, store, rows } = await buildOAuth(t, { auth: backend.options(), routes: byHand })
    await browserOf(app, 'ann')
    await store.update(1, { emailVerified: true })
    const before = await rows()
    const mine = { id: 'evil', email: 'ann@example.com' }
    for (const emailVerified of ['false', '0', 0, 2, 'yes', {}, [true], null]) {
      const response = await new Browser(app).post('/hand/acme', {
        ...mine,
        emailVerified,
        raw: {},
      })
      refuses(response, 'CRUDAUTH_OAUTH_EMAIL_UNVERIFIED')
    }
    refuses(await new Browser(app).post('/hand/acme', mine), 'CRUDAUTH_OAUTH_EMAIL_UNVERIFIED')
    assert.deepEqual(await rows(), before)
    const fresh = await new Browser(app).post('/hand/acme', {
      id: 'bob',
      email: 'bob@example.com',
      emailVerified: 'yes',
      raw: {},
    })
    assert.deepEqual(fresh.json(), { id: 2, created: true, linked: false })
    assert.equal((await rows())[1]?.emailVerified, false)
    const verified = await new Browser(app).post('/hand/acme', { ...mine, emailVerified: true })
    assert.deepEqual(verified.json(), { id: 1, created: false, linked: true })
  })

  for (const place of linkPlaces) {
    test(`${backend.name}, ${place.name}: toolbox: an unusable profile id is 400; 7 and "7" are the same id`, async (t) => {
      const accounts = place.accounts()
      const { app, rows } = await buildOAuth(t, {
        auth: backend.options(),
        oauth: { accounts: accounts?.store },
        routes: byHand,
      })
      const ann = await browserOf(app, 'ann')
      const before = await rows()
      const at = (id: unknown) => ({
        id,
        email: 'seven@example.com',
        emailVerified: false,
        raw: {},
      })
      const unusable = [
        null,
        undefined,
        '',
        ' ',
        {},
        ['7'],
        true,
        1.5,
        2 ** 53,
        'null',
        'undefined',
        'a'.repeat(256),
        '7\u0000',
        '7 ',
      ]
      for (const id of unusable) {
        refuses(await new Browser(app).post('/hand/acme', at(id)), 'CRUDAUTH_BAD_REQUEST')
        refuses(await ann.post('/hand/acme/link', at(id)), 'CRUDAUTH_BAD_REQUEST')
      }
      for (const body of [[], 'text', 7, null]) {
        const response = await app.inject({
          method: 'POST',
          url: '/hand/acme',
          payload: JSON.stringify(body),
          headers: json,
        })
        refuses(response, 'CRUDAUTH_BAD_REQUEST')
      }
      assert.deepEqual(await rows(), before)
      assert.deepEqual((await ann.get('/hand')).json(), [])
      const answers = [7, '7', 7].map(async (id) =>
        (await new Browser(app).post('/hand/acme', at(id))).json(),
      )
      const [first, ...others] = await Promise.all(answers)
      for (const other of others) assert.equal(other.id, first.id)
      assert.equal((await ann.post('/hand/acme/link', at(7))).json().outcome, 'elsewhere')
      assert.equal((await ann.post('/hand/other/link', at(8))).json().outcome, 1)
      assert.equal((await ann.post('/hand/other/link', at('8'))).json().outcome, 1)
      assert.equal((await new Browser(app).post('/hand/other', at('8'))).json().id, 1)
    })
  }
}
