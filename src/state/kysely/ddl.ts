import { ConfigError } from '../../errors.js'

/** Names of the state tables, with their schema if needed (`auth.store`). */
export interface StateTables {
  /**
   * Table of sessions, refresh token families, known devices and one-time values.
   * @defaultValue `crudauth_store`
   */
  readonly store?: string | undefined
  /**
   * Table of rate limits and lockouts.
   * @defaultValue `crudauth_counters`
   */
  readonly counters?: string | undefined
}

// Keys are compared byte by byte. On MySQL even binary collations ignore spaces at the end, so keys
// are bytes there.
const types = {
  postgres: {
    key: 'varchar(44) collate "C"',
    value: 'text collate "C"',
    state: 'text collate "C"',
    end: '',
  },
  mysql: {
    key: 'varbinary(44)',
    value: 'mediumtext character set utf8mb4 collate utf8mb4_bin',
    state: 'text character set ascii collate ascii_bin',
    end: ' engine = InnoDB',
  },
  sqlite: { key: 'text', value: 'text', state: 'text', end: '' },
}

/**
 * Resolves the names of the tables.
 * @throws ConfigError for a name that could be anything but an identifier
 */
export function tableNames(tables: StateTables = {}): { store: string; counters: string } {
  const { store = 'crudauth_store', counters = 'crudauth_counters' } = tables
  for (const [option, name] of Object.entries({ store, counters })) {
    if (typeof name !== 'string' || !/^[A-Za-z_]\w{0,50}(?:\.[A-Za-z_]\w{0,50})?$/.test(name))
      throw new ConfigError(
        `"tables.${option}" of kyselyState must be the name of a table, such as "crudauth_${option}"`,
      )
  }
  if (store === counters)
    throw new ConfigError('"tables" of kyselyState must name two different tables')
  return { store, counters }
}

/**
 * The statements that create the state tables and their indexes, one per element. Run them in a
 * migration.
 * @param dialect `mysql` also for MariaDB
 * @param tables names, if they differ from the default
 * @throws ConfigError for an invalid name
 * @example
 * for (const statement of stateTables('postgres')) await sql.raw(statement).execute(db)
 */
export function stateTables(
  dialect: 'postgres' | 'mysql' | 'sqlite',
  tables: StateTables = {},
): string[] {
  const { store, counters } = tableNames(tables)
  const { key, value, state, end } = types[dialect]
  const mark = dialect === 'mysql' ? '`' : '"'
  const quoted = (name: string) =>
    name
      .split('.')
      .map((part) => `${mark}${part}${mark}`)
      .join('.')
  const table = (name: string, columns: readonly (readonly [string, string])[]) =>
    `create table ${quoted(name)} (\n${columns
      .map(([column, type]) => `  ${quoted(column)} ${type}`)
      .join(',\n')}\n)${end}`
  const index = (name: string, column: string) => {
    const [bare = name, schema] = name.split('.').reverse()
    const called = quoted(`${bare}_${column}`)
    // SQLite has the schema before the index, and the others before the table.
    return dialect === 'sqlite' && schema !== undefined
      ? `create index ${quoted(schema)}.${called} on ${quoted(bare)} (${quoted(column)})`
      : `create index ${called} on ${quoted(name)} (${quoted(column)})`
  }
  return [
    table(store, [
      ['key', `${key} not null primary key`],
      ['value', `${value} not null`],
      ['owner', key],
      ['version', 'bigint not null'],
      ['expires_at', 'bigint not null'],
    ]),
    index(store, 'owner'),
    index(store, 'expires_at'),
    table(counters, [
      ['key', `${key} not null primary key`],
      ['count', 'bigint not null'],
      ['state', `${state} not null`],
      ['expires_at', 'bigint not null'],
    ]),
    index(counters, 'expires_at'),
  ]
}
