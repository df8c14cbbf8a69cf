import assert from 'node:assert/strict'
import { describe, type TestContext, test } from 'node:test'
import { memoryUsers, type UserStore } from '../../src/index.js'
import { answers, refusesOwn, setCookies } from '../helpers/answers.js'
import { sessionCookie } from '../helpers/hostile.js'
import { mfaOptions } from '../helpers/mfa.js'
import { ada, Browser, browserOf, buildOAuth, fields, landsOn } from '../helpers/oauth.js'
import { type PasskeyPlace, passkeyPlaces } from '../helpers/passkey-places.js'
import { addPasskey, answerWithPasskey, device, passkeyOptions } from '../helpers/passkeys.js'

const mfaFields = ['totpSecretEncrypted', 'totpConfirmedAt', 'totpLastStep', 'mfaRecoveryCodes']

/** A verified user with a password and a passkey. A second factor is required if `isRequired`. */
async function start(
  t: TestContext,
  place: PasskeyPlace,
  { isRequired = true, oauth = {} }: { isRequired?: boolean; oauth?: object } = {},
) {
  const { auth, store } = await place.open(t)
  const users: UserStore = memoryUsers({ fields: [...fields, ...mfaFields] })
  let required = false
  const { app } = await buildOAuth(t, {
    auth: {
      ...auth,
      users,
      mfa: { ...mfaOptions, required: () => required },
      passkeys: passkeyOptions({ store }),
    },
    oauth,
  })
  const owner = await browserOf(app, 'ada')
  await users.update(1, { emailVerified: true })
  const authenticator = device()
  await addPasskey(owner, authenticator)
  required = isRequired
  return { app, users, owner, authenticator }
}

const linkOf = async (users: UserStore) => (await users.findById(1))?.acmeId

for (const place of passkeyPlaces) {
  describe(`${place.name}: a sign-in with a provider, of an account with a passkey`, () => {
    test('redirect mode: the account is linked after the passkey, not before', async (t) => {
      const { app, users, authenticator } = await start(t, place)
      const browser = new Browser(app)
      const response = await browser.signIn(ada, 'acme', '?redirect_to=/notes')
      const [, challenge = ''] = String(response.headers.location).split('#mfa_challenge=')
      assert.ok(!(sessionCookie in setCookies(response)))
      assert.equal(await browser.me(), null)
      assert.equal(await linkOf(users), null)
      const info = answers(await browser.post('/mfa/challenge', { challenge }), 200)
      assert.deepEqual(info, { setup: null, methods: ['passkey'] })
      const forged = { origin: 'https://evil.example' }
      const wrong = await answerWithPasskey(browser, challenge, authenticator, { forged })
      refusesOwn(wrong, 'CRUDAUTH_MFA_CODE')
      assert.equal(await linkOf(users), null)
      const body = answers(await answerWithPasskey(browser, challenge, authenticator), 200)
      assert.equal(body.redirect_to, '/notes')
      assert.equal((await browser.me()).user_id, 1)
      assert.equal(await linkOf(users), ada.sub)
    })

    test('JSON mode: the same, with the body of the provider', async (t) => {
      const { app, users, authenticator } = await start(t, place, {
        oauth: { responses: 'json' },
      })
      const browser = new Browser(app)
      const authorize = await browser.get('/oauth/acme/authorize')
      const query = new URL(authorize.json().url).searchParams
      const body = answers(await browser.finish(query, ada), 200)
      assert.deepEqual(Object.keys(body).sort(), ['challenge', 'expires_in', 'mfa_required'])
      assert.equal(await linkOf(users), null)
      const verified = answers(await answerWithPasskey(browser, body.challenge, authenticator), 200)
      assert.equal(verified.user.user_id, 1)
      assert.equal(await linkOf(users), ada.sub)
    })

    test('where no factor is required, the provider is enough', async (t) => {
      const { app, users } = await start(t, place, { isRequired: false })
      const browser = new Browser(app)
      landsOn(await browser.signIn(ada), '/start')
      assert.equal((await browser.me()).user_id, 1)
      assert.equal(await linkOf(users), ada.sub)
    })
  })
}
