import assert from 'node:assert/strict'
import { test } from 'node:test'
import { oauthRoutes } from '../../src/index.js'
import { backends } from '../helpers/backends.js'
import { captureLogs } from '../helpers/build.js'
import { form, postBytes } from '../helpers/hostile.js'
import {
  ada,
  Browser,
  baseUrl,
  buildOAuth,
  codeOf,
  landsOn,
  refusesCallback,
  startAcme,
} from '../helpers/oauth.js'
import { refuses } from '../helpers/refuses.js'

/** A provider that posts its callback, as Apple does, beside one that does not. */
async function posting(t: Parameters<typeof buildOAuth>[0], auth: object = {}, fastify = {}) {
  const apple = await startAcme(t)
  const provider = { ...apple.provider(), responseMode: 'form_post' as const }
  return { ...(await buildOAuth(t, { auth, providers: { acme: provider }, fastify })), apple }
}

const fieldsOf = (query: URLSearchParams) => ({
  code: codeOf({ nonce: query.get('nonce'), ...ada }),
  state: query.get('state') ?? '',
})

for (const backend of backends) {
  test(`${backend.name}: form_post callback: a cross-site POST redirects to GET, where the cookie is sent`, async (t) => {
    const { app } = await posting(t, { ...backend.options(), prefix: '/auth' })
    const browser = new Browser(app, '/auth')
    const query = await browser.begin()
    assert.equal(query.get('response_mode'), 'form_post')
    const { code, state } = fieldsOf(query)
    const user = JSON.stringify({
      name: { firstName: 'Ada', lastName: 'L' },
      email: 'evil@example.com',
    })
    const payload = String(
      new URLSearchParams({
        code,
        state,
        user,
        id_token: 'an.id.token',
        extra: 'x',
        redirect_to: '//evil',
      }),
    )
    // From another site, so without any cookie.
    const headers = {
      origin: 'https://appleid.apple.com',
      'sec-fetch-site': 'cross-site',
      host: 'evil.example',
    }
    const posted = await postBytes(app, '/auth/oauth/acme/callback', payload, form, headers)
    assert.equal(posted.statusCode, 303, posted.body)
    assert.equal(posted.body, '')
    assert.equal(posted.headers['cache-control'], 'no-store')
    assert.equal(posted.headers['set-cookie'], undefined)
    const url = new URL(String(posted.headers.location))
    assert.equal(url.origin + url.pathname, `${baseUrl}/auth/oauth/acme/callback`)
    assert.deepEqual(Object.fromEntries(url.searchParams), { code, state, user })

    refusesCallback(await app.inject(url.pathname + url.search))
    landsOn(await browser.callback(url.searchParams), '/start')
    assert.equal(
      (await browser.me()).email,
      'ada@example.com',
      'the email in the posted user field is ignored',
    )
    refusesCallback(await browser.callback(url.searchParams))
  })

  test(`${backend.name}: form_post callback: a posted error redirects to GET as well`, async (t) => {
    const { app } = await posting(t, backend.options())
    const browser = new Browser(app)
    const query = await browser.begin()
    const fields = { error: 'user_cancelled_authorize', state: query.get('state') ?? '' }
    const posted = await browser.form('/oauth/acme/callback', fields)
    assert.equal(posted.statusCode, 303)
    const url = new URL(String(posted.headers.location))
    assert.deepEqual(Object.fromEntries(url.searchParams), fields)
    landsOn(await browser.callback(url.searchParams), '/start?error=oauth_failed')
  })
}

test('form_post callback: a POST never signs in or uses up the state, even with the cookie', async (t) => {
  const { app, rows } = await posting(t)
  const browser = new Browser(app)
  const query = await browser.begin()
  const fields = fieldsOf(query)
  for (let i = 0; i < 3; i++) {
    const posted = await browser.form('/oauth/acme/callback', fields)
    assert.equal(posted.statusCode, 303)
    assert.equal(posted.headers['set-cookie'], undefined)
  }
  assert.deepEqual(await rows(), [])
  landsOn(await browser.finish(query, ada), '/start')
})

test('form_post callback: wrong types, oversized, duplicate or malformed fields are refused', async (t) => {
  const { app } = await posting(t)
  const path = '/oauth/acme/callback'
  for (const type of [
    'text/plain',
    'multipart/form-data; boundary=x',
    'application/xml',
    'application/octet-stream',
  ]) {
    const response = await postBytes(app, path, 'code=a&state=b', type)
    assert.equal(response.statusCode, 415, type)
  }
  assert.equal(
    (await postBytes(app, path, `code=a&state=b&user=${'u'.repeat(16_384)}`, form)).statusCode,
    413,
  )
  for (const payload of [
    'code=a&code=b&state=c',
    'code=a&state=b&state=c',
    `code=${'a'.repeat(4097)}&state=b`,
    `code=a&state=${'b'.repeat(513)}`,
    `code=a&state=b&user=${'u'.repeat(2049)}`,
    `code=a&state=b&error=${'e'.repeat(257)}`,
  ]) {
    refuses(await postBytes(app, path, payload, form), 'FST_ERR_VALIDATION')
  }
  for (const payload of ['code=%FF', 'code=%', Buffer.from([0x63, 0x3d, 0xff])]) {
    assert.equal((await postBytes(app, path, payload, form)).statusCode, 400)
  }
  const split = await postBytes(
    app,
    path,
    'code=a%0d%0aSet-Cookie:%20x=y&state=%0aLocation:%20//evil',
    form,
  )
  assert.equal(split.statusCode, 303)
  assert.equal(split.headers['set-cookie'], undefined)
  assert.ok(
    String(split.headers.location).startsWith(
      `${baseUrl}/oauth/acme/callback?code=a%0D%0ASet-Cookie`,
    ),
  )
})

test('form_post callback: 404 for a provider that does not use form_post', async (t) => {
  const { app } = await posting(t)
  refuses(
    await postBytes(app, '/oauth/other/callback', 'code=a&state=b', form),
    'CRUDAUTH_NOT_FOUND',
  )
  refuses(
    await postBytes(app, '/oauth/unknown/callback', 'code=a&state=b', form),
    'CRUDAUTH_NOT_FOUND',
  )
  const plain = await buildOAuth(t)
  assert.equal(
    (await postBytes(plain.app, '/oauth/acme/callback', 'code=a&state=b', form)).statusCode,
    404,
  )
})

test('form_post callback: stays open under an app-wide currentUser gate', async (t) => {
  const apple = await startAcme(t)
  const { app } = await buildOAuth(t, {
    auth: { routes: ['session'] },
    providers: { acme: { ...apple.provider(), responseMode: 'form_post' } },
    async routes(app) {
      app.addHook('onRequest', app.currentUser())
      await app.register(oauthRoutes)
    },
  })
  refuses(await app.inject('/oauth/accounts'), 'CRUDAUTH_UNAUTHENTICATED')
  const browser = new Browser(app)
  const query = await browser.begin()
  const payload = String(new URLSearchParams(fieldsOf(query)))
  assert.equal((await postBytes(app, '/oauth/acme/callback', payload, form)).statusCode, 303)
  landsOn(await browser.finish(query, ada), '/start')
})

test('form_post callback: neither the posted fields nor the redirect URL are logged', async (t) => {
  const { lines, logger } = captureLogs()
  const { app } = await posting(t, {}, { logger })
  const browser = new Browser(app)
  const query = await browser.begin()
  const { code, state } = fieldsOf(query)
  await browser.form('/oauth/acme/callback', {
    code,
    state,
    user: '{"name":{"firstName":"Secretname"}}',
  })
  await browser.form('/oauth/acme/callback', { code, state, error: 'e'.repeat(300) })
  await browser.form('/oauth/other/callback', { code, state })
  assert.ok(lines.length > 4)
  for (const secret of [code, state, 'Secretname'])
    assert.ok(!lines.join('').includes(secret), secret)
})
