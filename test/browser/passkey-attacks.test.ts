import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { mfaOptions } from '../helpers/mfa.js'
import { chromiumPath } from './chromium.js'
import { serve, Tab } from './passkey-page.js'

const chromium = chromiumPath()
const skip = chromium ? false : 'needs Chromium'
const refused = 'CRUDAUTH_BAD_CREDENTIALS'
const open = (t: TestContext, url: string) => Tab.open(t, String(chromium), url)
const adaByTwoFactors = { name: 'ada', amr: ['webauthn', 'mfa'] }

/** Signs in from outside of the browser, with what a page of an attacker has got. */
async function replay(url: string, proof: object) {
  const response = await fetch(`${url}/auth/passkeys/login/verify`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(proof),
  })
  return ((await response.json()) as { code?: string }).code ?? 'signed in'
}

const offerOf = async (url: string): Promise<unknown> =>
  (await fetch(`${url}/auth/passkeys/login/options`, { method: 'POST' })).json()

test('passkeys: a response of a page on another port is refused', { skip }, async (t) => {
  const { url } = await serve(t)
  const attacker = await serve(t)
  const tab = await open(t, url)
  await tab.createPasskey('ada')
  const sign = async () =>
    tab.run(`return auth.passkeys.assert(${JSON.stringify(await offerOf(url))})`)
  const rightPage = await sign()
  await tab.visit(attacker.url)
  const wrongPage = await sign()
  assert.equal(await replay(url, wrongPage), refused)
  assert.equal(await replay(url, rightPage), 'signed in')
  assert.equal(await replay(url, rightPage), refused, 'used')
})

test('passkeys: browsers refuse the passkeys of another host', { skip }, async (t) => {
  const { url, port } = await serve(t)
  const tab = await open(t, url)
  await tab.createPasskey('ada')
  assert.equal(await tab.signIn({ rpId: 'example.com' }), 'SecurityError')
  await tab.visit(`http://127.0.0.1:${port}`)
  assert.equal(
    await tab.run('return auth.passkeys.signIn().catch(({ name }) => name)'),
    'SecurityError',
  )
})

test('passkeys: a signature for another rpId of the same page is refused', { skip }, async (t) => {
  const host = 'www.app.localhost'
  const { url } = await serve(t, { host, passkeys: { rpId: 'app.localhost' } })
  const tab = await open(t, url)
  const credential = await tab.createPasskey('ada')
  await tab.authenticator.hold({ ...credential, rpId: host })
  assert.equal(await tab.signIn({ rpId: host }), refused)
  await tab.authenticator.hold(credential)
  assert.deepEqual(await tab.signIn(), adaByTwoFactors)
})

test('passkeys: a copied passkey is refused and reported', { skip }, async (t) => {
  const reports: unknown[] = []
  const { url } = await serve(t, {
    hooks: {
      onPasskeySuspicious: (user, { counter, storedCounter }) => {
        reports.push([user.username, counter <= storedCounter])
      },
    },
  })
  const tab = await open(t, url)
  const copy = await tab.createPasskey('ada')
  assert.deepEqual(await tab.signIn(), adaByTwoFactors)
  assert.deepEqual(await tab.signIn(), adaByTwoFactors)
  const [original] = await tab.authenticator.credentials()
  assert.ok(original && original.signCount > copy.signCount)
  await tab.authenticator.hold(copy)
  assert.equal(await tab.signIn(), refused)
  assert.deepEqual(reports, [['ada', true]])
  await tab.authenticator.hold(original)
  assert.deepEqual(await tab.signIn(), adaByTwoFactors)
})

test('passkeys: without user verification a passkey is one factor', { skip }, async (t) => {
  let isRequired = false
  const { url } = await serve(t, { mfa: { ...mfaOptions, required: () => isRequired } })
  const tab = await open(t, url)
  await tab.createPasskey('ada')
  const withoutIt = { userVerification: 'discouraged' }
  assert.deepEqual(await tab.signIn(withoutIt), { name: 'ada', amr: ['webauthn'] })
  assert.deepEqual(await tab.signIn(), adaByTwoFactors)

  isRequired = true
  await tab.run('await auth.logout()')
  const step = await tab.run(`
    tampering.options = ${JSON.stringify(withoutIt)}
    const { mfaRequired, challenge } = await auth.passkeys.signIn()
    const once = () => outcome(() => auth.mfa.verifyPasskey({ challenge }))
    const refused = await once()
    tampering.options = {}
    return [mfaRequired, refused, await once()]`)
  // One passkey is two factors only if the second use verifies the user.
  assert.deepEqual(step.slice(0, 2), [true, 'CRUDAUTH_MFA_CODE'])
  assert.equal(step[2].name, 'ada')
  assert.ok(step[2].amr.includes('mfa'))
})

test('passkeys: a required user verification cannot be left out', { skip }, async (t) => {
  const { url } = await serve(t, { passkeys: { userVerification: 'required' } })
  const tab = await open(t, url)
  await tab.createPasskey('ada')
  const withoutIt = { userVerification: 'discouraged' }
  assert.equal(await tab.signIn(withoutIt), refused)
  assert.deepEqual(await tab.signIn(), adaByTwoFactors)
  await tab.authenticator.verifiesUser(false)
  assert.equal(await tab.signIn(), 'NotAllowedError')
})

test('passkeys: a deleted passkey no longer signs in', { skip }, async (t) => {
  const { url } = await serve(t)
  const tab = await open(t, url)
  await tab.createPasskey('ada')
  assert.deepEqual(await tab.signIn(), adaByTwoFactors)
  await tab.run('for (const { id } of await auth.passkeys.list()) await auth.passkeys.remove(id)')
  assert.equal(await tab.signIn(), refused)
})

test('passkeys: the passkey of another user is refused', { skip }, async (t) => {
  let isRequired = false
  const { url } = await serve(t, { mfa: { ...mfaOptions, required: () => isRequired } })
  const tab = await open(t, url)
  const { authenticator } = tab
  const ada = await tab.createPasskey('ada')
  const bob = await tab.createPasskey('bob')
  // The authenticator says that the passkey is another user's.
  await authenticator.hold({ ...ada, userHandle: String(bob.userHandle) })
  assert.equal(await tab.signIn(), refused)

  isRequired = true
  /** Bob's password, and then a passkey. The page hides from the browser whose it must be. */
  const secondFactor = () =>
    tab.run(`
      const { challenge } = await auth.login({ username: 'bob', password })
      tampering.options = { allowCredentials: [] }
      return outcome(() => auth.mfa.verifyPasskey({ challenge }))`)
  await authenticator.hold(ada)
  assert.equal(await secondFactor(), 'CRUDAUTH_MFA_CODE')
  await authenticator.hold(bob)
  assert.deepEqual(await secondFactor(), { name: 'bob', amr: ['pwd', 'webauthn', 'mfa'] })

  const sudo = () =>
    tab.run(`
      tampering.options = { allowCredentials: [] }
      const passkey = await auth.passkeys.assert(await json('/sudo/options'))
      const { code, until } = await json('/sudo', { passkey })
      return code ?? typeof until`)
  await authenticator.hold(ada)
  assert.equal(await sudo(), 'CRUDAUTH_MFA_CODE')
  await authenticator.hold({ ...bob, signCount: bob.signCount + 5 })
  assert.equal(await sudo(), 'string')
})
