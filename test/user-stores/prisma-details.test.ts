import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { after, before, describe, test } from 'node:test'
import { sql } from 'kysely'
import { DuplicateUserError, UserValueError } from '../../src/errors.js'
import { prismaOAuthAccounts } from '../../src/oauth-accounts/prisma.js'
import { type PrismaUsersOptions, prismaUsers } from '../../src/user-stores/prisma/index.js'
import { generatePrisma } from '../helpers/generate-prisma.js'
import { openForPrisma, type PrismaDatabase } from '../helpers/open-prisma.js'
import { ormDatabases } from '../helpers/orm-databases.js'
import { prismaModelOf } from '../helpers/prisma-models.js'
import { createUsersTable, type UsersTable } from '../helpers/tables.js'

const isConfigError = { code: 'CRUDAUTH_CONFIG' }
const needs = { filled: ['email', 'username', 'hashedPassword'], written: [], mayFill: false }

for (const { name, dialect, skip } of ormDatabases) {
  describe(`prisma, ${name}`, { skip: skip !== false }, () => {
    let database: PrismaDatabase
    let table: UsersTable
    // biome-ignore lint/suspicious/noExplicitAny: generated below
    let prisma: any
    // biome-ignore lint/suspicious/noExplicitAny: the same
    let Client: any
    const log: string[] = []

    before(async () => {
      database = openForPrisma(dialect)
      table = await createUsersTable(database.db, dialect)
      const unused = `model Times {
  id            Int     @id
  email         String  @unique
  hashedPassword String?
  emailVerified DateTime?
  isActive      String
}

model Made {
  id             String   @id @default(cuid()) // not @default(autoincrement())
  email          String   @unique
  hashedPassword String?
  changed        DateTime @updatedAt
  number         Int      @default(dbgenerated("1"))
  tenant         String
  @@map("made_${randomBytes(6).toString('hex')}")
}`
      const models = [prismaModelOf(dialect, 'default', table.name), unused]
      Client = (await generatePrisma(dialect, models.join('\n\n'))).PrismaClient
      prisma = new Client({
        adapter: database.adapter(),
        log: [{ emit: 'event', level: 'query' }],
      })
      prisma.$on('query', ({ query }: { query: string }) => void log.push(query))
    })
    after(async () => {
      await prisma.$disconnect()
      await table.drop()
      await database.close()
    })

    const empty = async (options: PrismaUsersOptions = {}, client = prisma) => {
      await client.defaultUser.deleteMany()
      return prismaUsers(client, 'defaultUser' as never, options as never)
    }

    test('values that the client makes need no default in the database', async () => {
      const users = prismaUsers(prisma, 'made' as never)
      const made = prisma._runtimeDataModel.models.Made.dbName
      const columns = ['id', 'email', 'changed', 'tenant'].map(
        (name) => `${name} varchar(255) not null`,
      )
      const create = (further: string) =>
        sql
          .raw(
            `create table ${made} (${[...columns, further].join(', ')}, primary key (id), unique (email))`,
          )
          .execute(database.db)
      const hash = dialect === 'postgres' ? '"hashedPassword" text' : 'hashedPassword text'
      await create(`${hash}, number integer not null`)
      const findings = (await users.verifySchema?.(needs)) ?? []
      await sql.raw(`drop table ${made}`).execute(database.db)
      assert.deepEqual(
        findings.map(({ message }) => /^Column "(\w+)".*nothing sets it/.exec(message)?.[1]).sort(),
        ['number', 'tenant'],
      )
    })

    test('a read is one query, a write by an integer id one statement', async () => {
      const users = await empty()
      const { id } = await users.create({ email: 'a@example.com' })
      log.length = 0
      await users.findById(id as number)
      await users.findBy('email', 'a@example.com')
      assert.equal(log.length, 2)
      log.length = 0
      await users.compareAndSet(id as number, { tokenVersion: 0 }, { tokenVersion: 1 })
      assert.equal(log.length, 1, log.join('\n'))
      assert.match(log[0] ?? '', /^UPDATE/)
    })

    test('of 100 parallel changes of case one succeeds', async () => {
      const users = await empty()
      const { id } = await users.create({ email: 'a@example.com', hashedPassword: 'abc' })
      const won = await Promise.all(
        Array.from({ length: 100 }, () =>
          users.compareAndSet(id as number, { hashedPassword: 'abc' }, { hashedPassword: 'ABC' }),
        ),
      )
      assert.equal(won.filter(Boolean).length, 1)
      assert.equal((await users.findById(id as number))?.hashedPassword, 'ABC')
    })

    test('values that do not fit throw UserValueError, without the value', async () => {
      const users = await empty()
      const { id } = await users.create({ email: 'a@example.com' })
      for (const values of [
        ...(dialect === 'sqlite' ? [] : [{ email: 'secret'.repeat(50) }]),
        { tokenVersion: 2 ** 40 },
        { tokenVersion: 'secret' },
        { isActive: 'secret' },
        { email: null },
        { createdAt: 'secret' },
        { secret: 1 },
      ]) {
        const isRefused = (error: Error) =>
          error instanceof UserValueError && !/secretsecret/.test(error.message)
        const others = { email: 'b@example.com', hashedPassword: 'secret' }
        await assert.rejects(users.create({ ...others, ...values }), isRefused)
        await assert.rejects(users.update(id as number, values), isRefused)
      }
      for (const expected of [{ tokenVersion: 'x' }, { isActive: 'maybe' }, { createdAt: 'never' }])
        assert.equal(await users.compareAndSet(id as number, expected, { plan: 'x' }), false)
    })

    test('a call that Prisma refuses is an error without its values', async () => {
      const users = await empty({ fields: { email: null } })
      await assert.rejects(users.create({ hashedPassword: 'secret' }), (error: Error) => {
        assert.equal(error.name, 'PrismaClientValidationError')
        assert.equal(error.message, 'Argument `email` is missing.')
        return !/secret/.test(String(error.stack))
      })
    })

    test('a duplicate error names its field for every index', async () => {
      const { db } = database
      await sql.raw(`create unique index ${table.name}_by_plan on ${table.name} (plan)`).execute(db)
      // The name of this index doesn't say which field it is about.
      const users = await empty({ unique: ['plan'] })
      const { id } = await users.create({ email: 'a@example.com', username: 'ann', plan: 'pro' })
      for (const [field, value] of Object.entries({
        plan: 'pro',
        id,
        username: 'ann',
        email: 'a@example.com',
      }))
        await assert.rejects(
          users.create({ email: 'b@example.com', [field]: value }),
          (error) => error instanceof DuplicateUserError && error.field === field,
          field,
        )
    })

    test('fields that the client omits everywhere are read', async () => {
      const adapter = database.adapter()
      const client = new Client({ adapter, omit: { defaultUser: { hashedPassword: true } } })
      const users = await empty({}, client)
      const row = await users.create({ email: 'a@example.com', hashedPassword: 'hash' })
      assert.equal(row.hashedPassword, 'hash')
      assert.deepEqual(await users.findById(row.id as number), row)
      assert.equal('hashedPassword' in (await client.defaultUser.findFirst()), false)
      await client.$disconnect()
    })

    test('a store in a transaction is rolled back with it', async () => {
      const users = await empty()
      await assert.rejects(
        prisma.$transaction(async (tx: typeof prisma) => {
          const inner = prismaUsers(tx, 'defaultUser' as never)
          const row = await inner.create({ email: 'a@example.com', hashedPassword: 'x' })
          const written = { hashedPassword: 'y' }
          assert.equal(
            await inner.compareAndSet(row.id as number, { hashedPassword: 'x' }, written),
            true,
          )
          assert.deepEqual(await inner.verifySchema?.(needs), [])
          throw new Error('undo')
        }),
        /undo/,
      )
      assert.equal(await users.findBy('email', 'a@example.com'), null)
    })

    test('an extended client works', async () => {
      const extended = prisma.$extends({
        result: { defaultUser: { shout: { needs: { email: true }, compute: () => 'HEY' } } },
      })
      const users = await empty({}, extended)
      const row = await users.create({ email: 'a@example.com' })
      assert.equal(row.shout, 'HEY')
      assert.equal(await users.update(row.id as number, { plan: 'x' }), true)
    })

    test('invalid options are refused when the store is created', async () => {
      const on = (options: PrismaUsersOptions, model = 'defaultUser') =>
        prismaUsers(prisma, model as never, options as never)
      for (const fields of [
        { email: 'mail' },
        { email: 'username' },
        { id: null },
        { acmeId: 'acme_id' },
        { emailVerified: { column: 'plan', as: 'timestamp' } as const },
        { createdAt: 'plan' },
        { isActive: 'plan' },
      ])
        assert.throws(() => on({ fields }), isConfigError, JSON.stringify(fields))
      assert.throws(() => on({}, 'nobody'), /no model "nobody"; it has defaultUser, times/)
      assert.throws(() => on({}, 'times'), /"emailVerified".*as: "timestamp"|"isActive"/)
      assert.throws(() => prismaUsers({} as never, 'account' as never), isConfigError)
      assert.throws(() => prismaOAuthAccounts(prisma, 'times' as never), /Links need "provider"/)
    })

    test('verifySchema finds a table in the schema of the adapter', {
      skip: dialect !== 'postgres',
    }, async () => {
      const { db } = database
      const schema = `other_${randomBytes(4).toString('hex')}`
      await sql.raw(`create schema ${schema}`).execute(db)
      await sql.raw(`alter table ${table.name} set schema ${schema}`).execute(db)
      const users = prismaUsers(prisma, 'defaultUser' as never)
      const findings = await users.verifySchema?.(needs)
      await sql.raw(`alter table ${schema}.${table.name} set schema public`).execute(db)
      await sql.raw(`drop schema ${schema}`).execute(db)
      assert.deepEqual(findings, [])
    })
  })
}
