import assert from 'node:assert/strict'
import { test } from 'node:test'
import { UserValueError } from '../../src/errors.js'
import { userStoreConformance } from '../../src/testing/user-store.js'
import { memoryUsers } from '../../src/user-stores/memory.js'

const isConfigError = { code: 'CRUDAUTH_CONFIG' }

userStoreConformance(async () => ({ store: memoryUsers() }), { name: 'memory' })
userStoreConformance(
  async () => ({ store: memoryUsers({ fields: ['email', 'hashedPassword', 'plan'] }) }),
  {
    name: 'memory, few fields',
  },
)
userStoreConformance(
  async () => ({
    store: memoryUsers({ fields: ['phone', 'phoneVerified', 'createdAt', 'acmeId'] }),
  }),
  {
    name: 'memory, phone',
  },
)

test('memoryUsers: by default every standard field exists, and custom fields are accepted', async () => {
  const users = memoryUsers()
  assert.equal(Object.keys(users.fields.columns).length, 23)
  assert.equal(users.fields.columns.googleId, 'googleId')
  assert.equal(users.fields.writable, undefined)
  const row = await users.create({ email: 'a@example.com', plan: 'pro' })
  assert.equal(row.plan, 'pro')
  assert.ok(row.createdAt instanceof Date && row.updatedAt instanceof Date)
  const { createdAt: _, updatedAt: __, ...rest } = row
  assert.deepEqual(
    {
      id: 1,
      isActive: true,
      isSuperuser: false,
      emailVerified: false,
      tokenVersion: 0,
      username: null,
      discordId: null,
    },
    {
      id: rest.id,
      isActive: rest.isActive,
      isSuperuser: rest.isSuperuser,
      emailVerified: rest.emailVerified,
      tokenVersion: rest.tokenVersion,
      username: rest.username,
      discordId: rest.discordId,
    },
  )
})

test('memoryUsers: the fields option limits the fields that exist', async () => {
  const users = memoryUsers({ fields: ['email', 'plan'] })
  assert.deepEqual({ ...users.fields.columns }, { id: 'id', email: 'email', plan: 'plan' })
  assert.deepEqual(users.fields.writable, ['email', 'plan'])
  const row = await users.create({
    email: 'a@example.com',
    plan: 'pro',
    isSuperuser: true,
    hashedPassword: 'x',
  })
  assert.deepEqual(row, { id: 1, email: 'a@example.com', plan: 'pro' })
  await assert.rejects(users.create({ email: 'b@example.com', role: 'admin' }), UserValueError)
  assert.equal(await users.findBy('email', 'b@example.com'), null)
})

test('memoryUsers: compareAndSet treats a missing field as null', async () => {
  const users = memoryUsers({ fields: ['email'] })
  const row = await users.create({ email: 'a@example.com' })
  assert.equal(
    await users.compareAndSet(row.id as number, { tokenVersion: 0 }, { email: 'b@example.com' }),
    false,
  )
  assert.equal(
    await users.compareAndSet(row.id as number, { tokenVersion: null }, { email: 'b@example.com' }),
    true,
  )
})

test('memoryUsers: login fields, the recovery field and provider ids are always unique', () => {
  assert.deepEqual(memoryUsers().fields.unique, [
    'email',
    'username',
    'googleId',
    'githubId',
    'microsoftId',
    'appleId',
    'gitlabId',
    'discordId',
  ])
  assert.deepEqual(
    memoryUsers({ fields: ['pager', 'pagerVerified', 'email', 'acmeId', 'plan'] }).fields.unique,
    ['pager', 'email', 'acmeId'],
  )
  assert.deepEqual(
    memoryUsers({ fields: ['email', 'tenantId', 'googleId'], unique: [] }).fields.unique,
    ['email', 'googleId'],
  )
  const users = memoryUsers({ unique: ['employee'] })
  assert.equal(users.fields.columns.employee, 'employee')
  assert.ok(users.fields.unique.includes('employee'))
})

test('memoryUsers: invalid field names are refused', () => {
  for (const fields of [['a b'], ['a.b'], ['__proto__'], ['constructor'], [''], [1], 'email']) {
    assert.throws(() => memoryUsers({ fields: fields as string[] }), isConfigError)
  }
  assert.throws(() => memoryUsers({ fields: ['email'], unique: ['employee'] }), isConfigError)
})

test('memoryUsers: changing a unique value frees the old one', async () => {
  const users = memoryUsers()
  const row = await users.create({ email: 'a@example.com' })
  await users.update(row.id as number, { email: 'b@example.com' })
  assert.equal(await users.findBy('email', 'a@example.com'), null)
  assert.equal((await users.create({ email: 'a@example.com' })).id, 2)
})

test('memoryUsers: nested values are copied on write and read', async () => {
  const users = memoryUsers()
  const settings = { theme: 'dark' }
  const row = await users.create({ email: 'a@example.com', settings })
  settings.theme = 'light'
  ;(row.settings as { theme: string }).theme = 'light'
  assert.deepEqual((await users.findById(1))?.settings, { theme: 'dark' })
})
