import assert from 'node:assert/strict'
import { test } from 'node:test'
import { backends } from '../helpers/backends.js'
import { clientId, foreignKey, goodKey, idToken, json } from '../helpers/bad-provider.js'
import { captureLogs } from '../helpers/build.js'
import {
  type Acme,
  ada,
  Browser,
  buildOAuth,
  clientSecret,
  codeOf,
  landsFailed,
  landsOn,
  type Person,
} from '../helpers/oauth.js'

interface Case {
  readonly name: string
  readonly reason: string
  /** Makes the provider misbehave before the callback. */
  readonly spoil?: (acme: Acme) => void
  /** Claims in addition to the usual ones. */
  readonly claims?: (acme: Acme) => Person
  /** Parameters of the callback instead of `code`; `state` is always sent. */
  readonly params?: (code: string) => Record<string, string>
}

const tokenAnswers =
  (body: unknown, status = 200) =>
  (acme: Acme) => {
    acme.on.token = (response) => json(response, body, status)
  }
const signedWith = (key: typeof goodKey.privateKey, header: object) => (acme: Acme) => {
  const good = acme.on.token
  acme.on.token = (response, request) => {
    const { end } = response
    response.end = ((text: string) => {
      const body = JSON.parse(text)
      const claims = JSON.parse(Buffer.from(body.id_token.split('.')[1], 'base64url').toString())
      return end.call(
        response,
        JSON.stringify({ ...body, id_token: idToken(claims, key, header) }),
        'utf8',
      )
    }) as typeof end
    good?.(response, request)
  }
}
const now = () => Math.floor(Date.now() / 1000)

const cases: Case[] = [
  { name: 'the user declined', reason: 'declined', params: () => ({ error: 'access_denied' }) },
  {
    name: 'an error in the callback',
    reason: 'provider_error',
    params: () => ({ error: 'server_error' }),
  },
  {
    name: 'an error together with a code',
    reason: 'declined',
    params: (code) => ({ error: 'access_denied', error_description: `about ${code}`, code }),
  },
  { name: 'no code', reason: 'missing_code', params: () => ({}) },
  { name: 'an empty code', reason: 'missing_code', params: () => ({ code: '' }) },
  {
    name: 'a foreign iss parameter',
    reason: 'bad_issuer',
    params: (code) => ({ code, iss: 'https://evil.example' }),
  },
  {
    name: 'an error in a 200',
    reason: 'provider_error',
    spoil: tokenAnswers({ error: 'bad_verification_code', error_description: 'secret text' }),
  },
  {
    name: 'an error with 400',
    reason: 'provider_error',
    spoil: tokenAnswers({ error: 'invalid_grant' }, 400),
  },
  { name: 'HTTP 500', reason: 'http_error', spoil: tokenAnswers({ secret: 'text' }, 500) },
  { name: 'HTTP 503 with HTML', reason: 'http_error', spoil: (acme) => html(acme, 503) },
  { name: 'HTML in a 200', reason: 'malformed', spoil: (acme) => html(acme, 200) },
  {
    name: 'broken JSON',
    reason: 'malformed',
    spoil: tokenAnswers('{"access_token":"secret text"'),
  },
  { name: 'JSON that is not an object', reason: 'malformed', spoil: tokenAnswers([1]) },
  { name: 'null', reason: 'malformed', spoil: tokenAnswers('null') },
  { name: 'no access token', reason: 'malformed', spoil: tokenAnswers({ token_type: 'Bearer' }) },
  {
    name: 'no ID token',
    reason: 'bad_id_token',
    spoil: tokenAnswers({ access_token: 'secret text', token_type: 'Bearer' }),
  },
  {
    name: 'a body of 10 MiB',
    reason: 'too_large',
    spoil: (acme) => {
      acme.on.token = (response) => {
        response.on('error', () => {})
        json(response, { access_token: 'a'.repeat(10 * 1_048_576), token_type: 'Bearer' })
      }
    },
  },
  {
    name: 'a redirect',
    reason: 'redirected',
    spoil: (acme) => {
      acme.on.token = (response) =>
        void response.writeHead(307, { location: `${acme.url}/other` }).end()
    },
  },
  {
    name: 'a closed connection',
    reason: 'unreachable',
    spoil: (acme) => {
      acme.on.token = (response) => void response.destroy()
    },
  },
  {
    name: 'no response in time',
    reason: 'timeout',
    spoil: (acme) => {
      acme.on.token = () => {}
    },
  },
  {
    name: 'a response that never ends',
    reason: 'timeout',
    spoil: (acme) => {
      acme.on.token = (response) =>
        void response.writeHead(200, { 'content-type': 'application/json' }).write('{')
    },
  },
  {
    name: 'an ID token that has expired',
    reason: 'bad_id_token',
    claims: () => ({ iat: now() - 7200, exp: now() - 3600 }),
  },
  {
    name: 'an ID token without exp',
    reason: 'bad_id_token',
    spoil: (acme) => {
      acme.claims = { exp: undefined }
    },
  },
  {
    name: 'an ID token with a non-numeric exp',
    reason: 'bad_id_token',
    claims: () => ({ exp: 'never' }),
  },
  {
    name: 'an ID token for another audience',
    reason: 'bad_id_token',
    claims: () => ({ aud: 'another' }),
  },
  {
    name: 'an ID token for several audiences with a foreign azp',
    reason: 'bad_id_token',
    claims: () => ({ aud: [clientId, 'b'], azp: 'b' }),
  },
  {
    name: 'an ID token of another issuer',
    reason: 'bad_issuer',
    claims: () => ({ iss: 'https://evil.example' }),
  },
  {
    name: 'an ID token with the nonce of another sign-in',
    reason: 'bad_id_token',
    claims: () => ({ nonce: 'of-another' }),
  },
  {
    name: 'an ID token without a nonce',
    reason: 'bad_id_token',
    claims: () => ({ nonce: undefined }),
  },
  {
    name: 'an ID token with a null nonce',
    reason: 'bad_id_token',
    claims: () => ({ nonce: null }),
  },
  {
    name: 'a signature by a foreign key',
    reason: 'bad_id_token',
    spoil: signedWith(foreignKey.privateKey, {}),
  },
  {
    name: 'the algorithm none',
    reason: 'bad_id_token',
    spoil: signedWith(goodKey.privateKey, { alg: 'none' }),
  },
  ...[null, 1, 0, true, [], {}, '', 'null', 'undefined', ' ada-1', 'a'.repeat(256), 'a\0b'].map(
    (sub) => ({
      name: `a sub of ${JSON.stringify(sub).slice(0, 20)}`,
      reason: 'bad_subject',
      claims: () => ({ sub }),
    }),
  ),
  {
    name: 'an unavailable key set',
    reason: 'http_error',
    spoil: (acme) => {
      acme.on.keys = (response) => json(response, {}, 503)
    },
  },
  {
    name: 'the key set of another provider',
    reason: 'bad_id_token',
    spoil: (acme) => {
      const jwk = foreignKey.publicKey.export({ format: 'jwk' })
      acme.on.keys = (response) =>
        json(response, { keys: [{ ...jwk, kid: 'good', alg: 'RS256', use: 'sig' }] })
    },
  },
  {
    name: 'an empty key set',
    reason: 'bad_id_token',
    spoil: (acme) => {
      acme.on.keys = (response) => json(response, { keys: [] })
    },
  },
]

function html(acme: Acme, status: number) {
  acme.on.token = (response) =>
    void response.writeHead(status, { 'content-type': 'text/html' }).end('<p>secret text')
}

for (const backend of backends) {
  for (const { name, reason, spoil, claims, params } of cases) {
    test(`${backend.name}: ${name}: oauth_failed, one log line, no user, no session`, async (t) => {
      const { lines, logger } = captureLogs()
      const { app, acme, rows } = await buildOAuth(t, {
        auth: { ...backend.options(), timeouts: { oauthMs: reason === 'timeout' ? 300 : 10_000 } },
        fastify: { logger },
      })
      const browser = new Browser(app)
      const query = await browser.begin('/oauth/acme/authorize?redirect_to=/elsewhere')
      const person = { nonce: query.get('nonce'), ...ada, ...claims?.(acme) }
      const code = codeOf(person)
      spoil?.(acme)
      lines.length = 0
      const state = query.get('state') ?? ''
      landsFailed(await browser.callback({ ...(params?.(code) ?? { code }), state }))

      const told = lines.map((line) => JSON.parse(line)).filter(({ level }) => level >= 40)
      assert.equal(told.length, 1, lines.join(''))
      assert.equal(told[0].msg, 'sign-in with a provider failed')
      assert.equal(told[0].provider, 'acme')
      assert.equal(told[0].reason, reason)
      const text = lines.join('')
      const secrets = [
        code,
        state,
        query.get('nonce') ?? '',
        clientSecret,
        ...acme.issued,
        'secret text',
        'ada@example.com',
        'evil',
      ]
      for (const secret of secrets) assert.ok(!text.includes(secret), secret)
      assert.deepEqual(await rows(), [])
      assert.equal(await browser.me(), null)
    })
  }

  test(`${backend.name}: discovery down: /authorize redirects with oauth_failed, other providers work, it recovers`, async (t) => {
    const { lines, logger } = captureLogs('warn')
    const { app, acme, rows } = await buildOAuth(t, {
      auth: backend.options(),
      fastify: { logger },
    })
    acme.on.metadata = (response) => json(response, {}, 500)
    const browser = new Browser(app)
    lines.length = 0
    landsFailed(await browser.get('/oauth/acme/authorize'))
    assert.equal(lines.length, 1)
    const { provider, reason, step, status } = JSON.parse(lines[0] as string)
    assert.deepEqual(
      { provider, reason, step, status },
      { provider: 'acme', reason: 'http_error', step: 'discovery', status: 500 },
    )
    landsOn(await browser.signIn(ada, 'other'), '/start')
    assert.equal((await rows()).length, 1)
    assert.equal((await browser.get('/me')).statusCode, 200)
    const linking = await browser.post('/oauth/acme/link')
    assert.equal(linking.statusCode, 503, linking.body)
    assert.equal(linking.json().code, 'CRUDAUTH_UNAVAILABLE')

    delete acme.on.metadata
    t.mock.timers.enable({ apis: ['Date'], now: Date.now() + 5_001 })
    landsOn(await browser.signIn(ada), '/start')
  })
}

test('an existing session survives a failed sign-in', async (t) => {
  const { app, acme } = await buildOAuth(t)
  const browser = new Browser(app)
  landsOn(await browser.signIn(ada), '/start')
  const query = await browser.begin()
  acme.on.token = (response) => json(response, {}, 500)
  landsFailed(await browser.finish(query, ada))
  assert.equal((await browser.me()).username, 'ada')
})

test('mapProfile: throwing or returning no profile fails like an error of the provider', async (t) => {
  const { lines, logger } = captureLogs()
  const { app, acme, rows } = await buildOAuth(t, { fastify: { logger } })
  for (const mapProfile of [
    () => {
      throw new Error('no such claim')
    },
    () => null as never,
    () => ({ id: undefined }),
    () => Promise.reject(new Error('later')),
  ]) {
    const mapped = await buildOAuth(t, {
      providers: { acme: acme.provider({ mapProfile }) },
      fastify: { logger },
    })
    landsFailed(await new Browser(mapped.app).signIn(ada))
    assert.deepEqual(await mapped.rows(), [])
  }
  assert.equal(lines.filter((line) => line.includes('sign-in with a provider failed')).length, 4)
  assert.deepEqual(await rows(), [])
  await app.close()
})
