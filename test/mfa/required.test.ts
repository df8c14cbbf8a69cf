import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { currentUser } from '../../src/index.js'
import { answers, refusesOwn } from '../helpers/answers.js'
import { backends } from '../helpers/backends.js'
import { type BuildOptions, build, password } from '../helpers/build.js'
import { Client, signedIn } from '../helpers/client.js'
import { noUnhandledRejections, statuses, times } from '../helpers/hostile.js'
import {
  allowCodesAgain,
  challengeOf,
  codeAt,
  enroll,
  enrolledUser,
  mfaOptions,
  signInWithCode,
  verify,
  wrongCode,
} from '../helpers/mfa.js'

const invalid = 'CRUDAUTH_TOKEN_INVALID_OR_USED'
const required = { ...mfaOptions, required: true } as const

interface SetupChallenge {
  readonly challenge: string
  readonly setup: { readonly secret: string; readonly otpauth_uri: string }
}

/** An app that requires a second factor of everybody, with a user who has none. */
async function requiring(t: Parameters<typeof build>[0], options: BuildOptions = {}) {
  const app = await build(t, { ...options, auth: { mfa: required, ...options.auth } })
  await new Client(app).register('ada')
  return app
}

/** Signs in with the password. Returns the challenge, whose secret the user must confirm. */
async function begin(client: Client): Promise<SetupChallenge> {
  const body = answers(await client.login('ada'), 200)
  assert.deepEqual(Object.keys(body).sort(), ['challenge', 'expires_in', 'mfa_required', 'setup'])
  assert.deepEqual(Object.keys(body.setup).sort(), ['otpauth_uri', 'secret'])
  return body
}

describe('an account that must have a second factor', () => {
  test('it enrolls at its next sign-in, and gets its recovery codes once', async (t) => {
    const enabled: (string | undefined)[] = []
    const app = await requiring(t, {
      auth: { hooks: { onMfaEnabled: (_user, { request }) => enabled.push(request?.url) } },
      routes(app) {
        app.get('/safe', { onRequest: currentUser({ mfa: true }) }, async ({ principal }) => ({
          amr: principal.amr,
        }))
      },
    })
    const client = new Client(app)
    const { challenge, setup } = await begin(client)
    refusesOwn(await client.get('/me'), 'CRUDAUTH_UNAUTHENTICATED')
    const shown = answers(await client.post('/mfa/challenge', { challenge }), 200)
    assert.deepEqual(shown, { setup, methods: ['totp'] })
    refusesOwn(await verify(client, challenge, wrongCode(setup.secret)), 'CRUDAUTH_MFA_CODE')
    const code = codeAt(setup.secret)
    const body = answers(await verify(client, challenge, code), 200)
    assert.deepEqual(Object.keys(body).sort(), ['csrf_token', 'id', 'recovery_codes', 'username'])
    assert.equal(body.recovery_codes.length, 10)
    assert.deepEqual(answers(await client.get('/mfa'), 200), {
      enabled: true,
      required: true,
      recovery_codes_remaining: 10,
    })
    assert.deepEqual((await client.get('/safe')).json(), { amr: ['pwd', 'otp', 'mfa'] })
    assert.deepEqual(enabled, ['/mfa/verify'])
    // The code that confirmed the secret is used up.
    const next = await challengeOf(new Client(app), 'ada')
    refusesOwn(await verify(new Client(app), next, code), 'CRUDAUTH_MFA_CODE')
    const later = await verify(new Client(app), next, body.recovery_codes[0])
    assert.equal('recovery_codes' in answers(later, 200), false)
  })

  test('each challenge has its own secret, and the first one confirmed ends the others', async (t) => {
    const app = await requiring(t)
    const [thief, owner] = [new Client(app), new Client(app)]
    const stolen = await begin(thief)
    const own = await begin(owner)
    assert.notEqual(stolen.setup.secret, own.setup.secret)
    const foreign = await verify(owner, own.challenge, codeAt(stolen.setup.secret))
    refusesOwn(foreign, 'CRUDAUTH_MFA_CODE')
    answers(await verify(owner, own.challenge, codeAt(own.setup.secret)), 200)
    await allowCodesAgain(app, 'ada')
    refusesOwn(await thief.post('/mfa/challenge', { challenge: stolen.challenge }), invalid)
    for (const secret of [stolen.setup.secret, own.setup.secret])
      refusesOwn(await verify(thief, stolen.challenge, codeAt(secret)), invalid)
    await signInWithCode(new Client(app), 'ada', codeAt(own.setup.secret))
  })

  test('its challenge takes nothing but a code of its secret', async (t) => {
    const app = await requiring(t, { auth: { lockout: false } })
    // A secret that waits in the row, from a session that is older than the requirement.
    const waiting = await app.crudAuth.mfa.beginSetup({ id: 1 } as never)
    const client = new Client(app)
    const { challenge, setup } = await begin(client)
    for (const code of [codeAt(waiting.secret), 'abcd-efgh-jkmn-pqrs', '', ' '])
      refusesOwn(await verify(client, challenge, code), 'CRUDAUTH_MFA_CODE')
    answers(await verify(client, challenge, codeAt(setup.secret)), 200)
  })

  test('a setup challenge ends when the account enrolls elsewhere, or its password changes', async (t) => {
    const app = await build(t, {
      auth: { mfa: { ...mfaOptions, required: (_user, { transport }) => transport === 'session' } },
      routes(app) {
        app.post('/in', async (request, reply) => {
          const user = await app.crudAuth.authenticatePassword(request, 'ada', password)
          const session = await app.crudAuth.sessions.create(request, user)
          app.crudAuth.sessions.setCookies(request, reply, session)
          return { csrf_token: session.csrfToken }
        })
      },
    })
    const owner = new Client(app)
    await owner.register('ada')
    owner.csrf = (await owner.post('/in')).json().csrf_token
    const change = { current_password: password, new_password: 'another good one' }
    const old = await begin(new Client(app))
    answers(await owner.post('/change-password', change), 200)
    refusesOwn(await verify(new Client(app), old.challenge, codeAt(old.setup.secret)), invalid)
    const back = { current_password: change.new_password, new_password: password }
    answers(await owner.post('/change-password', back), 200)
    const waiting = await begin(new Client(app))
    await enroll(owner)
    const code = codeAt(waiting.setup.secret)
    refusesOwn(await verify(new Client(app), waiting.challenge, code), invalid)
  })

  test('disable is forbidden before the code is judged', async (t) => {
    const app = await requiring(t)
    const client = new Client(app)
    const { challenge, setup } = await begin(client)
    answers(await verify(client, challenge, codeAt(setup.secret)), 200)
    await allowCodesAgain(app, 'ada')
    for (const code of [codeAt(setup.secret), wrongCode(setup.secret)])
      refusesOwn(await client.post('/mfa/totp/disable', { code }), 'CRUDAUTH_FORBIDDEN')
    // The code was not used up.
    const regenerated = await client.post('/mfa/recovery-codes/regenerate', {
      code: codeAt(setup.secret),
    })
    answers(regenerated, 200)
    assert.equal(await app.crudAuth.mfa.disable({ id: 1 } as never), true, 'an administrator may')
  })

  test('a function decides by user and transport', async (t) => {
    const seen: object[] = []
    const app = await build(t, {
      auth: {
        mfa: {
          ...mfaOptions,
          required(user, context) {
            seen.push({ ...user, ...context })
            return Promise.resolve((user as unknown as { username: string }).username === 'ada')
          },
        },
      },
    })
    const bob = await signedIn(app, 'bob')
    assert.equal(answers(await bob.get('/mfa'), 200).required, false)
    await new Client(app).register('ada')
    await begin(new Client(app))
    for (const user of seen as Record<string, unknown>[]) {
      assert.equal(user.transport, 'session')
      for (const field of ['hashedPassword', 'totpSecretEncrypted', 'mfaRecoveryCodes'])
        assert.ok(!(field in user))
    }
    const { secret } = await enroll(bob)
    answers(await bob.post('/mfa/totp/disable', { code: codeAt(secret) }), 200)
  })

  test('existing sessions stay, and currentUser({ mfa: true }) refuses them', async (t) => {
    let isRequired = false
    const app = await build(t, {
      auth: { mfa: { ...mfaOptions, required: () => isRequired } },
      routes(app) {
        app.get('/safe', { onRequest: app.currentUser({ mfa: true }) }, async () => ({}))
      },
    })
    const { client } = await enrolledUser(app, 'ada')
    isRequired = true
    answers(await client.get('/me'), 200)
    assert.equal((await client.get('/safe')).json().code, 'CRUDAUTH_MFA_REQUIRED')
  })
})

for (const backend of backends) {
  test(`${backend.name}: of 20 parallel setups of one account, one gets recovery codes`, async (t) => {
    noUnhandledRejections(t)
    const app = await requiring(t, { auth: { ...backend.options(), lockout: false } })
    const begun = await Promise.all(
      times(20, async () => {
        const client = new Client(app)
        return { client, ...(await begin(client)) }
      }),
    )
    const verified = await Promise.all(
      begun.map(({ client, challenge, setup }) => verify(client, challenge, codeAt(setup.secret))),
    )
    assert.deepEqual(statuses(verified), { 200: 1, 400: 19 })
    const winner = verified.findIndex(({ statusCode }) => statusCode === 200)
    const me = await Promise.all(begun.map(({ client }) => client.get('/me')))
    assert.deepEqual(statuses(me), { 200: 1, 401: 19 })
    assert.equal(me[winner]?.statusCode, 200)
    const [code] = verified[winner]?.json().recovery_codes ?? []
    await signInWithCode(new Client(app), 'ada', code)
  })
}
