import assert from 'node:assert/strict'
import { readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { Authenticator } from './authenticator.js'
import { hostDemo } from './in-process.js'
import { runDemo, startDemo, temporaryFolder } from './start.js'
import { password, Visitor } from './visitor.js'

/** Registers and signs in. */
async function signedIn(url: string): Promise<Visitor> {
  const visitor = new Visitor(url)
  await visitor.register('ada')
  assert.equal((await visitor.login('ada')).status, 200)
  return visitor
}

/** Sets up the second factor. */
async function enroll(visitor: Visitor) {
  const { body } = await visitor.post('/auth/mfa/totp/setup', { password })
  assert.equal(new URL(body.otpauth_uri).searchParams.get('secret'), body.secret)
  const authenticator = new Authenticator(body.secret)
  const code = await authenticator.code()
  const confirmed = await visitor.post('/auth/mfa/totp/confirm', { code })
  assert.equal(confirmed.status, 200)
  return {
    authenticator,
    secret: body.secret as string,
    codes: confirmed.body.recovery_codes as string[],
  }
}

test('demo: the second factor is set up, asked for, remembered by a device and removed', async (t) => {
  const demo = await startDemo(t, temporaryFolder(t))
  const ada = await signedIn(demo.url)
  const { authenticator, secret, codes } = await enroll(ada)
  await ada.mail('mfa_enabled', 'ada@example.com')
  assert.deepEqual((await ada.get('/auth/mfa')).body, {
    enabled: true,
    required: false,
    recovery_codes_remaining: 10,
  })
  await ada.post('/auth/logout')

  const { body } = await ada.login('ada')
  assert.deepEqual([body.mfa_required, body.setup], [true, undefined])
  assert.equal((await ada.get('/dashboard')).status, 401)
  const { challenge } = body
  const wrong = await ada.post('/auth/mfa/verify', { challenge, code: 'aaaa-aaaa-aaaa-aaaa' })
  assert.equal(wrong.body.code, 'CRUDAUTH_MFA_CODE')
  const verified = await ada.post('/auth/mfa/verify', {
    challenge,
    code: await authenticator.code(),
    remember_device: true,
  })
  assert.equal(verified.status, 200)
  assert.equal((await ada.get('/dashboard')).body.hello, 'ada')
  await ada.post('/auth/logout')
  assert.equal((await ada.login('ada')).body.username, 'ada')

  const [code] = codes
  const off = await ada.post('/auth/mfa/totp/disable', { code })
  assert.equal(off.status, 200)
  await ada.mail('mfa_disabled', 'ada@example.com')
  assert.equal((await new Visitor(demo.url).login('ada')).body.username, 'ada')

  assert.equal(await demo.stop(), 0)
  for (const live of [secret, challenge, ...codes])
    assert.ok(!demo.output().includes(live), 'a secret is in the log')
})

test('demo: sudo mode takes a code of the authenticator app, and no recovery code', async (t) => {
  const demo = await hostDemo(t)
  const ada = await signedIn(demo.url)
  const without = await ada.post('/sudo', { code: '123456' })
  assert.equal(without.body.code, 'CRUDAUTH_SUDO_REQUIRED')
  const { authenticator, codes } = await enroll(ada)
  assert.equal((await ada.post('/sudo', { code: codes[0] })).body.code, 'CRUDAUTH_MFA_CODE')
  assert.equal((await ada.post('/sudo', { code: 1 })).body.code, 'FST_ERR_VALIDATION')
  assert.equal((await ada.post('/sudo', { code: await authenticator.code() })).status, 200)
  assert.equal((await ada.send('DELETE', '/account')).status, 200)
})

test('demo: MFA_REQUIRED=1 sets the second factor up at the first sign-in', async (t) => {
  const demo = await hostDemo(t, { MFA_REQUIRED: '1' })
  const ada = new Visitor(demo.url)
  await ada.register('ada')
  const { challenge, setup } = (await ada.login('ada')).body
  assert.equal(
    (await ada.post('/auth/mfa/challenge', { challenge })).body.setup.secret,
    setup.secret,
  )
  const authenticator = new Authenticator(setup.secret)
  const { body } = await ada.post('/auth/mfa/verify', {
    challenge,
    code: await authenticator.code(),
  })
  assert.equal(body.recovery_codes.length, 10)
  assert.equal((await ada.get('/auth/me')).body.username, 'ada')
  const disabled = await ada.post('/auth/mfa/totp/disable', { code: body.recovery_codes[0] })
  assert.equal(disabled.body.code, 'CRUDAUTH_FORBIDDEN')
})

async function restarts(t: TestContext, env: Record<string, string>, folder: string) {
  const first = await startDemo(t, folder, env)
  const ada = await signedIn(first.url)
  const { authenticator } = await enroll(ada)
  assert.equal(await first.stop(), 0)
  const second = await startDemo(t, folder, env)
  ada.url = second.url
  const { challenge } = (await ada.login('ada')).body
  const code = await authenticator.code()
  assert.equal((await ada.post('/auth/mfa/verify', { challenge, code })).status, 200)
  assert.equal(await second.stop(), 0)
}

test('demo: the TOTP key survives a restart, and so do authenticator apps', async (t) => {
  const folder = temporaryFolder(t)
  await restarts(t, {}, folder)
  const path = join(folder, 'mfa-key')
  if (process.platform !== 'win32') assert.equal(statSync(path).mode & 0o777, 0o600)
  const key = readFileSync(path, 'utf8')
  assert.notEqual(key, readFileSync(join(folder, 'secret'), 'utf8'))
})

test('demo: MFA_KEY stores no key file and must differ from the secret', async (t) => {
  const folder = temporaryFolder(t)
  const key = 'a key of the environment, long enough for it'
  await restarts(t, { MFA_KEY: key }, folder)
  assert.ok(!readdirSync(folder).includes('mfa-key'))
  for (const [env, line] of [
    [{ MFA_KEY: 'short' }, 'at least 32 bytes'],
    [{ MFA_KEY: key, AUTH_SECRET: key }, 'must differ from "secret"'],
    [{ MFA_REQUIRED: 'yes' }, 'MFA_REQUIRED must be 0 or 1'],
  ] as const) {
    const { code, output } = await runDemo(t, { DEMO_FOLDER: folder, PORT: '0', ...env })
    assert.equal(code, 1, output)
    assert.ok(output.includes('The demo cannot start: ') && output.includes(line), output)
  }
})

test('demo: the QR encoder is bundled, and the scripts load nothing from elsewhere', async (t) => {
  const demo = await hostDemo(t)
  const visitor = new Visitor(demo.url)
  const home = await visitor.get('/assets/home.js')
  assert.equal(home.status, 200)
  assert.match(String(home.headers.get('content-type')), /^text\/javascript/)
  assert.match(String(home.headers.get('content-security-policy')), /^default-src 'none'/)
  assert.match(home.body, /node_modules\/uqr\//)
  const imports = [...home.body.matchAll(/from "([^"]+)"/g)].map(([, path = '']) => path)
  assert.ok(imports.length > 0)
  for (const path of imports) {
    assert.match(path, /^\.\/shared-\w+\.js$/)
    assert.equal((await visitor.get(`/assets/${path.slice(2)}`)).status, 200)
  }
  assert.doesNotMatch(home.body, /\bimport\(/)
})
