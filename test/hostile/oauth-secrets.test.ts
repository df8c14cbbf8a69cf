import assert from 'node:assert/strict'
import diagnosticsChannel from 'node:diagnostics_channel'
import { type TestContext, test } from 'node:test'
import { inspect } from 'node:util'
import Fastify from 'fastify'
import type { OAuthTokens } from '../../src/index.js'
import { backends } from '../helpers/backends.js'
import { captureLogs } from '../helpers/build.js'
import { csrfCookie, listen, redisTexts, sendRaw, sessionCookie } from '../helpers/hostile.js'
import {
  ada,
  Browser,
  browserOf,
  buildOAuth,
  clientSecret,
  codeOf,
  landsOn,
  oauthCookie,
} from '../helpers/oauth.js'

const channels = [
  'onAfterRegister',
  'onAfterLogin',
  'onAfterOAuth',
  'onLoginFailed',
  'onProviderTokens',
]

/** Everything that is published while the test runs, as a logger would write it. */
function published(t: TestContext) {
  const texts: string[] = []
  const names: string[] = []
  for (const name of channels) {
    const note = (event: unknown) => {
      names.push(name)
      const { request: _request, ...rest } = event as { request?: unknown }
      texts.push(inspect(rest, { depth: 12, showHidden: true }))
    }
    diagnosticsChannel.subscribe(`crudauth:${name}`, note)
    t.after(() => diagnosticsChannel.unsubscribe(`crudauth:${name}`, note))
  }
  return { texts, names }
}

for (const backend of backends) {
  test(`${backend.name}: OAuth: tokens reach only onProviderTokens; logs, events and stores contain no secrets`, async (t) => {
    const { texts, names } = published(t)
    const { lines, logger } = captureLogs()
    const handed: OAuthTokens[] = []
    const options = backend.options()
    const { app, acme, rows } = await buildOAuth(t, {
      auth: {
        ...options,
        hooks: {
          onProviderTokens(_user, { request, tokens }) {
            handed.push(tokens)
            request.log.info({ tokens }, 'an app that logs what it gets')
          },
          onAfterOAuth: (_user, context) =>
            void texts.push(inspect({ ...context, request: null }, { depth: 12 })),
        },
      },
      fastify: { logger },
    })
    const browser = new Browser(app)
    const query = await browser.begin()
    const cookie = browser.cookies.get(oauthCookie) as string
    const linker = await browserOf(app, 'ann')
    const linkQuery = await linker.beginLink('other')
    const underWay = options.redis ? await redisTexts(options.keyPrefix ?? '') : []
    landsOn(await browser.finish(query, ada), '/start')
    landsOn(await linker.finish(linkQuery, { sub: 'ann' }, 'other'), '/start')
    landsOn(await browser.signIn(ada), '/start')

    assert.equal(handed.length, 3)
    assert.deepEqual(
      handed
        .flatMap(({ accessToken, refreshToken, idToken }) => [accessToken, refreshToken, idToken])
        .filter((token) => acme.issued.includes(token as string)),
      acme.issued,
    )
    assert.deepEqual([...new Set(names)].sort(), [
      'onAfterLogin',
      'onAfterOAuth',
      'onAfterRegister',
    ])

    const verifier = acme.grants[0]?.get('code_verifier') ?? ''
    const tokens = handed.flatMap(({ accessToken, refreshToken, idToken }) => [
      accessToken,
      refreshToken,
      idToken,
    ])
    const secrets = [
      ...tokens,
      ...[query, linkQuery].flatMap((begun) => [
        begun.get('state'),
        codeOf({ nonce: begun.get('nonce'), ...ada }),
      ]),
      cookie,
      verifier,
      clientSecret,
      browser.cookies.get(sessionCookie),
      browser.cookies.get(csrfCookie),
    ] as string[]
    const dump = options.redis ? await redisTexts(options.keyPrefix ?? '') : []
    const places = {
      log: lines.join(''),
      events: texts.join(''),
      rows: JSON.stringify(await rows()),
      state: [...underWay, ...dump].join('\n'),
    }
    if (options.redis) assert.ok(underWay.length > 2)
    for (const [place, text] of Object.entries(places)) {
      for (const secret of secrets)
        assert.ok(!text.includes(secret), `${place}: ${secret.slice(0, 20)}`)
      for (const token of tokens)
        assert.ok(!text.includes((token as string).split('.').at(-1) as string), place)
    }
    // The store doesn't reveal who signs in or where they are redirected either.
    for (const text of ['ada@example.com', query.get('nonce') as string, 'redirectTo'])
      assert.ok(!places.state.includes(text), text)
  })

  test(`${backend.name}: OAuth: without onProviderTokens, provider tokens are discarded`, async (t) => {
    const { texts } = published(t)
    const { app, acme, rows } = await buildOAuth(t, { auth: backend.options() })
    landsOn(await new Browser(app).signIn(ada), '/start')
    for (const token of acme.issued)
      assert.ok(!(texts.join('') + JSON.stringify(await rows())).includes(token))
  })
}

test('OAuth callback: the query string is never logged, whatever the outcome', async (t) => {
  const { lines, logger } = captureLogs()
  const { app, store } = await buildOAuth(t, { fastify: { logger } })
  const port = await listen(app)
  const code = 'secret-code-of-the-callback'
  const state = 'secret-state-of-the-callback'
  const query = `code=${code}&state=${state}&error_description=secret-text&iss=https://secret-issuer`
  const browser = new Browser(app)
  const begun = await browser.begin()
  await browser.callback({ code, state: begun.get('state') ?? '' })
  store.findBy = async () => {
    throw new Error('down')
  }
  const unavailable = await browser.signIn(ada)
  assert.equal(unavailable.statusCode, 503)
  for (const provider of ['acme', 'other', 'unknown', 'a'.repeat(65)]) {
    await app.inject(`/oauth/${provider}/callback?${query}`)
    await sendRaw(
      port,
      `GET /oauth/${provider}/callback?${query} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`,
    )
  }
  const text = lines.join('')
  assert.ok(lines.length > 20)
  const used = codeOf({ nonce: begun.get('nonce'), ...ada })
  for (const secret of [
    code,
    state,
    begun.get('state') as string,
    used,
    'secret-text',
    'secret-issuer',
  ]) {
    assert.ok(!text.includes(secret), secret)
  }
  assert.ok(text.includes('/oauth/acme/callback'), 'the path is logged')
})

test('OAuth callback: log serializers of the app never see the query string', async (t) => {
  const { lines, logger } = captureLogs()
  const { default: crudAuth, memoryUsers, sessionTransport } = await import('../../src/index.js')
  const { acme, app: first } = await buildOAuth(t)
  await first.close()
  const { secret, cheap } = await import('../helpers/build.js')
  const { fields, baseUrl } = await import('../helpers/oauth.js')
  const app = Fastify({ logger })
  t.after(() => app.close())
  await app.register(crudAuth, {
    secret,
    users: memoryUsers({ fields }),
    transports: [sessionTransport()],
    passwords: { cost: cheap },
    oauth: { baseUrl, providers: { acme: acme.provider() } },
    logLevel: 'trace',
    logSerializers: { req: (request: { url: string }) => ({ whole: request.url }) },
  } as never)
  await app.inject('/oauth/acme/callback?code=secret-code&state=secret-state')
  assert.ok(lines.join('').includes('/oauth/acme/callback'))
  assert.ok(!/secret-(code|state)/.test(lines.join('')))
})
