import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { type CrudAuthOptions, memoryUsers } from '../../src/index.js'
import { build, password } from '../helpers/build.js'
import { refuses } from '../helpers/refuses.js'
import { countingUsers } from '../helpers/users.js'

const fields = [
  'username',
  'email',
  'phone',
  'hashedPassword',
  'isActive',
  'tokenVersion',
  'createdAt',
]

interface Case {
  readonly field: string
  readonly identity: NonNullable<CrudAuthOptions['identity']>
  /** Spellings of one value, the canonical form first. */
  readonly spellings: readonly [string, ...string[]]
  readonly malformed: readonly unknown[]
}

const cases: readonly Case[] = [
  {
    field: 'email',
    identity: { login: ['username'], recovery: 'email' },
    spellings: [
      'ann@example.com',
      'ann@example.com',
      ' ann@example.com',
      'ａnn@example.com',
      'Ann@Example.COM ',
    ],
    malformed: [
      'ann',
      'a@b@example.com',
      'ann@',
      'ann@exa mple.com',
      'ann@example.com\0',
      'ann@example.com\r\nBcc: eve@example.com',
    ],
  },
  {
    field: 'phone',
    identity: { login: ['username'], recovery: 'email' },
    spellings: ['+4915112345678'],
    malformed: ['004915112345678', '+49 151 12345678', '+0', '+4915112345678\0', 4915112345678],
  },
  {
    field: 'username',
    identity: { login: ['email'], recovery: 'email' },
    spellings: ['\u00e9va', 'e\u0301va'],
    malformed: ['e va', 'eva@example.com', '\u200beva', 'eva\0'],
  },
]

for (const { field, identity, spellings, malformed } of cases) {
  describe(`POST /register: "${field}" in extraFields, not a login field`, () => {
    const [login = ''] = identity.login ?? []
    const open = async (t: Parameters<typeof build>[0]) => {
      const users = countingUsers(memoryUsers({ fields }))
      const app = await build(t, {
        auth: { users: users.store, identity, registration: { extraFields: [field] } },
      })
      const register = (name: string, extra: Record<string, unknown>) =>
        app.inject({
          method: 'POST',
          url: '/register',
          payload: {
            [login]: login === 'email' ? `${name}@example.org` : name,
            password,
            ...extra,
          },
        })
      return { users, register }
    }

    test('is stored in canonical form; other spellings are duplicates', async (t) => {
      const { users, register } = await open(t)
      assert.equal((await register('first', { [field]: spellings.at(-1) })).statusCode, 201)
      assert.equal((await users.store.findBy(field, spellings[0]))?.[field], spellings[0])
      for (const spelling of spellings)
        refuses(await register('second', { [field]: spelling }), 'CRUDAUTH_DUPLICATE')
      assert.equal(
        await users.store.findBy(login, login === 'email' ? 'second@example.org' : 'second'),
        null,
      )
      assert.equal(users.calls.create, 1 + spellings.length)
    })

    test('a malformed or non-string value gets 400 and nothing is written', async (t) => {
      const { users, register } = await open(t)
      for (const value of [...malformed, true, 1, [spellings[0]], { a: spellings[0] }]) {
        const response = await register('ann', { [field]: value })
        assert.equal(response.statusCode, 400, `${JSON.stringify(value)}: ${response.body}`)
        assert.match(
          response.json().code,
          /^(FST_ERR_VALIDATION|CRUDAUTH_(EMAIL|USERNAME|PHONE)_INVALID|CRUDAUTH_BAD_REQUEST)$/,
        )
      }
      assert.equal(users.writes(), 0)
    })

    test('may be absent or null', async (t) => {
      const { register, users } = await open(t)
      assert.equal((await register('ann', {})).statusCode, 201)
      assert.equal((await register('bob', { [field]: null })).statusCode, 201)
      assert.equal(users.writes(), 2)
    })
  })
}
