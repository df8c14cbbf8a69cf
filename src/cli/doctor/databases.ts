import { createRequire } from 'node:module'
import type { Report } from './report.js'
import { nameOf } from './report.js'
import { isAtLeast } from './versions.js'
import { within } from './within.js'

interface Instance {
  getExecutor(): { readonly adapter: { readonly constructor: { readonly name: string } } }
}

interface KyselyModule {
  readonly Kysely?: { readonly prototype: Instance }
  readonly sql?: {
    raw(text: string): { execute(db: Instance): Promise<{ rows: { version?: unknown }[] }> }
  }
}

/** Oldest versions that the plugin supports. */
const oldest: Readonly<Record<string, string>> = {
  PostgreSQL: '12',
  MySQL: '8.0',
  MariaDB: '10.5',
  SQLite: '3.35',
}

const queries: readonly (readonly [RegExp, string])[] = [
  [/postgres/i, 'show server_version'],
  [/mysql|mariadb/i, 'select version() as version'],
  [/sqlite/i, 'select sqlite_version() as version'],
]

function productOf(adapter: string, version: string): string {
  if (/postgres/i.test(adapter)) return 'PostgreSQL'
  if (/sqlite/i.test(adapter)) return 'SQLite'
  return /mariadb/i.test(version) ? 'MariaDB' : 'MySQL'
}

/** The copies of Kysely that the app and this package load: those of both module systems. */
async function copiesOfKysely(path: string): Promise<KyselyModule[]> {
  const name: string = 'kysely'
  const loads = [
    () => import(name) as Promise<KyselyModule>,
    async () => createRequire(path)(name) as KyselyModule,
  ]
  const loaded = await Promise.all(loads.map((load) => load().catch(() => null)))
  return [...new Set(loaded.filter((copy) => copy !== null))]
}

/**
 * Remembers the Kysely instances that stores are made with, since stores don't show theirs. Call it
 * before the app is loaded.
 * @param path of the app
 * @returns a function that reports reachability and version of their databases
 */
export async function observeDatabases(path: string): Promise<(report: Report) => Promise<void>> {
  const found = new Map<Instance, KyselyModule>()
  for (const copy of await copiesOfKysely(path)) {
    const prototype = copy.Kysely?.prototype
    const original = prototype?.getExecutor
    if (!prototype || !original) continue
    prototype.getExecutor = function (this: Instance & { isTransaction?: boolean }) {
      if (this.isTransaction !== true) found.set(this, copy)
      return original.call(this)
    }
  }

  const ask = async (instance: Instance, { sql }: KyselyModule): Promise<string | undefined> => {
    const adapter = instance.getExecutor().adapter.constructor.name
    const query = queries.find(([dialect]) => dialect.test(adapter))?.[1]
    if (query === undefined || !sql) return undefined
    const { rows } = await sql.raw(query).execute(instance)
    const version = String(Object.values(rows[0] ?? {})[0] ?? '')
    return `${productOf(adapter, version)} ${/^\d+(?:\.\d+)*/.exec(version)?.[0] ?? '?'}`
  }

  return async function reportDatabases(report) {
    const answers = await Promise.allSettled(
      [...found].map(([instance, copy]) => within(5000, 'The database', () => ask(instance, copy))),
    )
    for (const answer of answers) {
      if (answer.status === 'rejected') {
        report.add(
          'fix',
          `The SQL database doesn't answer (${nameOf(answer.reason)}). Check its address, user and password, and that it runs.`,
        )
        continue
      }
      if (answer.value === undefined) continue
      const [product = '', version = ''] = answer.value.split(' ')
      const floor = oldest[product] ?? '0'
      if (version === '?' || isAtLeast(version, floor)) report.add('ok', `${answer.value} answers.`)
      else report.add('fix', `${answer.value} is too old; use ${product} ${floor} or later.`)
    }
  }
}
