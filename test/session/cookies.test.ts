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
    what: 'strict',
    auth: { cookies: { sameSite: 'strict' } },
    prefix: '__Host-',
    attributes: 'path=/; samesite=strict; secure',
  },
  {
    what: 'not secure',
    auth: { cookies: { secure: false } },
    prefix: '',
    attributes: 'path=/; samesite=lax',
  },
  {
    what: 'below a path',
    auth: { cookies: { path: '/app' } },
    prefix: '',
    attributes: 'path=/app; samesite=lax; secure',
  },
  {
    what: 'of a domain',
    auth: { cookies: { domain: 'example.com' } },
    prefix: '',
    attributes: 'domain=example.com; path=/; samesite=lax; secure',
  },
  {
    what: 'under other names',
    auth: { cookies: { names: { session: 'sid', csrf: 'xsrf', device: 'dev' } } },
    prefix: '__Host-',
    attributes: 'path=/; samesite=lax; secure',
    names: ['sid', 'xsrf', 'dev'],
  },
  {
    what: 'with the transport over the plugin, name by name',
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
  describe(`cookies ${what}`, () => {
    const [base, csrf, mark] = names ?? ['crudauth_session', 'csrf_token', 'crudauth_device']
    // The readable one is taken verbatim.
    const [session, device] = [prefix + base, prefix + mark]

    test('are set with these attributes, and with a lifetime only when remembered', async (t) => {
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

    test('are cleared with the attributes they were set with; the device stays known', async (t) => {
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

describe('the session cookie of a request', () => {
  const name = '__Host-crudauth_session'
  const signIn = async (t: Parameters<typeof build>[0]) => {
    const app = await build(t)
    const client = new Client(app)
    await client.register('ann')
    await client.login('ann')
    return { app, value: client.cookies.get(name) as string }
  }

  test('of which there are two authenticates nobody, whichever comes first', async (t) => {
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

  test('that is malformed, oversized or of another name is absent', async (t) => {
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

  test('made under another secret is nobody’s', async (t) => {
    const { app, value } = await signIn(t)
    const foreign = await build(t, { auth: { users: app.crudAuth.users, secret: otherSecret } })
    refusesOwn(
      await foreign.inject({ url: '/me', cookies: { [name]: value } }),
      'CRUDAUTH_UNAUTHENTICATED',
    )
  })

  // Two apps share no memory, so only a server can show this.
  for (const backend of backends.filter((one) => one.name !== 'memory')) {
    test(`${backend.name}: outlives a rotation of the secret while the old one is listed, and revokes with it`, async (t) => {
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
