import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { Redis } from 'ioredis'
import { type Kysely, sql } from 'kysely'
import type { SessionRecord, SessionStore } from '../../src/index.js'
import { openPostgres } from '../../test/helpers/databases.js'
import { openSqlite } from '../../test/helpers/sqlite.js'
import { type Call, callsOf, compare, items, perCpuSecond } from '../lib/beside.js'
import type { Figure } from '../lib/report.js'
import type { RunContext, Scenario } from '../lib/run-context.js'
import { spread } from '../lib/statistics.js'

const text = (bytes: number) => randomBytes(bytes).toString('base64url')

const sessionOf = (id: number): SessionRecord => ({
  handle: text(32),
  userId: `n${id}`,
  epoch: text(16),
  csrfDigest: text(32),
  createdAtMs: Date.now(),
  lastActivityAtMs: Date.now(),
  idleMs: 86_400_000,
  absoluteExpiresAtMs: Date.now() + 86_400_000,
  authenticatedAtMs: Date.now(),
  sudoUntilMs: 0,
  remember: false,
  client: text(90),
  metadata: '',
})

/** The two calls of requests: each one reads its session, and some record activity. */
interface Sessions {
  readonly read: Call
  readonly touch: Call
}

/** One session for each of the users 1 to 100. */
async function fill(store: SessionStore): Promise<Sessions> {
  const all = Array.from({ length: items }, (_, at) => ({
    tag: text(32),
    record: sessionOf(at + 1),
  }))
  for (const { tag, record } of all) await store.create(tag, record, 5)
  const at = (id: number) => all[id - 1] as (typeof all)[number]
  return {
    async read(id) {
      const { tag, record } = at(id)
      if (!(await store.read(tag, record.handle))) throw new Error('A session is missing')
    },
    async touch(id, round) {
      const { tag, record } = at(id)
      const lastActivityAtMs = record.createdAtMs + round
      if (!(await store.update(tag, record.handle, { lastActivityAtMs })))
        throw new Error('A session is missing')
    },
  }
}

const clocks = {
  sqlite: sql<number>`cast((julianday('now') - 2440587.5) * 86400000 as integer)`,
  postgres: sql<number>`cast(extract(epoch from clock_timestamp()) * 1000 as bigint)`,
}

/** The same rows by Kysely alone: the same read, and an update without the rules of a touch. */
// biome-ignore lint/suspicious/noExplicitAny: the tables are those of the package
async function bareQueries(db: Kysely<any>, dialect: keyof typeof clocks): Promise<Sessions> {
  const rows = await db.selectFrom('crudauth_store').select(['key', 'value']).execute()
  const at = (id: number) => rows[id - 1] as { key: string; value: string }
  const now = clocks[dialect]
  return {
    read: (id) =>
      db
        .selectFrom('crudauth_store')
        .select(['value', 'version', now.as('now')])
        .where('key', '=', at(id).key)
        .where('expires_at', '>', now)
        .executeTakeFirst(),
    touch: (id, round) =>
      db
        .updateTable('crudauth_store')
        .set({
          value: at(id).value,
          version: sql`version + 1`,
          expires_at: sql`${now} + ${sql.lit(86_400_000 + round)}`,
        })
        .where('key', '=', at(id).key)
        .where('expires_at', '>', now)
        .executeTakeFirst(),
  }
}

/** Calls per second of processor time, without anything beside them. */
async function alone(
  name: string,
  { read, touch }: Sessions,
  { plan }: RunContext,
): Promise<Figure[]> {
  const figures: Figure[] = []
  for (const [kind, call] of Object.entries({ read, touch })) {
    await perCpuSecond(call, callsOf(plan), 0)
    const values: number[] = []
    for (let round = 1; round <= plan.rounds; round++)
      values.push(await perCpuSecond(call, callsOf(plan), round))
    figures.push({ name: `${name}: ${kind}`, unit: 'calls/s', value: spread(values) })
  }
  return figures
}

/** Sessions in SQL beside the same query by Kysely alone, and in Redis and memory. */
export const stateStores: Scenario = async (context) => {
  const part = (path: string) => import(pathToFileURL(join(context.packageFolder, path)).href)
  const { kyselyState, stateTables } = await part('src/state/kysely/index.js')
  const { redisState } = await part('src/state/redis/index.js')
  const { memoryState } = await part('src/state/memory/index.js')

  const redis = new Redis((await context.startRedis()).url)
  context.defer(() => redis.quit())
  const databases = {
    sqlite: openSqlite(join(context.folder, 'state.db')),
    postgres: openPostgres(await context.createDatabase()),
  }

  const compared: Figure[] = []
  const single: Figure[] = [
    ...(await alone('memory', await fill(memoryState().sessions), context)),
    ...(await alone('Redis', await fill(redisState(redis).sessions), context)),
  ]
  for (const dialect of ['postgres', 'sqlite'] as const) {
    const db = databases[dialect]
    context.defer(() => db.destroy())
    for (const statement of stateTables(dialect)) await sql.raw(statement).execute(db)
    const label = dialect === 'sqlite' ? 'SQLite' : 'PostgreSQL'
    const ours = await fill(kyselyState(db).sessions)
    const bare = await bareQueries(db, dialect)
    compared.push(
      await compare(`${label}: read, of Kysely alone`, ours.read, bare.read, context.plan, 0.7),
      await compare(`${label}: touch, of a plain update`, ours.touch, bare.touch, context.plan, 0),
    )
    single.push(...(await alone(label, ours, context)))
  }
  return {
    title: 'State stores',
    about:
      'Sessions, in calls per second of processor time of one process: every request reads its session, and a touch records activity. The read in SQL is beside the same query by Kysely alone. The plain update has no target: it does not compute the new times in SQL.',
    figures: [...compared, ...single],
  }
}
