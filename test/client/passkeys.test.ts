import assert from 'node:assert/strict'
import { describe, type TestContext, test } from 'node:test'
import type { CrudAuthOptions } from '../../src/index.js'
import { password } from '../helpers/build.js'
import { codeAt, mfaOptions } from '../helpers/mfa.js'
import { device, origin, passkeyOptions } from '../helpers/passkeys.js'
import { fakeBrowser } from './fake-browser.js'
import { clientOf, credentials, listen, signedIn } from './setup.js'

const open = (t: TestContext, auth: Partial<CrudAuthOptions> = {}) =>
  listen(t, { passkeys: passkeyOptions(), trustedOrigins: [origin], ...auth })

for (const transport of ['session', 'bearer'] as const) {
  for (const isOld of [false, true]) {
    test(`a passkey is added, signs in, is renamed and removed (${transport}, ${isOld ? 'older browser' : 'with the parsers of the browser'})`, async (t) => {
      const authenticator = device()
      fakeBrowser(t, authenticator, { isOld })
      const { url } = await open(t)
      const { auth, takeEvents } = await signedIn(url, { transport })
      assert.equal(auth.passkeys.isSupported(), true)
      assert.equal(await auth.passkeys.isConditionalSupported(), !isOld)
      const added = await auth.passkeys.register('Laptop')
      assert.equal(added.name, 'Laptop')
      assert.deepEqual(added.transports, ['internal'])
      assert.deepEqual(await auth.passkeys.list(), [added])
      await assert.rejects(auth.passkeys.register(), { name: 'InvalidStateError' })

      await auth.logout()
      takeEvents()
      const result = await auth.passkeys.signIn()
      assert.ok(transport === 'bearer' ? 'access_token' in result : 'csrf_token' in result)
      assert.deepEqual(takeEvents(), ['change'])
      assert.equal((await auth.me())?.username, 'ada')
      assert.equal((await auth.passkeys.rename(added.id, 'Phone')).name, 'Phone')
      assert.ok((await auth.passkeys.remove(added.id)).detail)
      assert.deepEqual(await auth.passkeys.list(), [])

      takeEvents()
      const refused = auth.passkeys.signIn()
      await assert.rejects(refused, { code: 'CRUDAUTH_BAD_CREDENTIALS', status: 401 })
      assert.deepEqual(takeEvents(), [], 'a refused passkey is no sign-out')
    })
  }
}

describe('passkeys.signIn', () => {
  test('passes on what the browser shall do, and what the server shall do', async (t) => {
    const asked = fakeBrowser(t, device())
    const { url } = await open(t)
    const { auth, device: sent } = await signedIn(url)
    await auth.passkeys.register()
    await auth.logout()
    const { signal } = new AbortController()
    const result = await auth.passkeys.signIn({
      conditional: true,
      signal,
      rememberMe: true,
      transport: 'bearer',
    })
    assert.ok('access_token' in result, 'another transport than that of the client')
    const last = asked.at(-1)
    assert.deepEqual([last?.mediation, last?.signal], ['conditional', signal])
    assert.equal(sent.count('/auth/passkeys/login/verify'), 1)
  })

  test('what the browser refuses with reaches the caller', async (t) => {
    fakeBrowser(t, device())
    const { url } = await open(t)
    const { auth, takeEvents } = clientOf(url)
    await assert.rejects(auth.passkeys.signIn(), { name: 'NotAllowedError' })
    assert.deepEqual(takeEvents(), [])
  })

  test('may ask for a second factor', async (t) => {
    fakeBrowser(t, device({ verifiesUser: false }))
    const { url } = await open(t, { mfa: mfaOptions })
    const { auth } = await signedIn(url)
    await auth.passkeys.register()
    const { secret } = await auth.mfa.setup(password)
    await auth.mfa.confirm(codeAt(secret))
    const result = await auth.passkeys.signIn()
    assert.ok('mfaRequired' in result)
  })
})

test('a passkey answers the challenge of a second factor', async (t) => {
  fakeBrowser(t, device())
  const { url } = await open(t, { mfa: { ...mfaOptions, required: true } })
  const setUp = clientOf(url)
  const first = await setUp.auth.login(credentials)
  assert.ok('mfaRequired' in first && first.setup)
  await setUp.auth.mfa.verify({ challenge: first.challenge, code: codeAt(first.setup.secret) })
  await setUp.auth.passkeys.register()

  const { auth, takeEvents } = clientOf(url)
  const result = await auth.login(credentials)
  assert.ok('mfaRequired' in result)
  const { methods } = await auth.mfa.challenge(result.challenge)
  assert.deepEqual(methods, ['totp', 'recovery_code', 'passkey'])
  await auth.mfa.verifyPasskey({ challenge: result.challenge })
  assert.deepEqual(takeEvents(), ['change'])
  assert.equal((await auth.me())?.username, 'ada')
})

test('an old sign-in is renewed, and the passkey is then added', async (t) => {
  fakeBrowser(t, device())
  const { url } = await open(t, { freshSeconds: 1 })
  let asked = 0
  const { auth } = await signedIn(url, {
    async onSudoRequired() {
      asked++
      return (
        await auth.fetch('/sudo', {
          method: 'POST',
          headers: { 'content-type': 'application/json' },
          body: JSON.stringify({ password }),
        })
      ).ok
    },
  })
  await new Promise((resolve) => setTimeout(resolve, 1100))
  const { id } = await auth.passkeys.register()
  assert.equal(asked, 1)
  await auth.passkeys.remove(id)
  assert.equal(asked, 1, 'the session is still in sudo mode')
})

test('assert answers an offer of the app, here for sudo mode', async (t) => {
  fakeBrowser(t, device())
  const { url } = await open(t)
  const { auth } = await signedIn(url)
  await auth.passkeys.register()
  const offer = (await (await auth.fetch('/sudo/offer')).json()) as Parameters<
    typeof auth.passkeys.assert
  >[0]
  const proof = await auth.passkeys.assert(offer)
  assert.equal(proof.challenge_id, offer.challenge_id)
  const elevated = await auth.fetch('/sudo', {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ passkey: proof }),
  })
  assert.equal(elevated.status, 200)
  assert.equal((await auth.fetch('/ledger')).status, 200)
})

test('without a browser nothing is supported', async () => {
  const { auth } = clientOf('http://localhost:1')
  assert.equal(auth.passkeys.isSupported(), false)
  assert.equal(await auth.passkeys.isConditionalSupported(), false)
})
