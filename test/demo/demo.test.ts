import assert from 'node:assert/strict'
import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { serverUrl } from '../helpers/backends.js'
import { hostDemo } from './in-process.js'
import { runDemo, startDemo, temporaryFolder } from './start.js'
import { password, Visitor } from './visitor.js'

test('demo: prints its URL, registers accounts, signs in and shuts down cleanly', async (t) => {
  const folder = temporaryFolder(t)
  const demo = await startDemo(t, folder)
  assert.match(demo.url, /^http:\/\/localhost:\d+$/)
  for (const path of ['/docs', '/docs/json', '/mailbox'])
    assert.ok(demo.output().includes(`${demo.url}${path}`))

  const visitor = new Visitor(demo.url)
  const registered = await visitor.register('ada')
  assert.equal(registered.status, 202)
  assert.deepEqual(Object.keys(registered.body), ['detail'])
  assert.equal((await visitor.register('ada')).body.code, 'CRUDAUTH_DUPLICATE')
  assert.equal((await visitor.get('/dashboard')).status, 401)
  assert.equal((await visitor.login('ada', 'wrong')).body.code, 'CRUDAUTH_BAD_CREDENTIALS')
  assert.equal((await visitor.login('ada')).status, 200)
  assert.deepEqual((await visitor.get('/dashboard')).body, {
    hello: 'ada',
    devices: 1,
    verified: false,
    has_password: true,
  })
  assert.equal((await visitor.get('/auth/me')).body.email, 'ada@example.com')
  assert.equal((await visitor.post('/auth/logout')).status, 200)
  assert.equal((await visitor.get('/auth/me')).status, 401)

  assert.equal(await demo.stop(), 0)
  const { output } = demo
  assert.match(output(), /SIGTERM: finishing what is under way/)
  assert.ok(output().trimEnd().endsWith('stopped'))
  assert.doesNotMatch(output(), /WARN|ERROR/)
  assert.match(output(), /GET \/auth\/me 200 in /)
  for (const secret of [
    password,
    readFileSync(join(folder, 'secret'), 'utf8').trim(),
    readFileSync(join(folder, 'mfa-key'), 'utf8').trim(),
    'argon2id',
  ]) {
    assert.ok(!output().includes(secret), 'a secret is in the log')
  }
})

test('demo: a restart keeps accounts, sessions and the secret', async (t) => {
  const folder = temporaryFolder(t)
  const first = await startDemo(t, folder)
  const visitor = new Visitor(first.url)
  await visitor.register('ada')
  await visitor.login('ada')
  const secret = readFileSync(join(folder, 'secret'), 'utf8')
  if (process.platform !== 'win32')
    assert.equal(statSync(join(folder, 'secret')).mode & 0o777, 0o600)
  assert.equal(await first.stop('SIGINT'), 0)

  const second = await startDemo(t, folder)
  visitor.url = second.url
  assert.equal((await visitor.get('/auth/me')).body.user_id, 1)
  assert.equal((await visitor.get('/dashboard')).body.devices, 1)
  assert.equal((await visitor.post('/auth/logout')).status, 200)
  assert.equal((await visitor.get('/auth/me')).status, 401)
  assert.equal((await visitor.login('ada')).status, 200)
  assert.equal(readFileSync(join(folder, 'secret'), 'utf8'), secret)
  assert.equal(await second.stop(), 0)
})

test('demo: shuts down cleanly and frees its port when started by npm', async (t) => {
  const demo = await startDemo(t, temporaryFolder(t), {}, ['npm', 'start'])
  assert.equal((await new Visitor(demo.url).get('/')).status, 200)
  await demo.stop()
  assert.ok(demo.output().trimEnd().endsWith('stopped'), demo.output())
  await assert.rejects(new Visitor(demo.url).get('/'))
})

test('demo: deleting an account needs sudo mode, ends its sessions and never reuses its id', async (t) => {
  const demo = await hostDemo(t)
  const ada = new Visitor(demo.url)
  const other = new Visitor(demo.url)
  const bob = new Visitor(demo.url)
  await ada.register('ada')
  for (const visitor of [ada, other]) await visitor.login('ada')

  assert.equal(
    (await new Visitor(demo.url).send('DELETE', '/account')).body.code,
    'CRUDAUTH_UNAUTHENTICATED',
  )
  assert.equal((await ada.send('DELETE', '/account')).body.code, 'CRUDAUTH_SUDO_REQUIRED')
  assert.equal(
    (await ada.post('/sudo', { password: 'wrong' })).body.code,
    'CRUDAUTH_WRONG_PASSWORD',
  )
  for (const body of [
    {},
    { password: 1 },
    { password: ['a'] },
    { password: 'a'.repeat(1025) },
    { password: '' },
  ]) {
    assert.equal((await ada.post('/sudo', body)).body.code, 'FST_ERR_VALIDATION')
  }
  assert.equal((await ada.post('/sudo', { password, more: 'a'.repeat(10_000) })).status, 413)
  assert.equal((await ada.send('DELETE', '/account')).body.code, 'CRUDAUTH_SUDO_REQUIRED')

  const { status, body, headers } = await ada.post('/sudo', { password })
  assert.equal(status, 200)
  assert.ok(Date.parse(body.until) > Date.now())
  assert.equal(headers.get('cache-control'), 'no-store')
  assert.equal((await other.send('DELETE', '/account')).body.code, 'CRUDAUTH_SUDO_REQUIRED')
  assert.equal((await other.get('/auth/me')).status, 200)
  assert.equal((await ada.send('DELETE', '/account')).status, 200)
  assert.equal([...ada.cookies.keys()].filter((name) => /session|csrf/.test(name)).length, 0)
  assert.equal((await other.get('/auth/me')).status, 401)
  assert.equal((await ada.login('ada')).status, 401)
  await bob.register('bob')
  assert.equal((await bob.login('bob')).body.id, 2)
})

test('demo: the OpenAPI document has the routes of the plugin and the demo, not the pages', async (t) => {
  const demo = await hostDemo(t)
  const visitor = new Visitor(demo.url)
  const docs = await visitor.get('/docs')
  assert.equal(docs.status, 200)
  assert.match(String(docs.headers.get('content-type')), /text\/html/)
  assert.match(String(docs.headers.get('content-security-policy')), /default-src 'self'/)
  const { body } = await visitor.get('/docs/json')
  assert.deepEqual(
    Object.keys(body.paths).sort(),
    [
      '/account',
      '/auth/change-password',
      '/auth/csrf/refresh',
      '/auth/email/change-confirm',
      '/auth/email/change-request',
      '/auth/email/change-revert',
      '/auth/email/verify-confirm',
      '/auth/email/verify-request',
      '/auth/login',
      '/auth/logout',
      '/auth/logout-all',
      '/auth/me',
      '/auth/mfa',
      '/auth/mfa/challenge',
      '/auth/mfa/passkey/options',
      '/auth/mfa/recovery-codes/regenerate',
      '/auth/mfa/totp/confirm',
      '/auth/mfa/totp/disable',
      '/auth/mfa/totp/setup',
      '/auth/mfa/verify',
      '/auth/passkeys',
      '/auth/passkeys/login/options',
      '/auth/passkeys/login/verify',
      '/auth/passkeys/register/options',
      '/auth/passkeys/register/verify',
      '/auth/passkeys/{id}',
      '/auth/password/reset-confirm',
      '/auth/password/reset-request',
      '/auth/register',
      '/auth/sessions',
      '/auth/sessions/{session_id}',
      '/auth/set-password',
      '/dashboard',
      '/members',
      '/sudo',
      '/sudo/passkey-options',
    ].sort(),
  )
  assert.deepEqual(body.paths['/account'].delete.security, [{ session: [], csrf: [] }])
  assert.deepEqual(body.paths['/dashboard'].get.security, [{ session: [] }])
  assert.ok(body.paths['/sudo'].post.responses['401'])
})

test('demo: the content security policy allows nothing inline or from other origins', async (t) => {
  const demo = await startDemo(t, temporaryFolder(t))
  const visitor = new Visitor(demo.url)
  const pages = [
    '/',
    '/mailbox',
    '/requests',
    '/verify-email',
    '/confirm-email-change',
    '/revert-email',
    '/reset-password',
  ]
  const files = new Set<string>()
  for (const path of pages) {
    const page = await visitor.get(path)
    assert.doesNotMatch(page.body, /<script(?![^>]*\ssrc=)|<style|\sstyle=|\son\w+=|https?:\/\//)
    for (const [, file = ''] of page.body.matchAll(/(?:src|href)="(\/[\w./]+\.\w+)"/g))
      files.add(file)
    const hasSecret = path.includes('-')
    assert.equal(
      page.headers.get('referrer-policy'),
      hasSecret ? 'no-referrer' : 'same-origin',
      path,
    )
  }
  const expected = [
    '/assets/home.js',
    '/assets/link.js',
    '/assets/mailbox.js',
    '/assets/requests.js',
    '/assets/reset.js',
    '/assets/style.css',
    '/icon.svg',
  ]
  assert.deepEqual([...files].sort(), expected)
  for (const path of [...pages, ...files]) {
    const { status, headers } = await visitor.get(path)
    assert.equal(status, 200, path)
    const policy = String(headers.get('content-security-policy'))
    assert.match(policy, /^default-src 'none'.*; trusted-types 'none'/)
    assert.doesNotMatch(policy, /unsafe|\*|https?:/)
    assert.equal(policy.includes('frame-src'), path === '/mailbox')
    assert.equal(headers.get('x-content-type-options'), 'nosniff')
  }
})

test('demo: a configuration error is one line that says what to change', async (t) => {
  const folder = temporaryFolder(t)
  const { port } = await startDemo(t, folder)
  const lines = [
    [
      { PORT: String(port) },
      `Port ${port} is taken. Choose another one: PORT=${port + 1} npm start`,
    ],
    [{ PORT: '70000' }, 'PORT must be a number from 0 to 65535'],
    [{ AUTH_SECRET: 'short' }, 'at least 32 bytes'],
    [{ COOKIE_SECURE: 'no' }, 'COOKIE_SECURE must be 0 or 1'],
    [{ PUBLIC_URL: 'http://demo.example' }, 'must be https'],
    [{ DATABASE_URL: 'mysql://localhost/demo' }, 'DATABASE_URL must be a PostgreSQL URL'],
    [{ DATABASE_URL: 'postgres://me:swordfish@127.0.0.1:1/demo' }, 'PostgreSQL at 127.0.0.1:1: '],
    [{ NODE_ENV: 'production' }, 'NODE_ENV is "production"'],
  ] as const
  for (const [env, line] of lines) {
    const { code, output } = await runDemo(t, { DEMO_FOLDER: folder, PORT: '0', ...env })
    assert.equal(code, 1, output)
    assert.ok(output.includes('The demo cannot start: ') && output.includes(line), output)
    assert.doesNotMatch(output, /\n\s+at |swordfish/, 'a stack or a password')
  }
  writeFileSync(join(folder, 'secret'), 'gone\n')
  const { code, output } = await runDemo(t, { DEMO_FOLDER: folder, PORT: '0' })
  assert.equal(code, 1)
  assert.match(output, /secret holds no secret; delete the file/)
})

test('demo: AUTH_SECRET stores no secret file, COOKIE_SECURE=0 sets cookies without Secure', async (t) => {
  const folder = temporaryFolder(t)
  const demo = await startDemo(t, folder, {
    AUTH_SECRET: 'a secret of the environment, long enough',
    COOKIE_SECURE: '0',
  })
  assert.ok(!readdirSync(folder).includes('secret'))
  const visitor = new Visitor(demo.url)
  await visitor.register('ada')
  const { headers } = await visitor.login('ada')
  const cookies = headers.getSetCookie()
  assert.equal(cookies.length, 3)
  for (const cookie of cookies) assert.doesNotMatch(cookie, /__Host-|secure/i)
  assert.equal((await visitor.get('/auth/me')).status, 200)
})

const redisUrl = serverUrl('TEST_REDIS_URL')
test('demo: sessions in Redis survive a restart', {
  skip: redisUrl ? false : 'needs Redis',
}, async (t) => {
  const folder = temporaryFolder(t)
  const env = { REDIS_URL: String(redisUrl) }
  const first = await startDemo(t, folder, env)
  assert.ok(first.output().includes(`Redis at ${new URL(String(redisUrl)).host}`))
  const visitor = new Visitor(first.url)
  await visitor.register('ada')
  await visitor.login('ada')
  assert.equal(await first.stop(), 0)

  const second = await startDemo(t, folder, env)
  visitor.url = second.url
  assert.equal((await visitor.get('/auth/me')).body.username, 'ada')
  assert.deepEqual((await visitor.post('/auth/logout-all')).body.revoked, 1)
  assert.equal(await second.stop(), 0)
})
