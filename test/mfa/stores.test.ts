import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, type TestContext, test } from 'node:test'
import { type Kysely, sql } from 'kysely'
import { type CrudAuthOptions, memoryUsers, type UserStore } from '../../src/index.js'
import { kyselyUsers } from '../../src/user-stores/kysely/index.js'
import { answers, refusesOwn } from '../helpers/answers.js'
import { build } from '../helpers/build.js'
import { Client, signedIn } from '../helpers/client.js'
import { openMariadb, openPostgres, serverOf } from '../helpers/databases.js'
import { everywhere, places } from '../helpers/everywhere.js'
import { noUnhandledRejections, statuses, times } from '../helpers/hostile.js'
import {
  allowCodesAgain,
  challengeOf,
  codeAt,
  enrolledUser,
  mfaOptions,
  signInWithCode,
  verify,
  wrongCode,
} from '../helpers/mfa.js'
import { createUsersTable, type Dialect, openSqlite } from '../helpers/tables.js'

// biome-ignore lint/suspicious/noExplicitAny: each test creates its own tables
type Database = Kysely<any>

const timeTypes = { postgres: 'timestamptz(3)', mysql: 'datetime(3)', sqlite: 'text' } as const

const columnsOf = (dialect: Dialect, secret = 'varchar(255)', codes = 'text', step = 'integer') => [
  `totp_secret_encrypted ${secret}`,
  `totp_confirmed_at ${timeTypes[dialect]}`,
  `totp_last_step ${step}`,
  `mfa_recovery_codes ${codes}`,
]

/** A users table of its own, with these further columns. */
async function openTable(t: TestContext, db: Database, dialect: Dialect, columns: string[]) {
  const table = await createUsersTable(db, dialect)
  for (const column of columns)
    await sql.raw(`alter table ${table.name} add column ${column}`).execute(db)
  t.after(async () => {
    await table.drop()
    await db.destroy()
  })
  return kyselyUsers(db, table.options)
}

function openSqliteFile(t: TestContext): Database {
  const folder = mkdtempSync(join(tmpdir(), 'crudauth-mfa-'))
  t.after(() => rmSync(folder, { recursive: true, force: true }))
  return openSqlite(join(folder, 'users.db'))
}

const postgres = serverOf('TEST_POSTGRES_URL')
const mariadb = serverOf('TEST_MARIADB_URL')
const databases: { name: string; dialect: Dialect; open: (t: TestContext) => Database }[] = [
  { name: 'SQLite', dialect: 'sqlite', open: openSqliteFile },
  ...(postgres.skip
    ? []
    : [
        {
          name: 'PostgreSQL',
          dialect: 'postgres' as const,
          open: () => openPostgres(postgres.url),
        },
      ]),
  ...(mariadb.skip
    ? []
    : [{ name: 'MariaDB', dialect: 'mysql' as const, open: () => openMariadb(mariadb.url) }]),
]

interface Place {
  readonly name: string
  options(t: TestContext): Promise<Partial<CrudAuthOptions>>
}

/** Every place for state with users in memory, and the last of them with every database. */
const combinations: Place[] = [
  ...everywhere.map((backend) => ({
    name: backend.name,
    options: async (t: TestContext) => ({ ...places(t, backend), users: memoryUsers() }),
  })),
  ...databases.map(({ name, dialect, open }) => ({
    name: `${everywhere.at(-1)?.name}, ${name}`,
    options: async (t: TestContext) => ({
      ...places(t, everywhere.at(-1) as (typeof everywhere)[number]),
      users: (await openTable(t, open(t), dialect, columnsOf(dialect))) as UserStore,
    }),
  })),
]

for (const { name, options } of combinations) {
  describe(name, () => {
    const setUp = async (t: TestContext, auth: Partial<CrudAuthOptions> = {}) => {
      noUnhandledRejections(t)
      const app = await build(t, {
        auth: { ...(await options(t)), lockout: false, mfa: mfaOptions, ...auth },
      })
      return { app, ...(await enrolledUser(app, 'ada')) }
    }
    const sessionsOf = async (client: Client) => answers(await client.get('/sessions'), 200).length

    test('a second factor, from its setup to its end', async (t) => {
      const { app, client, secret, recoveryCodes } = await setUp(t)
      const other = new Client(app)
      const challenge = await challengeOf(other, 'ada')
      refusesOwn(await verify(other, challenge, wrongCode(secret)), 'CRUDAUTH_MFA_CODE')
      const used = codeAt(secret)
      answers(await verify(other, challenge, used), 200)
      const next = await challengeOf(other, 'ada')
      refusesOwn(await verify(other, next, used), 'CRUDAUTH_MFA_CODE')
      answers(await verify(other, next, recoveryCodes[0] ?? ''), 200)
      const status = answers(await client.get('/mfa'), 200)
      assert.deepEqual(status, { enabled: true, required: false, recovery_codes_remaining: 9 })
      await allowCodesAgain(app, 'ada')
      const regenerate = { code: codeAt(secret) }
      const renewed = answers(await client.post('/mfa/recovery-codes/regenerate', regenerate), 200)
      const dead = await challengeOf(other, 'ada')
      refusesOwn(await verify(other, dead, recoveryCodes[1] ?? ''), 'CRUDAUTH_MFA_CODE')
      const [code] = renewed.recovery_codes
      answers(await client.post('/mfa/totp/disable', { code }), 200)
      answers(await new Client(app).login('ada'), 200)
      assert.equal(answers(await client.get('/mfa'), 200).enabled, false)
    })

    test('100 parallel right codes at 100 challenges give one session', async (t) => {
      const { app, client, secret } = await setUp(t)
      const challenges = await Promise.all(times(100, () => challengeOf(new Client(app), 'ada')))
      const code = codeAt(secret)
      const verified = await Promise.all(
        challenges.map((challenge) => verify(new Client(app), challenge, code)),
      )
      assert.deepEqual(statuses(verified), { 200: 1, 401: 99 })
      assert.equal(await sessionsOf(client), 2)
    })

    test('100 parallel uses of one recovery code give one session', async (t) => {
      const { app, client, recoveryCodes } = await setUp(t)
      const challenges = await Promise.all(times(100, () => challengeOf(new Client(app), 'ada')))
      const code = recoveryCodes[5] ?? ''
      const verified = await Promise.all(
        challenges.map((challenge) => verify(new Client(app), challenge, code)),
      )
      assert.deepEqual(statuses(verified), { 200: 1, 401: 99 })
      assert.equal(await sessionsOf(client), 2)
      assert.equal(answers(await client.get('/mfa'), 200).recovery_codes_remaining, 9)
    })

    test('100 parallel codes at one challenge: maxAttempts are judged, one signs in', async (t) => {
      const { app, client, secret } = await setUp(t)
      const wrong = await challengeOf(new Client(app), 'ada')
      const guesses = await Promise.all(
        times(100, () => verify(new Client(app), wrong, wrongCode(secret))),
      )
      assert.deepEqual(statuses(guesses), { 400: 95, 401: 5 })
      const challenge = await challengeOf(new Client(app), 'ada')
      const verified = await Promise.all(
        times(100, () => verify(new Client(app), challenge, codeAt(secret))),
      )
      assert.equal(statuses(verified)[200], 1)
      assert.equal(await sessionsOf(client), 2)
    })

    test('of 30 parallel confirmations, one gets recovery codes', async (t) => {
      const { app } = await setUp(t)
      const client = await signedIn(app, 'bob')
      const password = { password: 'correct horse battery' }
      const { secret } = answers(await client.post('/mfa/totp/setup', password), 200)
      const code = codeAt(secret)
      const confirmed = await Promise.all(
        times(30, () => client.post('/mfa/totp/confirm', { code })),
      )
      assert.deepEqual(statuses(confirmed), { 200: 1, 400: 29 })
      const winner = confirmed.find(({ statusCode }) => statusCode === 200)
      await signInWithCode(new Client(app), 'bob', winner?.json().recovery_codes[9])
    })
  })
}

for (const { name, dialect, open } of databases) {
  const start = async (t: TestContext, columns: string[], mfa: CrudAuthOptions['mfa']) =>
    build(t, { auth: { users: await openTable(t, open(t), dialect, columns), mfa } })
  const refusesStart = (starting: Promise<unknown>, column: string) =>
    assert.rejects(
      starting,
      (error: Error & { code?: string }) =>
        error.code === 'CRUDAUTH_CONFIG' && error.message.includes(column),
    )

  test(`${name}: a table without the columns stops start-up, and works with mfa off`, async (t) => {
    for (const [index, column] of columnsOf(dialect).entries()) {
      const others = columnsOf(dialect).filter((_, other) => other !== index)
      await refusesStart(start(t, others, mfaOptions), column.split(' ')[0] ?? '')
    }
    const client = await signedIn(await start(t, [], undefined), 'ada')
    answers(await client.get('/me'), 200)
  })

  if (dialect !== 'sqlite')
    test(`${name}: columns that are too short or of another type stop start-up`, async (t) => {
      const { length } = columnsOf(dialect)
      assert.equal(length, 4)
      for (const [columns, column] of [
        [columnsOf(dialect, 'varchar(64)'), 'totp_secret_encrypted'],
        [columnsOf(dialect, 'varchar(255)', 'varchar(255)'), 'mfa_recovery_codes'],
        [columnsOf(dialect, 'varchar(255)', 'text', 'varchar(20)'), 'totp_last_step'],
      ] as const)
        await refusesStart(start(t, [...columns], mfaOptions), column)
      await refusesStart(
        start(t, columnsOf(dialect, 'varchar(255)', 'varchar(700)'), {
          ...mfaOptions,
          recoveryCodes: 20,
        }),
        'mfa_recovery_codes',
      )
    })

  test(`${name}: a column that refuses null stops start-up`, async (t) => {
    for (const [index, column] of columnsOf(dialect).entries())
      await refusesStart(
        start(t, columnsOf(dialect).with(index, `${column} not null`), mfaOptions),
        column.split(' ')[0] ?? '',
      )
  })

  test(`${name}: totp_last_step may be a 64-bit integer`, async (t) => {
    const columns = columnsOf(dialect, 'varchar(255)', 'text', 'bigint')
    const app = await start(t, columns, mfaOptions)
    const { secret } = await enrolledUser(app, 'ada')
    await signInWithCode(new Client(app), 'ada', codeAt(secret))
    await signInWithCode(new Client(app), 'ada', codeAt(secret, Date.now() + 30_000))
    const challenge = await challengeOf(new Client(app), 'ada')
    refusesOwn(await verify(new Client(app), challenge, codeAt(secret)), 'CRUDAUTH_MFA_CODE')
  })
}
