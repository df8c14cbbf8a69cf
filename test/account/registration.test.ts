import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { Type } from '@sinclair/typebox'
import Fastify from 'fastify'
import crudAuth, {
  type CrudAuthOptions,
  memoryUsers,
  type RegistrationContext,
  type UserStore,
} from '../../src/index.js'
import { answers, refusesOwn } from '../helpers/answers.js'
import { build, captureLogs, cheap, password, secret } from '../helpers/build.js'
import { Client, signedIn } from '../helpers/client.js'

const ann = { email: 'ann@example.com', username: 'ann', password }
const row = async (app: Awaited<ReturnType<typeof build>>, id = 1) =>
  (await app.crudAuth.users.findById(id)) as Record<string, unknown>

/** A memory store whose column names differ from the logical fields. */
function renamedUsers(columns: Record<string, string>): UserStore {
  const inner = memoryUsers()
  return { ...inner, fields: { ...inner.fields, columns: { ...inner.fields.columns, ...columns } } }
}

async function configError(options: Partial<CrudAuthOptions>): Promise<Error & { code?: string }> {
  const app = Fastify()
  try {
    await app.register(crudAuth, {
      secret,
      users: memoryUsers(),
      passwords: { cost: cheap },
      ...options,
    })
    await app.ready()
  } catch (error) {
    return error as Error
  } finally {
    await app.close()
  }
  throw new assert.AssertionError({ message: 'the options were accepted' })
}

describe('registration.extraFields', () => {
  test('only the listed members reach the store', async (t) => {
    const app = await build(t, { auth: { registration: { extraFields: ['plan', 'age'] } } })
    answers(
      await new Client(app).post('/register', { ...ann, plan: 'gold', age: 41, colour: 'red' }),
      201,
    )
    const stored = await row(app)
    assert.deepEqual([stored.plan, stored.age, stored.colour], ['gold', 41, undefined])
  })

  test('an absent member is not stored', async (t) => {
    const app = await build(t, { auth: { registration: { extraFields: ['plan'] } } })
    answers(await new Client(app).post('/register', ann), 201)
    assert.ok(!Object.hasOwn(await row(app), 'plan'))
  })

  test('without a schema only bounded scalars are accepted', async (t) => {
    const app = await build(t, { auth: { registration: { extraFields: ['plan'] } } })
    for (const plan of [{}, { a: 1 }, [], ['x'], 'x'.repeat(1025)]) {
      refusesOwn(await new Client(app).post('/register', { ...ann, plan }), 'FST_ERR_VALIDATION')
    }
    refusesOwn(
      await new Client(app).post('/register', { ...ann, plan: 'a\0b' }),
      'CRUDAUTH_BAD_REQUEST',
    )
    assert.equal(await app.crudAuth.users.findById(1), null)
  })

  const privileged = [
    'id',
    'hashedPassword',
    'hashed_password',
    'HASHED_PASSWORD',
    'hashed-password',
    'password',
    'isActive',
    'is_active',
    'isSuperuser',
    'is_superuser',
    'IsSuperUser',
    'emailVerified',
    'email_verified',
    'phoneVerified',
    'phone_verified',
    'anything_verified',
    'tokenVersion',
    'token_version',
    'googleId',
    'google_id',
    'githubId',
    'oauthProvider',
    'oauth_created_at',
    'oauth_updated_at',
    'createdAt',
    'created_at',
    'updatedAt',
    '__proto__',
    'constructor',
    'prototype',
  ]
  for (const name of privileged) {
    test(`mass assignment: "${name}" is refused at start-up`, async () => {
      const error = await configError({ registration: { extraFields: [name] } })
      assert.equal(error.code, 'CRUDAUTH_CONFIG')
      assert.ok(error.message.includes(`"${name}"`), error.message)
    })
  }

  test('mass assignment: the column name of a privileged field is refused at start-up', async () => {
    const users = renamedUsers({
      isSuperuser: 'is_admin',
      hashedPassword: 'pw_hash',
      tokenVersion: 'epoch',
    })
    for (const name of ['is_admin', 'isAdmin', 'IS-ADMIN', 'pw_hash', 'pwHash', 'epoch']) {
      const error = await configError({ users, registration: { extraFields: [name] } })
      assert.equal(error.code, 'CRUDAUTH_CONFIG', name)
    }
  })
})

describe('registration.schema', () => {
  const schema = Type.Object({
    username: Type.String({ minLength: 3, pattern: '^[a-z]+$' }),
    plan: Type.Union([Type.Literal('free'), Type.Literal('gold')]),
    age: Type.Optional(Type.Integer({ minimum: 18 })),
  })

  test('validates extra members and tightens login fields', async (t) => {
    const app = await build(t, { auth: { registration: { schema, extraFields: ['plan', 'age'] } } })
    const send = (more: object) =>
      new Client(app).post('/register', { ...ann, plan: 'free', ...more })
    for (const more of [
      { plan: 'silver' },
      { plan: undefined },
      { age: 17 },
      { age: '41' },
      { username: 'an' },
      { username: 'ANN' },
      { username: '' },
      { username: 5 },
    ]) {
      refusesOwn(await send(more), 'FST_ERR_VALIDATION')
    }
    answers(await send({ age: 41 }), 201)
    assert.deepEqual([(await row(app)).plan, (await row(app)).age], ['free', 41])
  })

  test('a login field redefined without bounds keeps the default bounds', async (t) => {
    const app = await build(t, {
      auth: {
        registration: { schema: { type: 'object', properties: { username: { type: 'string' } } } },
      },
    })
    refusesOwn(
      await new Client(app).post('/register', { ...ann, username: 'a'.repeat(300) }),
      'FST_ERR_VALIDATION',
    )
  })

  test('a described member is stored only if extraFields lists it', async (t) => {
    const app = await build(t, { auth: { registration: { schema, extraFields: [] } } })
    answers(await new Client(app).post('/register', { ...ann, plan: 'gold' }), 201)
    assert.equal((await row(app)).plan, undefined)
  })

  test('defaults are not injected and additional members are ignored', async (t) => {
    const own = {
      type: 'object',
      additionalProperties: false,
      properties: { plan: { type: 'string', default: 'gold' } },
    }
    const app = await build(t, { auth: { registration: { schema: own, extraFields: ['plan'] } } })
    answers(await new Client(app).post('/register', { ...ann, unknown: 1 }), 201)
    assert.ok(!Object.hasOwn(await row(app), 'plan'))
  })

  test('the schema object of the app is not mutated', async (t) => {
    const own = structuredClone(schema)
    const before = JSON.stringify(own)
    await build(t, { auth: { registration: { schema: own, extraFields: ['plan'] } } })
    assert.equal(JSON.stringify(own), before)
  })
})

describe('registration.defaults and registration.fields', () => {
  test('constants and derived values are stored; the request body cannot override them', async (t) => {
    const app = await build(t, {
      auth: {
        registration: {
          extraFields: ['plan'],
          defaults: { tenant: 't1' },
          fields: () => ({ plan: 'derived' }),
        },
      },
    })
    answers(await new Client(app).post('/register', { ...ann, tenant: 'evil', plan: 'gold' }), 201)
    const stored = await row(app)
    assert.deepEqual([stored.tenant, stored.plan], ['t1', 'derived'])
  })

  test('fields() gets source, request and canonical allowlisted values, without the password', async (t) => {
    const seen: RegistrationContext[] = []
    const app = await build(t, {
      auth: {
        registration: {
          extraFields: ['plan'],
          async fields(context) {
            seen.push(context)
            return { signup_host: context.request.hostname }
          },
        },
      },
    })
    answers(
      await new Client(app).post('/register', {
        ...ann,
        email: 'ANN@example.com',
        plan: 'free',
        x: 1,
      }),
      201,
    )
    assert.equal(seen.length, 1)
    assert.equal(seen[0]?.source, 'register')
    assert.deepEqual(seen[0]?.values, { email: 'ann@example.com', username: 'ann', plan: 'free' })
    assert.equal((await row(app)).signup_host, 'localhost')
  })

  for (const name of ['isSuperuser', 'is_superuser', 'email_verified', 'id', 'tokenVersion']) {
    test(`mass assignment: a default for "${name}" is refused at start-up`, async () => {
      const error = await configError({ registration: { defaults: { [name]: 1 } } })
      assert.equal(error.code, 'CRUDAUTH_CONFIG')
      assert.ok(error.message.includes(`"${name}"`), error.message)
    })

    test(`mass assignment: fields() that returns "${name}" creates no account and logs an error`, async (t) => {
      const { lines, logger } = captureLogs()
      const app = await build(t, {
        auth: { registration: { fields: () => ({ [name]: 1 }) } },
        fastify: { logger },
      })
      const response = await new Client(app).post('/register', ann)
      refusesOwn(response, 'CRUDAUTH_INTERNAL', [password, 'registration', name])
      assert.equal(await app.crudAuth.users.findBy('email', ann.email), null)
      const logged = lines.filter((line) => line.includes('registration.fields'))
      assert.ok(logged.some((line) => line.includes(`\\"${name}\\"`)))
    })
  }

  test('fields() that throws creates no account, and the response hides the reason', async (t) => {
    const app = await build(t, {
      auth: {
        registration: {
          fields() {
            throw new Error('tenant database at 10.0.0.7 said no')
          },
        },
      },
    })
    refusesOwn(await new Client(app).post('/register', ann), 'CRUDAUTH_INTERNAL', [
      'tenant',
      '10.0.0.7',
    ])
    assert.equal(await app.crudAuth.users.findById(1), null)
  })

  test('a duplicate value in a unique column of the app gets 409', async (t) => {
    const users = memoryUsers({ unique: ['handle'] })
    const app = await build(t, { auth: { users, registration: { extraFields: ['handle'] } } })
    answers(await new Client(app).post('/register', { ...ann, handle: 'h' }), 201)
    const second = await new Client(app).post('/register', {
      email: 'b@example.com',
      username: 'b',
      password,
      handle: 'h',
    })
    refusesOwn(second, 'CRUDAUTH_DUPLICATE')
  })
})

describe('registration.enabled: false', () => {
  test('does not mount /register but keeps the other routes', async (t) => {
    const app = await build(t, { auth: { registration: { enabled: false } } })
    assert.equal((await new Client(app).post('/register', ann)).statusCode, 404)
    assert.equal((await app.inject('/me')).statusCode, 401)
  })
})

describe('passwords.check', () => {
  test('a string or false rejects the password; the check gets NFC and the account’s names', async (t) => {
    const seen: unknown[] = []
    const app = await build(t, {
      auth: {
        passwords: {
          cost: cheap,
          async check(candidate, context) {
            seen.push([candidate, context])
            if (candidate.includes('breached')) return 'This password stands in a breach'
            return !candidate.includes('refused')
          },
        },
      },
    })
    const told = await new Client(app).register('ann', 'breached phrase')
    refusesOwn(told, 'CRUDAUTH_PASSWORD_REJECTED', ['breached phrase'])
    assert.equal(told.json().message, 'This password stands in a breach')
    refusesOwn(
      await new Client(app).register('ann', 'refused phrase'),
      'CRUDAUTH_PASSWORD_REJECTED',
      ['refused phrase'],
    )
    const client = await signedIn(app, 'ann')
    answers(
      await client.post('/change-password', {
        current_password: password,
        new_password: 'Zoe\u0308 long phrase',
      }),
      200,
    )
    assert.deepEqual(seen.at(-1), [
      'Zo\u00eb long phrase',
      { email: 'ann@example.com', username: 'ann' },
    ])
  })

  test('minLength sets the minimum password length', async (t) => {
    const app = await build(t, { auth: { passwords: { cost: cheap, minLength: 12 } } })
    const short = await new Client(app).register('ann', 'eleven-char')
    refusesOwn(short, 'CRUDAUTH_PASSWORD_TOO_SHORT')
    assert.match(short.json().message, /12/)
    answers(await new Client(app).register('ann', 'twelve-chars'), 201)
  })
})
