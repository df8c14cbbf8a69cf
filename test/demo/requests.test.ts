import assert from 'node:assert/strict'
import { test } from 'node:test'
import Fastify from 'fastify'
import { redact, redactUrl } from '../../examples/demo/redact.js'
import { addRequestLog } from '../../examples/demo/request-log.js'
import { hostDemo } from './in-process.js'
import { password, Visitor } from './visitor.js'

test('redact: removes tokens, secrets and codes, and keeps what explains a response', () => {
  const token = 'Zm9vYmFyYmF6cXV4Zm9vYmFy'
  assert.deepEqual(
    redact({
      code: 'CRUDAUTH_BAD_CREDENTIALS',
      message: `No ${token} here`,
      csrf_token: token,
      secret: 'ABC',
      otpauth_uri: 'otpauth://totp/x?secret=ABC',
      recovery_codes: ['abcd-efgh-ijkl-mnop'],
      mfa_required: true,
      challenge: 'short',
      authorize_url: `https://idp.example/auth?state=${token}&scope=openid`,
      user: { id: 1, username: 'ada', refresh_token: null },
      list: [{ session_id: token }],
      challenge_id: token,
      options: {
        challenge: 'short',
        rpId: 'localhost',
        user: { id: token, name: 'ada@example.com' },
        allowCredentials: [{ id: token, type: 'public-key', transports: ['internal'] }],
        excludeCredentials: [{ id: token, type: 'public-key' }],
        userVerification: 'preferred',
      },
      credential: 'short',
    }),
    {
      code: 'CRUDAUTH_BAD_CREDENTIALS',
      message: 'No [redacted] here',
      csrf_token: '[redacted]',
      secret: '[redacted]',
      otpauth_uri: '[redacted]',
      recovery_codes: '[redacted]',
      mfa_required: true,
      challenge: '[redacted]',
      authorize_url: 'https://idp.example/auth?[redacted]&scope=openid',
      user: { id: 1, username: 'ada', refresh_token: null },
      list: [{ session_id: '[redacted]' }],
      challenge_id: '[redacted]',
      options: {
        challenge: '[redacted]',
        rpId: 'localhost',
        user: { id: '[redacted]', name: 'ada@example.com' },
        allowCredentials: [{ id: '[redacted]', type: 'public-key', transports: ['internal'] }],
        excludeCredentials: [{ id: '[redacted]', type: 'public-key' }],
        userVerification: 'preferred',
      },
      credential: '[redacted]',
    },
  )
})

test('redactUrl: keeps the path and harmless parameters', () => {
  assert.equal(redactUrl('/auth/me'), '/auth/me')
  assert.equal(
    redactUrl('/auth/logout-all?keep_current=true'),
    '/auth/logout-all?keep_current=true',
  )
  assert.equal(
    redactUrl('/auth/oauth/local/callback?code=abc&state=def'),
    '/auth/oauth/local/callback?code=[redacted]&state=[redacted]',
  )
  assert.equal(redactUrl('/auth/sessions/Zm9vYmFyYmF6cXV4Zm9v'), '/auth/sessions/[redacted]')
})

test('demo: each browser sees its own requests, without secrets', async (t) => {
  const demo = await hostDemo(t)
  const ada = new Visitor(demo.url)
  const eve = new Visitor(demo.url)
  for (const visitor of [ada, eve]) await visitor.get('/')
  await ada.register('ada')
  await ada.login('ada', 'not the password')
  await ada.login('ada')
  const { secret, otpauth_uri } = (await ada.post('/auth/mfa/totp/setup', { password })).body
  await ada.get('/nothing')
  assert.equal((await ada.send('HEAD', '/dashboard')).status, 200)
  const { body, headers } = await ada.get('/requests/log')
  assert.equal(headers.get('cache-control'), 'no-store')
  assert.deepEqual(
    body.map(({ method, url, status, code }: Record<string, unknown>) => [
      method,
      url,
      status,
      code,
    ]),
    [
      ['HEAD', '/dashboard', 200, null],
      ['POST', '/auth/mfa/totp/setup', 200, null],
      ['POST', '/auth/login', 200, null],
      ['POST', '/auth/login', 401, 'CRUDAUTH_BAD_CREDENTIALS'],
      ['POST', '/auth/register', 202, null],
    ],
  )
  const text = JSON.stringify(body)
  for (const value of [password, 'not the password', secret, otpauth_uri, ...ada.cookies.values()])
    assert.ok(!text.includes(value), 'a secret is recorded')
  assert.deepEqual((await eve.get('/requests/log')).body, [])
  assert.deepEqual((await new Visitor(demo.url).get('/requests/log')).body, [])
  assert.deepEqual((await ada.send('DELETE', '/requests/log')).body, [])
  assert.deepEqual((await ada.get('/requests/log')).body, [])
})

test('request log: keeps the newest 100 requests of 50 browsers', async (t) => {
  const app = Fastify()
  t.after(() => app.close())
  addRequestLog(app, true)
  app.get('/page', { schema: { hide: true } as object }, async (_request, reply) =>
    reply.type('text/html').send('<p>'),
  )
  app.get('/api', async () => ({ text: 'a word '.repeat(2000) }))
  const visit = async () => {
    const page = await app.inject('/page')
    const [cookie = ''] = String(page.headers['set-cookie']).split(';')
    assert.match(String(page.headers['set-cookie']), /; Path=\/; HttpOnly; SameSite=Lax; Secure$/)
    await app.inject({ url: '/api', headers: { cookie } })
    return cookie
  }
  const log = async (cookie: string) =>
    (await app.inject({ url: '/requests/log', headers: { cookie } })).json()
  const first = await visit()
  const second = await visit()
  for (let n = 0; n < 120; n++) await app.inject({ url: '/api', headers: { cookie: first } })
  assert.equal((await log(first)).length, 100)
  assert.match((await log(first))[0].body, /too long/)
  for (let n = 0; n < 49; n++) await visit()
  assert.equal((await log(second)).length, 0, 'away for longest')
  assert.equal((await log(first)).length, 100)
})
