import assert from 'node:assert/strict'
import { test } from 'node:test'
import Fastify from 'fastify'
import crudAuth, {
  type CrudAuthOptions,
  createRegistrationGate,
  memoryUsers,
} from '../../src/index.js'
import { cheap, password, secret } from '../helpers/build.js'

const tables = {
  mapped: {
    ...memoryUsers(),
    fields: {
      columns: {
        id: 'pk',
        email: 'mail',
        username: 'login_name',
        hashedPassword: 'pw',
        isSuperuser: 'Is Root',
        emailVerified: 'mail ok',
        googleId: 'google sub',
        tokenVersion: 'epoch',
        isActive: 'enabled',
      },
      unique: ['email', 'username'],
    },
  },
}

const refusedAtStart = async (options: Partial<CrudAuthOptions>) => {
  const app = Fastify()
  try {
    await assert.rejects(
      async () => {
        await app.register(crudAuth, {
          secret,
          users: memoryUsers(),
          passwords: { cost: cheap },
          ...options,
        })
      },
      (error: { code?: string; message: string }) => {
        assert.equal(error.code, 'CRUDAUTH_CONFIG', error.message)
        assert.ok(!error.message.includes(secret))
        return true
      },
    )
  } finally {
    await app.close()
  }
}

test('cookies: options that are invalid in a Set-Cookie header are rejected at start-up', async () => {
  const evil = [
    'a;b',
    'a; Domain=x',
    'a\r\nSet-Cookie: x=y',
    'a\n',
    'a b',
    'a"b',
    'a,\u0000',
    'a\u00e4',
    '',
    7,
    null,
    ['a'],
  ]
  for (const value of evil as string[]) {
    for (const name of ['session', 'csrf', 'device']) {
      if (value !== null) await refusedAtStart({ cookies: { names: { [name]: value } } })
    }
    await refusedAtStart({ cookies: { domain: value } })
    if (value !== null) await refusedAtStart({ cookies: { path: value } })
  }
  for (const path of ['/a;b', '/a b', '/a\n', '/a\r\nX: y', '/"', 'relative', '/\u00e4'])
    await refusedAtStart({ cookies: { path } })
  for (const sameSite of ['none', 'None', 'lax; Secure', '', true])
    await refusedAtStart({ cookies: { sameSite: sameSite as 'lax' } })
})

test('prefix, keyPrefix, trustedOrigins: malformed values are rejected at start-up', async () => {
  for (const prefix of ['auth', '/a b', '/a\r\n', '/../x y', '/a?b', '/a#b', '//', '/*'])
    await refusedAtStart({ prefix })
  for (const keyPrefix of ['a b', 'a\r\n', '{x}', 'a*', 'x'.repeat(65)])
    await refusedAtStart({ keyPrefix })
  for (const origin of [
    '*',
    'https://',
    'https://a.example/path',
    'javascript:alert(1)',
    'null',
    'https://u@a.example',
    'a.example',
  ]) {
    await refusedAtStart({ trustedOrigins: [origin] })
  }
})

const privileged = [
  'id',
  'ID',
  'pk',
  'hashedPassword',
  'hashed_password',
  'HASHED-PASSWORD',
  'hashed password',
  'pw',
  'password',
  'isSuperuser',
  'is_superuser',
  'Is Root',
  'is_root',
  'IsRoot',
  'isActive',
  'is_active',
  'enabled',
  'ENABLED',
  'emailVerified',
  'email_verified',
  'mail ok',
  'mail_ok',
  'phoneVerified',
  'anything_verified',
  'tokenVersion',
  'token_version',
  'epoch',
  'googleId',
  'google_id',
  'google sub',
  'githubId',
  'apple_id',
  'createdAt',
  'updated_at',
  '__proto__',
  'constructor',
  'prototype',
]

for (const name of privileged) {
  test(`mass assignment: the privileged field "${name}" can't be opted in for sign-up`, async () => {
    const users = tables.mapped
    await refusedAtStart({ users, registration: { extraFields: [name] } })
    assert.throws(() => createRegistrationGate({ fields: users.fields, allow: ['email', name] }), {
      code: 'CRUDAUTH_CONFIG',
    })
    if (name !== '__proto__')
      await refusedAtStart({ users, registration: { defaults: { [name]: 'x' } } })
  })
}

test('registration.fields: returning a privileged field gets 500 and creates no account', async (t) => {
  const created: unknown[] = []
  const users = memoryUsers()
  const app = Fastify()
  t.after(() => app.close())
  await app.register(crudAuth, {
    secret,
    users: {
      ...users,
      async create(values) {
        created.push(values)
        return users.create(values)
      },
    },
    passwords: { cost: cheap },
    registration: { fields: () => ({ is_superuser: true }) },
  })
  const response = await app.inject({
    method: 'POST',
    url: '/register',
    payload: { email: 'a@example.com', username: 'a', password },
  })
  assert.equal(response.statusCode, 500)
  assert.equal(response.json().code, 'CRUDAUTH_INTERNAL')
  assert.deepEqual(created, [])
})
