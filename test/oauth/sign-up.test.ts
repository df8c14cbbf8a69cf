import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { memoryUsers, type UserValues } from '../../src/index.js'
import { type Backend, backends } from '../helpers/backends.js'
import { captureLogs } from '../helpers/build.js'
import { ada, Browser, buildOAuth, fields, landsOn } from '../helpers/oauth.js'

/** Values from the app's own code obey the same rules in registration and in provider sign-up. */
async function setUp(t: TestContext, backend: Backend, derived: UserValues) {
  const users = memoryUsers({ fields: [...fields, 'phone'] })
  const { logger } = captureLogs('fatal')
  const { app } = await buildOAuth(t, {
    auth: {
      ...backend.options(),
      users,
      identity: { login: ['email', 'username'], recovery: 'email' },
      registration: { fields: () => derived },
    },
    fastify: { logger },
  })
  return {
    users,
    signIn: () => new Browser(app).signIn(ada),
    register: () => new Browser(app).register('ann'),
  }
}

const canonical: [what: string, given: UserValues, stored: UserValues][] = [
  ['an address in capitals', { email: 'Countess@EXAMPLE.com' }, { email: 'countess@example.com' }],
  [
    'an address with a wide domain',
    { email: 'countess@bücher.example' },
    { email: 'countess@xn--bcher-kva.example' },
  ],
  [
    'a username of two code points a letter',
    { username: 'Ame\u0301lie' },
    { username: 'Am\u00e9lie' },
  ],
  [
    'a phone number, which does not log in',
    { phone: '+4915112345678' },
    { phone: '+4915112345678' },
  ],
]
const refused: [what: string, given: UserValues][] = [
  ['a malformed email', { email: 'countess' }],
  ['a null email that is a login field', { email: null }],
  ['a username that looks like an email', { username: 'ada@example.com' }],
  ['a username with an invisible character', { username: 'ada\u200b' }],
  ['an empty username', { username: '' }],
  ['a phone number that is not E.164', { phone: '0151 12345678' }],
  ['a NUL in any text', { plan: 'go\0ld' }],
]

for (const backend of backends) {
  for (const [what, given, stored] of canonical) {
    test(`${backend.name}: registration.fields: OAuth and /register store the canonical form (${what})`, async (t) => {
      const both = [await setUp(t, backend, given), await setUp(t, backend, given)] as const
      landsOn(await both[0].signIn(), '/start')
      assert.equal((await both[1].register()).statusCode, 201)
      for (const { users } of both) {
        const row = await users.findById(1)
        for (const [field, value] of Object.entries(stored)) assert.equal(row?.[field], value)
      }
    })
  }

  for (const [what, given] of refused) {
    test(`${backend.name}: registration.fields: OAuth and /register refuse invalid values (${what})`, async (t) => {
      const { users, signIn, register } = await setUp(t, backend, given)
      const landed = await signIn()
      assert.equal(landed.statusCode, 302)
      assert.match(String(landed.headers.location), /\?error=(?:oauth_failed|email_missing)$/)
      const answer = await register()
      assert.equal(answer.statusCode, 400)
      assert.match(answer.json().code, /^CRUDAUTH_((EMAIL|USERNAME|PHONE)_INVALID|BAD_REQUEST)$/)
      assert.equal(await users.findById(1), null)
    })
  }
}
