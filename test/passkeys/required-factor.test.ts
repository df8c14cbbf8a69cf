import assert from 'node:assert/strict'
import { describe, type TestContext, test } from 'node:test'
import { answers, refusesOwn } from '../helpers/answers.js'
import { Client, signedIn } from '../helpers/client.js'
import { challengeOf, codeAt, enroll, mfaOptions, verify } from '../helpers/mfa.js'
import { type PasskeyPlace, passkeyPlaces } from '../helpers/passkey-places.js'
import {
  addPasskey,
  answerWithPasskey,
  buildPasskeys,
  device,
  passkeyIds,
  passkeyLogin,
  passkeyLoginOf,
  passkeyUser,
} from '../helpers/passkeys.js'

const invalid = 'CRUDAUTH_TOKEN_INVALID_OR_USED'

/** An app that requires a second factor once `require` was called. */
async function start(t: TestContext, place: PasskeyPlace) {
  const { auth, store } = await place.open(t)
  let isRequired = false
  const app = await buildPasskeys(
    t,
    {
      ...auth,
      mfa: { ...mfaOptions, required: () => isRequired, rememberDeviceDays: 1 },
    },
    { store },
  )
  return {
    app,
    require: (value = true) => {
      isRequired = value
    },
  }
}

for (const place of passkeyPlaces) {
  describe(`${place.name}: an account whose only second factor is a passkey`, () => {
    test('its password asks for the passkey only where a factor is required', async (t) => {
      const { app, require } = await start(t, place)
      const { authenticator } = await passkeyUser(app, 'ada')
      assert.equal(answers(await new Client(app).login('ada'), 200).mfa_required, undefined)
      require()
      const client = new Client(app)
      const body = answers(await client.login('ada'), 200)
      assert.deepEqual(Object.keys(body).sort(), ['challenge', 'expires_in', 'mfa_required'])
      const { challenge } = body
      const info = answers(await client.post('/mfa/challenge', { challenge }), 200)
      assert.deepEqual(info, { setup: null, methods: ['passkey'] })
      for (const code of ['123456', 'aaaa-bbbb-cccc-dddd'])
        refusesOwn(await verify(client, challenge, code), 'CRUDAUTH_MFA_CODE')
      const remember = { remember_device: true }
      answers(await answerWithPasskey(client, challenge, authenticator, remember), 200)
      // Nothing would end the mark of a remembered browser.
      client.csrf = null
      await challengeOf(client, 'ada')
    })

    test('its passkey signs in alone where it verifies the user, and twice where it does not', async (t) => {
      const { app, require } = await start(t, place)
      const { authenticator } = await passkeyUser(app, 'ada')
      require()
      const client = new Client(app)
      answers(await passkeyLoginOf(app, authenticator), 200)
      const forged = { flags: { uv: false } }
      const body = answers(await passkeyLoginOf(app, authenticator, { forged }), 200)
      assert.deepEqual(Object.keys(body).sort(), ['challenge', 'expires_in', 'mfa_required'])
      const { challenge } = body
      refusesOwn(
        await answerWithPasskey(client, challenge, authenticator, { forged }),
        'CRUDAUTH_MFA_CODE',
      )
      answers(await answerWithPasskey(client, challenge, authenticator), 200)
    })

    test('its challenge ends with its last passkey', async (t) => {
      const { app, require } = await start(t, place)
      const { client: owner, authenticator, passkey } = await passkeyUser(app, 'ada')
      require()
      const client = new Client(app)
      const challenge = await challengeOf(client, 'ada')
      const begun = answers(await client.post('/mfa/passkey/options', { challenge }), 200)
      require(false)
      answers(await owner.delete(`/passkeys/${passkey.id}`), 200)
      const response = authenticator.get(begun.options)
      const late = { challenge, challenge_id: begun.challenge_id, response }
      refusesOwn(await client.post('/mfa/verify', late), invalid)
    })

    test('it keeps its last passkey while a factor is required', async (t) => {
      const { app, require } = await start(t, place)
      const { client, passkey } = await passkeyUser(app, 'ada')
      const second = await addPasskey(client, device())
      require()
      answers(await client.delete(`/passkeys/${second.id}`), 200)
      refusesOwn(await client.delete(`/passkeys/${passkey.id}`), 'CRUDAUTH_FORBIDDEN')
      const third = await addPasskey(client, device())
      const both = await Promise.all(
        [passkey.id, third.id].map((id) => client.delete(`/passkeys/${id}`)),
      )
      assert.deepEqual(both.map(({ statusCode }) => statusCode).sort(), [200, 403])
      await enroll(client)
      const [last] = await passkeyIds(client)
      answers(await client.delete(`/passkeys/${last}`), 200)
    })
  })

  test(`${place.name}: a setup ends when the account gets a passkey`, async (t) => {
    const { app, require } = await start(t, place)
    const owner = await signedIn(app, 'ada')
    require()
    const client = new Client(app)
    const { challenge, setup } = answers(await client.login('ada'), 200)
    await addPasskey(owner, device())
    refusesOwn(await client.post('/mfa/challenge', { challenge }), invalid)
    refusesOwn(await verify(client, challenge, codeAt(setup.secret)), invalid)
    assert.equal(answers(await owner.get('/mfa'), 200).enabled, false)
  })
}

test('currentUser({ mfa: true }) admits who signed in with two factors', async (t) => {
  const app = await buildPasskeys(t, { mfa: mfaOptions })
  const { client, authenticator } = await passkeyUser(app, 'ada')
  assert.equal((await client.get('/strict')).json().code, 'CRUDAUTH_MFA_REQUIRED')
  for (const [uv, status] of [
    [true, 200],
    [false, 403],
  ] as const) {
    const browser = new Client(app)
    answers(await passkeyLogin(browser, authenticator, { forged: { flags: { uv } } }), 200)
    assert.equal((await browser.get('/strict')).statusCode, status)
  }
})
