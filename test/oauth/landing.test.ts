import assert from 'node:assert/strict'
import { test } from 'node:test'
import { google, memoryUsers, UserValueError } from '../../src/index.js'
import { backends } from '../helpers/backends.js'
import { Mailbox } from '../helpers/mailbox.js'
import { ada, Browser, browserOf, buildOAuth, landsOn, refusesCallback } from '../helpers/oauth.js'

for (const backend of backends) {
  test(`${backend.name}: redirect: reaches a front end on another origin; foreign URLs are ignored`, async (t) => {
    const { app } = await buildOAuth(t, {
      auth: backend.options(),
      oauth: { defaultRedirect: 'https://front.example/signed-in?theme=dark' },
    })
    const browser = new Browser(app)
    landsOn(await browser.signIn(ada), 'https://front.example/signed-in?theme=dark')
    landsOn(
      await browser.signIn(ada, 'acme', '?redirect_to=/home%3Fa=b'),
      'https://front.example/home?a=b',
    )
    for (const foreign of ['https://evil.example/', '//evil.example', '/\\evil.example', ''])
      landsOn(
        await browser.signIn(ada, 'acme', `?redirect_to=${encodeURIComponent(foreign)}`),
        'https://front.example/signed-in?theme=dark',
      )
    landsOn(
      await browser.callback({ state: 'unknown', code: 'x' }),
      'https://front.example/signed-in?theme=dark&error=invalid_state',
    )
    const ann = await browserOf(app, 'ann')
    landsOn(
      await ann.link({ sub: 'ada-1' }, 'acme', { redirect_to: '/settings' }),
      'https://front.example/settings?error=oauth_linked_elsewhere',
    )
    landsOn(
      await ann.link({ sub: 'mine' }, 'acme', { redirect_to: '/settings' }),
      'https://front.example/settings',
    )
  })

  test(`${backend.name}: onBeforeOAuth: throwing refuses sign-ins and links, and stores nothing`, async (t) => {
    const asked: unknown[] = []
    const { app, rows } = await buildOAuth(t, {
      auth: {
        ...backend.options(),
        hooks: {
          onBeforeOAuth(profile, { provider, request }) {
            asked.push([profile.id, provider, request.url.split('?')[0]])
            if (profile.raw.hd !== 'corp.example')
              throw Object.assign(new Error('a reason for us alone'), { statusCode: 418 })
          },
        },
      },
    })
    refusesCallback(await new Browser(app).signIn(ada), 'access_denied')
    assert.deepEqual(await rows(), [])
    landsOn(await new Browser(app).signIn({ ...ada, hd: 'corp.example' }), '/start')
    const ann = await browserOf(app, 'ann')
    const before = await rows()
    refusesCallback(await ann.link({ sub: 'mine' }), 'access_denied')
    assert.deepEqual(await rows(), before)
    landsOn(await ann.link({ sub: 'mine', hd: 'corp.example' }), '/start')
    assert.deepEqual(asked[0], ['ada-1', 'acme', '/oauth/acme/callback'])
    assert.equal(asked.length, 4)
  })

  test(`${backend.name}: onBeforeOAuth: a thrown 503 is returned as it is`, async (t) => {
    const { app, rows } = await buildOAuth(t, {
      auth: {
        ...backend.options(),
        hooks: {
          onBeforeOAuth() {
            throw Object.assign(new Error('directory is down'), { statusCode: 503 })
          },
        },
      },
    })
    const response = await new Browser(app).signIn(ada)
    assert.equal(response.statusCode, 503)
    assert.deepEqual(await rows(), [])
  })

  test(`${backend.name}: onAfterOAuth: receives the mapped profile without raw claims`, async (t) => {
    const seen: object[] = []
    const { app } = await buildOAuth(t, {
      auth: {
        ...backend.options(),
        hooks: { onAfterOAuth: (_user, { profile }) => void seen.push(profile) },
      },
    })
    await new Browser(app).signIn({ ...ada, secret_claim: 'private' })
    assert.deepEqual(seen, [
      {
        id: 'ada-1',
        email: 'ada@example.com',
        emailVerified: true,
        name: 'Ada Lovelace',
        username: 'ada',
      },
    ])
  })

  test(`${backend.name}: account matching: a verified email may differ in case only, not by Unicode folding`, async (t) => {
    const { app, store } = await buildOAuth(t, { auth: backend.options() })
    const sales = await browserOf(app, 'sales')
    await store.update(1, { emailVerified: true })
    for (const email of ['ſales@example.com', 'ｓales@example.com', 'sales@ｅxample.com']) {
      refusesCallback(
        await new Browser(app).signIn({ sub: 'evil', email, email_verified: true }),
        'email_unverified',
      )
    }
    landsOn(
      await new Browser(app).signIn({
        sub: 'own',
        email: 'Sales@Example.COM',
        email_verified: true,
      }),
      '/start',
    )
    assert.equal((await sales.me()).user_id, 1)
  })

  test(`${backend.name}: registration.fields: an email it adds is unverified and gets a verification message`, async (t) => {
    const mailbox = new Mailbox()
    const { app, rows } = await buildOAuth(t, {
      auth: {
        ...backend.options(),
        email: mailbox.options(),
        registration: {
          fields: ({ source, profile, values }) =>
            source === 'oauth' && !values.email ? { email: `${profile?.id}@corp.example` } : {},
        },
      },
    })
    landsOn(await new Browser(app).signIn({ sub: 'nine' }), '/start')
    const [row] = await rows()
    assert.equal(row?.email, 'nine@corp.example')
    assert.equal(row?.emailVerified, false)
    assert.ok(await mailbox.token('nine@corp.example', 'verify_email'))
    refusesCallback(await new Browser(app).signIn({ sub: 'nine' }, 'other'), 'email_unverified')
  })

  test(`${backend.name}: registration.fields: an email that replaces the verified one is unverified`, async (t) => {
    const { app, rows } = await buildOAuth(t, {
      auth: {
        ...backend.options(),
        registration: { fields: () => ({ email: 'chief@corp.example' }) },
      },
    })
    landsOn(await new Browser(app).signIn(ada), '/start')
    assert.equal((await rows())[0]?.email, 'chief@corp.example')
    assert.equal((await rows())[0]?.emailVerified, false)
  })

  test(`${backend.name}: sign-up: an email is required only if email is a login field`, async (t) => {
    const { app } = await buildOAuth(t, {
      auth: { ...backend.options(), identity: { login: ['username'], recovery: null } },
    })
    const browser = new Browser(app)
    landsOn(await browser.signIn({ sub: 'nine', preferred_username: 'nine' }), '/start')
    assert.deepEqual((await browser.me()).username, 'nine')
    assert.equal((await browser.me()).email, null)
    const strict = await buildOAuth(t, { auth: backend.options() })
    refusesCallback(await new Browser(strict.app).signIn({ sub: 'nine' }), 'email_missing')
  })

  test(`${backend.name}: sign-up: email_missing if the user store refuses a row without an email`, async (t) => {
    const inner = memoryUsers({
      fields: ['id', 'email', 'username', 'hashedPassword', 'emailVerified', 'acmeId', 'otherId'],
      unique: ['email', 'username', 'acmeId', 'otherId'],
    })
    const refusing = (field: string) => ({
      ...inner,
      create: async () => {
        throw new UserValueError(field)
      },
    })
    const identity = { login: ['username'], recovery: null }
    for (const [field, word] of [
      ['email', 'email_missing'],
      ['username', 'oauth_failed'],
    ] as const) {
      const { app } = await buildOAuth(t, {
        auth: { ...backend.options(), users: refusing(field), identity },
      })
      refusesCallback(await new Browser(app).signIn({ sub: 'nine' }), word)
      refusesCallback(await new Browser(app).signIn(ada), 'oauth_failed')
    }
  })

  test(`${backend.name}: account matching: an account's unverified email never matches, even with a verified phone`, async (t) => {
    const users = memoryUsers({
      fields: [
        'id',
        'email',
        'phone',
        'hashedPassword',
        'emailVerified',
        'phoneVerified',
        'acmeId',
        'otherId',
        'tokenVersion',
      ],
      unique: ['email', 'phone', 'acmeId', 'otherId'],
    })
    const { app } = await buildOAuth(t, {
      auth: {
        ...backend.options(),
        users,
        identity: { login: ['phone', 'email'], recovery: 'phone' },
      },
    })
    const squatter = await users.create({
      phone: '+4915112345678',
      email: 'squatter@example.com',
      hashedPassword: '!',
      emailVerified: false,
      phoneVerified: true,
      tokenVersion: 0,
    })
    refusesCallback(
      await new Browser(app).signIn({
        sub: 'squatter',
        email: 'squatter@example.com',
        email_verified: true,
      }),
      'email_unverified',
    )
    assert.deepEqual(await users.findById(squatter.id as number), squatter)
  })
}

const claims = (email: string, hd?: string) => ({
  sub: '1',
  email,
  email_verified: true,
  ...(hd !== undefined && { hd }),
})
const vouches = async (options: object, given: Record<string, unknown>) =>
  (await google({ clientId: 'app', clientSecret: 's', ...options }).mapProfile(given, {}))
    .emailVerified

test('google(): emailVerified only for gmail.com and Workspace, unless trustEmail is "verified"', async () => {
  assert.equal(await vouches({}, claims('ann@gmail.com')), true)
  assert.equal(await vouches({}, claims('Ann@GMail.com')), true)
  assert.equal(await vouches({}, claims('ann@corp.example', 'corp.example')), true)
  for (const [email, hd] of [
    ['ann@corp.example'],
    ['ann@corp.example', ''],
    ['ann@notgmail.com'],
    ['ann@gmail.com.evil.example'],
  ] as const) {
    assert.equal(await vouches({}, claims(email, hd)), false, email)
    assert.equal(await vouches({ trustEmail: 'verified' }, claims(email, hd)), true, email)
  }
  const mapProfile = (all: Record<string, unknown>) => ({
    id: all.sub,
    email: all.email,
    emailVerified: true,
  })
  assert.equal(await vouches({ mapProfile }, claims('ann@corp.example')), false)
  assert.throws(() => google({ clientId: 'a', clientSecret: 's', trustEmail: 'x' as 'verified' }), {
    code: 'CRUDAUTH_CONFIG',
  })
})
