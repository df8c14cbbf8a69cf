import assert from 'node:assert/strict'
import { describe, type TestContext, test } from 'node:test'
import { memoryUsers, type UserStore } from '../../src/index.js'
import { password } from '../helpers/build.js'
import { openUsers } from '../helpers/hostile.js'
import { Mailbox } from '../helpers/mailbox.js'
import { codeAt, mfaOptions, wrongCode } from '../helpers/mfa.js'
import { fields as oauthFields, startAcme } from '../helpers/oauth.js'
import { ada, clientOf, credentials, json, listen, signedIn } from './setup.js'

const next = 'another good phrase'

describe('email and recovery', () => {
  async function withMail(t: TestContext) {
    const mail = new Mailbox()
    const { url, app } = await listen(t, { email: mail.options() })
    await mail.next(ada.email, 'verify_email')
    return { mail, url, app }
  }

  for (const transport of ['session', 'bearer'] as const) {
    test(`verification, reset, change and revert (${transport})`, async (t) => {
      const { mail, url } = await withMail(t)
      const { auth, takeEvents } = await signedIn(url, { transport })
      const { recovery } = auth
      const { email } = ada
      assert.ok((await recovery.requestVerification({ email, redirect_to: '/welcome' })).detail)
      const verify = await mail.token(email, 'verify_email', 2)
      assert.equal((await recovery.confirmVerification(verify)).redirect_to, '/welcome')
      assert.equal((await auth.me())?.email_verified, true)
      await assert.rejects(recovery.confirmVerification(verify), {
        code: 'CRUDAUTH_TOKEN_INVALID_OR_USED',
      })

      const new_email = 'ada@new.example'
      const wrong = recovery.requestEmailChange({ new_email, password: 'wrong' })
      await assert.rejects(wrong, { code: 'CRUDAUTH_WRONG_PASSWORD', status: 400 })
      await recovery.requestEmailChange({ new_email, password })
      await recovery.confirmEmailChange(await mail.token(new_email, 'change_email'))
      assert.equal((await auth.me())?.email, new_email)
      await recovery.revertEmailChange(await mail.token(email, 'email_changed'))
      assert.deepEqual(takeEvents(), [])
      assert.equal(await auth.me(), null, 'all sessions and tokens have ended')
      assert.deepEqual(takeEvents(), ['signedout', 'onSignedOut', 'change'])

      await recovery.requestReset({ email })
      await recovery.confirmReset(await mail.token(email, 'reset_password'), next)
      await auth.login({ username: email, password: next })
      assert.equal((await auth.me())?.email, email)
    })
  }

  test('register answers alike for new and known addresses', async (t) => {
    const { url } = await withMail(t)
    const { auth } = clientOf(url)
    const first = await auth.register({ ...ada, email: 'eve@example.com', username: 'eve' })
    assert.ok('detail' in first)
    assert.deepEqual(await auth.register({ ...ada, username: 'other' }), first)
  })
})

describe('second factor', () => {
  const mfa = { mfa: mfaOptions }

  for (const transport of ['session', 'bearer'] as const) {
    test(`set-up, sign-in with a code, new codes and turning off (${transport})`, async (t) => {
      t.mock.timers.enable({ apis: ['Date'], now: Date.now() })
      const { url } = await listen(t, mfa)
      const { auth, takeEvents } = await signedIn(url, { transport })
      assert.equal((await auth.mfa.status()).enabled, false)
      await assert.rejects(auth.mfa.setup('wrong'), { code: 'CRUDAUTH_WRONG_PASSWORD' })
      const { secret } = await auth.mfa.setup(password)
      const code = () => {
        t.mock.timers.tick(30_000)
        return codeAt(secret)
      }
      const { recovery_codes } = await auth.mfa.confirm(code())
      assert.equal(recovery_codes.length, 10)
      await auth.logout()

      takeEvents()
      const result = await auth.login(credentials)
      assert.ok('mfaRequired' in result)
      assert.deepEqual([result.mfaRequired, result.expiresIn, result.setup], [true, 300, undefined])
      assert.deepEqual(takeEvents(), [], 'nobody is signed in yet')
      const { challenge } = result
      assert.deepEqual(await auth.mfa.challenge(challenge), {
        setup: null,
        methods: ['totp', 'recovery_code'],
      })
      const wrong = auth.mfa.verify({ challenge, code: wrongCode(secret) })
      await assert.rejects(wrong, { code: 'CRUDAUTH_MFA_CODE', status: 401 })
      assert.deepEqual(takeEvents(), [], 'a wrong code is no sign-out')
      await auth.mfa.verify({ challenge, code: code(), remember_device: true })
      assert.deepEqual(takeEvents(), ['change'])
      assert.equal((await auth.fetch('/notes', json({}))).status, 200)

      const fresh = await auth.mfa.regenerateRecoveryCodes(code())
      assert.equal(fresh.recovery_codes.length, 10)
      assert.notDeepEqual(fresh.recovery_codes, recovery_codes)
      await auth.mfa.disable(String(fresh.recovery_codes[0]))
      assert.equal((await auth.mfa.status()).enabled, false)
      assert.deepEqual(takeEvents(), [])
    })
  }

  test('a required account enrolls at its sign-in', async (t) => {
    const { url } = await listen(t, { mfa: { ...mfaOptions, required: true } })
    const { auth } = clientOf(url)
    const result = await auth.login(credentials)
    assert.ok('mfaRequired' in result && result.setup)
    const { setup } = await auth.mfa.challenge(result.challenge)
    assert.equal(setup?.secret, result.setup.secret)
    const verified = await auth.mfa.verify({
      challenge: result.challenge,
      code: codeAt(result.setup.secret),
    })
    assert.equal(verified.recovery_codes?.length, 10)
    assert.equal((await auth.me())?.username, 'ada')
  })

  test('accept: a sign-in at a route of the app may ask for a code', async (t) => {
    const { url } = await listen(t, { mfa: { ...mfaOptions, required: true } })
    const { auth } = clientOf(url)
    const response = await auth.fetch('/enter', json({ transport: 'session' }))
    const result = await auth.accept((await response.json()) as never)
    assert.ok('mfaRequired' in result && result.setup)
  })
})

describe('providers', () => {
  /** What the page shows and where it goes. */
  function page(t: TestContext, href: string) {
    const visited: string[] = []
    const location = {
      href,
      origin: new URL(href).origin,
      assign: (to: string) => visited.push(to),
    }
    const history = {
      state: { kept: 1 },
      replaceState(state: unknown, _unused: string, to: string) {
        assert.deepEqual(state, { kept: 1 })
        location.href = new URL(to, href).href
      },
    }
    Object.defineProperty(globalThis, 'location', { value: location, configurable: true })
    Object.defineProperty(globalThis, 'history', { value: history, configurable: true })
    t.after(() => {
      for (const name of ['location', 'history']) Reflect.deleteProperty(globalThis, name)
    })
    return { visited, location }
  }

  async function withProvider(t: TestContext) {
    const acme = await startAcme(t)
    const { store } = openUsers({ fields: oauthFields })
    return listen(t, {
      users: store as UserStore,
      oauth: { baseUrl: 'https://app.example.com', providers: { acme: acme.provider() } },
    })
  }

  test('signInWith leaves for the route, with its options', async (t) => {
    const { visited } = page(t, 'https://app.example.com/start')
    const { auth } = clientOf('https://app.example.com')
    auth.oauth.signInWith('acme')
    auth.oauth.signInWith('a/c', { redirectTo: '/notes?a=1', rememberMe: true })
    assert.deepEqual(visited, [
      'https://app.example.com/auth/oauth/acme/authorize',
      'https://app.example.com/auth/oauth/a%2Fc/authorize?redirect_to=%2Fnotes%3Fa%3D1&remember_me=true',
    ])
  })

  test('link leaves for the provider; accounts and unlink', async (t) => {
    const { app, url } = await withProvider(t)
    const { visited } = page(t, 'https://app.example.com/settings')
    const { auth } = await signedIn(url)
    await auth.oauth.link('acme', '/settings')
    await auth.oauth.link('acme')
    const query = new URL(String(visited[0])).searchParams
    assert.equal(query.get('response_type'), 'code')
    assert.equal(visited.length, 2)

    await assert.rejects(auth.oauth.unlink('acme'), { code: 'CRUDAUTH_NOT_FOUND' })
    await app.crudAuth.users.update(1, { acmeId: 'ada-1' })
    assert.deepEqual(
      (await auth.oauth.accounts()).map(({ provider }) => provider),
      ['acme'],
    )
    await assert.rejects(auth.oauth.link('acme'), { code: 'CRUDAUTH_DUPLICATE' })
    await auth.oauth.unlink('acme')
    assert.deepEqual(await auth.oauth.accounts(), [])
  })

  test('readLinkToken and readLanding clear the address', (t) => {
    const { location } = page(t, 'https://app.example.com/verify?token=abc&redirect_to=//x&a=1#h')
    const { auth } = clientOf('https://app.example.com')
    assert.equal(auth.readLinkToken(), 'abc')
    assert.equal(location.href, 'https://app.example.com/verify?a=1#h')
    assert.equal(auth.readLinkToken(), null)

    location.href = 'https://app.example.com/?error=oauth_failed&a=1'
    assert.deepEqual(auth.oauth.readLanding(), { error: 'oauth_failed', challenge: null })
    assert.equal(location.href, 'https://app.example.com/?a=1')
    location.href = 'https://app.example.com/notes#mfa_challenge=ab-c_1'
    assert.deepEqual(auth.oauth.readLanding(), { error: null, challenge: 'ab-c_1' })
    assert.equal(location.href, 'https://app.example.com/notes')
    location.href = 'https://app.example.com/#/notes?mfa_challenge=abc&b=1'
    assert.deepEqual(auth.oauth.readLanding(), { error: null, challenge: 'abc' })
    assert.ok(!location.href.includes('abc'))
    assert.deepEqual(auth.oauth.readLanding(), { error: null, challenge: null })
  })

  test('outside a page there is nothing to read', () => {
    const { auth } = clientOf('https://app.example.com')
    assert.equal(auth.readLinkToken(), null)
    assert.deepEqual(auth.oauth.readLanding(), { error: null, challenge: null })
    auth.oauth.signInWith('acme')
  })
})

test('me: has the public fields of the app', async (t) => {
  const users = memoryUsers({ fields: oauthFields })
  const { url } = await listen(t, { users, account: { publicFields: ['createdAt'] } })
  const { auth } = await signedIn(url)
  const me = await auth.me<{ created_at: string }>()
  assert.ok(me && new Date(me.created_at).getTime() > 0)
})
