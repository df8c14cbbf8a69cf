import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { UserValueError } from '../../src/errors.js'
import { drizzleUsers } from '../../src/user-stores/drizzle/index.js'
import { drizzleTableOf } from '../helpers/drizzle.js'
import { openDrizzle } from '../helpers/open-drizzle.js'
import { ormDatabases } from '../helpers/orm-databases.js'
import { createUsersTable, type Shape } from '../helpers/tables.js'

test('drizzle, postgres: credentials are never read from a cache of all queries', {
  skip: ormDatabases.find(({ dialect }) => dialect === 'postgres')?.skip,
}, async (t) => {
  let asked = 0
  const cache = {
    strategy: () => 'all',
    get: async () => {
      asked++
      return undefined
    },
    put: async () => {},
    onMutate: async () => {},
  }
  const { orm, db } = openDrizzle('postgres', [], { cache })
  const created = await createUsersTable(db, 'postgres')
  t.after(async () => {
    await created.drop()
    await db.destroy()
  })
  const table = drizzleTableOf('postgres', 'default', created.name)
  const users = drizzleUsers(orm, table)
  await users.create({ email: 'a@example.com' })
  await users.findById(1)
  await users.findBy('email', 'a@example.com')
  assert.equal(asked, 0)
  await orm.select().from(table)
  assert.equal(asked, 1, 'the cache is in use')
})

for (const { name, dialect, skip } of ormDatabases) {
  const openHere = async (t: TestContext, shape: Shape = 'default') => {
    const { orm, db } = openDrizzle(dialect)
    const created = await createUsersTable(db, dialect, shape)
    t.after(async () => {
      await created.drop()
      await db.destroy()
    })
    const table = drizzleTableOf(dialect, shape, created.name)
    return { orm, db, table, users: drizzleUsers(orm, table), tableName: created.name }
  }

  test(`drizzle, ${name}: values that don't fit throw UserValueError`, { skip }, async (t) => {
    const { users } = await openHere(t)
    await users.create({ email: 'a@example.com' })
    for (const values of [
      ...(dialect === 'sqlite' ? [] : [{ email: 'x'.repeat(256) }, { tokenVersion: 2 ** 40 }]),
      { tokenVersion: 'x' },
      { isActive: 'maybe' },
      { email: null },
      ...(dialect === 'sqlite' ? [] : [{ createdAt: 'never' }]),
    ]) {
      const shown = JSON.stringify(values).slice(0, 40)
      await assert.rejects(
        users.create({ email: 'b@example.com', ...values }),
        UserValueError,
        shown,
      )
      await assert.rejects(users.update(1, values), UserValueError, shown)
    }
    for (const expected of [
      { tokenVersion: 'x' },
      { isActive: 'maybe' },
      { tokenVersion: 2 ** 40 },
    ])
      assert.equal(await users.compareAndSet(1, expected, { plan: 'x' }), false)
  })

  test(`drizzle, ${name}: of 100 parallel changes of case one succeeds`, { skip }, async (t) => {
    const { users } = await openHere(t)
    await users.create({ email: 'a@example.com', hashedPassword: 'abc' })
    const won = await Promise.all(
      Array.from({ length: 100 }, () =>
        users.compareAndSet(1, { hashedPassword: 'abc' }, { hashedPassword: 'ABC' }),
      ),
    )
    assert.equal(won.filter(Boolean).length, 1)
  })
}

for (const { name, dialect, skip } of ormDatabases.filter(({ dialect }) => dialect !== 'sqlite')) {
  test(`drizzle, ${name}: a store in a transaction is rolled back with it`, {
    skip,
  }, async (t) => {
    const { orm, db } = openDrizzle(dialect)
    const created = await createUsersTable(db, dialect)
    t.after(async () => {
      await created.drop()
      await db.destroy()
    })
    const table = drizzleTableOf(dialect, 'default', created.name)
    await assert.rejects(
      orm.transaction(async (tx: typeof orm) => {
        const users = drizzleUsers(tx, table)
        await users.create({ email: 'a@example.com' })
        assert.deepEqual(
          await users.verifySchema?.({ filled: [], written: [], mayFill: false }),
          [],
        )
        throw new Error('undo')
      }),
      /undo/,
    )
    assert.equal(await drizzleUsers(orm, table).findBy('email', 'a@example.com'), null)
  })
}

test('drizzle, mariadb: ids that the driver would round are found', {
  skip: ormDatabases.find(({ dialect }) => dialect === 'mysql')?.skip,
}, async (t) => {
  const { orm, db } = openDrizzle('mysql')
  const created = await createUsersTable(db, 'mysql', 'bigint')
  t.after(async () => {
    await created.drop()
    await db.destroy()
  })
  const users = drizzleUsers(orm, drizzleTableOf('mysql', 'bigint', created.name))
  const findings = await users.verifySchema?.({
    filled: ['email', 'username', 'hashedPassword'],
    written: [],
    mayFill: false,
  })
  assert.match(findings?.[0]?.message ?? '', /supportBigNumbers/)
  assert.equal(findings?.[0]?.level, 'warning')
})
