import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { type CrudAuthOptions, memoryUsers, sessionTransport } from '../../src/index.js'
import { answers, refusesOwn, setCookies } from '../helpers/answers.js'
import { backends } from '../helpers/backends.js'
import { build, password, secret } from '../helpers/build.js'
import { Client } from '../helpers/client.js'

const year = 365 * 86_400
const month = 30 * 86_400

interface Case {
  readonly what: string
  readonly auth: Partial<CrudAuthOptions>
  readonly prefix: '__Host-' | ''
  /** Attributes beside HttpOnly. */
  readonly attributes: string
  readonly names?: readonly [string, string, string]
}

const otherSecret = 'q8Zt3Lm7Xc1Vb5Nn9Kj2Hg6Fd4Sa0Pw-other'
const cases: Case[] = [
  { what: 'by default', auth: {}, prefix: '__Host-', attributes: 'path=/; samesite=lax; secure' },
  {
    what: 'SameSite=Strict',
    auth: { cookies: { sameSite: 'strict' } },
    prefix: '__Host-',
    attributes: 'path=/; samesite=strict; secure',
  },
  {
    what: 'without Secure',
    auth: { cookies: { secure: false } },
    prefix: '',
    attributes: 'path=/; samesite=lax',
  },
  {
    what: 'with a path',
    auth: { cookies: { path: '/app' } },
    prefix: '',
    attributes: 'path=/app; samesite=lax; secure',
  },
  {
    what: 'with a domain',
    auth: { cookies: { domain: 'example.com' } },
    prefix: '',
    attributes: 'domain=example.com; path=/; samesite=lax; secure',
  },
  {
    what: 'with custom names',
    auth: { cookies: { names: { session: 'sid', csrf: 'xsrf', device: 'dev' } } },
    prefix: '__Host-',
    attributes: 'path=/; samesite=lax; secure',
    names: ['sid', 'xsrf', 'dev'],
  },
  {
    what: 'transport options override plugin options',
    auth: {
      cookies: {
        sameSite: 'strict',
        domain: 'example.com',
        names: { session: 'sid', csrf: 'xsrf' },
      },
      transports: [
        sessionTransport({
          managementRoutes: true,
          cookies: { path: '/t', names: { csrf: 'token' } },
        }),
      ],
    },
    prefix: '',
    attributes: 'domain=example.com; path=/t; samesite=strict; secure',
    names: ['sid', 'token', 'crudauth_device'],
  },
]

const httpOnly = (attributes: string) => ['httponly', ...attributes.split('; ')].sort().join('; ')

for (const { what, auth, prefix, attributes, names } of cases) {
  describe(`session cookies: ${what}`, () => {
    const [base, csrf, mark] = names ?? ['crudauth_session', 'csrf_token', 'crudauth_device']
    // The CSRF cookie, which front ends read, gets no prefix.
    const [session, device] = [prefix + base, prefix + mark]

    test('sign-in sets the expected attributes, and Max-Age only with remember_me', async (t) => {
      const app = await build(t, { auth })
      const client = new Client(app)
      await client.register('ann')
      for (const [remember_me, maxAge] of [
        ['off', undefined],
        ['on', month],
      ] as const) {
        const set = setCookies(await client.login('ann', password, { remember_me }))
        assert.deepEqual(Object.keys(set).sort(), [session, csrf, device].sort())
        assert.equal(set[session]?.attributes, httpOnly(attributes))
        assert.equal(set[csrf]?.attributes, attributes)
        assert.equal(set[device]?.attributes, httpOnly(attributes))
        assert.equal(set[session]?.maxAge, maxAge)
        assert.equal(set[csrf]?.maxAge, maxAge)
        assert.equal(set[device]?.maxAge, year)
        assert.equal(set[csrf]?.value, client.csrf)
      }
    })

    test('logout clears them with the same attributes and keeps the device cookie', async (t) => {
      const app = await build(t, { auth })
      const client = new Client(app)
      await client.register('ann')
      await client.login('ann')
      const cleared = setCookies(await client.post('/logout'))
      assert.deepEqual(Object.keys(cleared).sort(), [session, csrf].sort())
      for (const [name, expected] of [
        [session, httpOnly(attributes)],
        [csrf, attributes],
      ] as const) {
        assert.equal(cleared[name]?.value, '')
        assert.equal(cleared[name]?.attributes, expected)
        assert.equal(cleared[name]?.maxAge, 0)
        assert.ok(
          new Date(cleared[name]?.expires ?? Number.NaN).getTime() <= 0,
          cleared[name]?.expires,
        )
      }
    })
  })
}

describe('session cookie in a request', () => {
  const name = '__Host-crudauth_session'
  const signIn = async (t: Parameters<typeof build>[0]) => {
    const app = await build(t)
    const client = new Client(app)
    await client.register('ann')
    await client.login('ann')
    return { app, value: client.cookies.get(name) as string }
  }

  test('duplicate session cookies do not authenticate, in either order', async (t) => {
    const { app, value } = await signIn(t)
    const other = `${'A'.repeat(43)}.${'B'.repeat(22)}`
    for (const cookie of [
      `${name}=${value}; ${name}=${other}`,
      `${name}=${other}; ${name}=${value}`,
      `${name}=${value}; ${name}=${value}`,
      `${name}=${value};${name}=`,
      `${name}=${value}; a=b;  ${name} =${value}`,
    ]) {
      refusesOwn(
        await app.inject({ url: '/me', headers: { cookie } }),
        'CRUDAUTH_UNAUTHENTICATED',
        [value],
      )
    }
    answers(
      await app.inject({ url: '/me', headers: { cookie: `x=1; ${name}=${value}; y=2` } }),
      200,
    )
  })

  test('a malformed, oversized or differently named cookie is ignored', async (t) => {
    const { app, value } = await signIn(t)
    for (const cookie of [
      '',
      ';',
      '=',
      name,
      `${name}=`,
      `${name}="${value}"`,
      `${name}=${value.replace('.', '%2E')}`,
      `${name}=%E0%A4%A`,
      `${name}=${value}x`,
      `${name}=${value.slice(0, -1)}`,
      `${name}=${value.split('.')[0]}`,
      `${name}=${'a'.repeat(8000)}`,
      `${name.toLowerCase()}=${value}`,
      `crudauth_session=${value}`,
      `__Host-__Host-crudauth_session=${value}`,
    ]) {
      refusesOwn(
        await app.inject({ url: '/me', headers: { cookie } }),
        'CRUDAUTH_UNAUTHENTICATED',
        [value],
      )
    }
  })

  test('a cookie made with another secret does not authenticate', async (t) => {
    const { app, value } = await signIn(t)
    const foreign = await build(t, { auth: { users: app.crudAuth.users, secret: otherSecret } })
    refusesOwn(
      await foreign.inject({ url: '/me', cookies: { [name]: value } }),
      'CRUDAUTH_UNAUTHENTICATED',
    )
  })

  // Two apps do not share their memory, so this needs a server.
  for (const backend of backends.filter((one) => one.name !== 'memory')) {
    test(`${backend.name}: a session survives secret rotation while the old secret is listed`, async (t) => {
      const users = memoryUsers()
      const state = backend.options()
      const before = await build(t, { auth: { users, ...state } })
      const client = new Client(before)
      await client.register('ann')
      await client.login('ann')
      const value = client.cookies.get(name) as string
      const rotated = await build(t, { auth: { users, ...state, secret: [otherSecret, secret] } })
      answers(await rotated.inject({ url: '/me', cookies: { [name]: value } }), 200)
      const fresh = new Client(rotated)
      await fresh.login('ann')
      assert.equal(answers(await fresh.get('/sessions'), 200).length, 2)
      const dropped = await build(t, { auth: { users, ...state, secret: otherSecret } })
      refusesOwn(
        await dropped.inject({ url: '/me', cookies: { [name]: value } }),
        'CRUDAUTH_UNAUTHENTICATED',
      )
      assert.equal(answers(await fresh.post('/logout-all?keep_current=true'), 200).revoked, 1)
      refusesOwn(
        await rotated.inject({ url: '/me', cookies: { [name]: value } }),
        'CRUDAUTH_UNAUTHENTICATED',
      )
    })
  }
})
