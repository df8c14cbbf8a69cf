import type { Dialect } from '../helpers/tables.js'

// biome-ignore lint/suspicious/noExplicitAny: the types depend on the dialect
type Any = any

/** Modules of Drizzle by name, so that a checkout without Drizzle compiles. */
const load = (name: string): Promise<Any> => import(name)

const cores = { postgres: 'pg', mysql: 'mysql', sqlite: 'sqlite' }

/** The statements that drizzle-kit would make of table objects, which isn't installed. */
export async function drizzleStatements(
  dialect: Dialect,
  tables: readonly unknown[],
): Promise<string[]> {
  const { getTableConfig } = await load(`drizzle-orm/${cores[dialect]}-core`)
  const quoted = (name: string) => (dialect === 'mysql' ? `\`${name}\`` : `"${name}"`)
  const list = (columns: Any[]) => columns.map(({ name }) => quoted(name)).join(', ')
  const columnOf = (column: Any) => {
    const value = column.default === undefined ? undefined : column.mapToDriverValue(column.default)
    return [
      quoted(column.name),
      column.getSQLType(),
      column.generatedIdentity ? `generated ${column.generatedIdentity.type} as identity` : '',
      column.primary ? 'primary key' : '',
      column.autoIncrement ? (dialect === 'mysql' ? 'auto_increment' : 'autoincrement') : '',
      column.notNull && !column.primary ? 'not null' : '',
      value === undefined ? '' : `default ${value}`,
      column.isUnique ? 'unique' : '',
    ]
      .filter(Boolean)
      .join(' ')
  }
  return tables.flatMap((table) => {
    const config = getTableConfig(table)
    const name = quoted(config.name)
    const lines = [
      ...config.columns.map(columnOf),
      ...config.primaryKeys.map(({ columns }: Any) => `primary key (${list(columns)})`),
      ...config.uniqueConstraints.map(({ columns }: Any) => `unique (${list(columns)})`),
      ...config.foreignKeys.map((key: Any) => {
        const { columns, foreignTable, foreignColumns } = key.reference()
        const target = quoted(getTableConfig(foreignTable).name)
        return `foreign key (${list(columns)}) references ${target} (${list(foreignColumns)}) on delete ${key.onDelete}`
      }),
    ]
    return [
      `create table ${name} (${lines.join(', ')})`,
      ...config.indexes.map(
        ({ config: index }: Any) =>
          `create index ${quoted(index.name)} on ${name} (${list(index.columns)})`,
      ),
    ]
  })
}

const drivers = { postgres: 'node-postgres', mysql: 'mysql2', sqlite: 'better-sqlite3' }

/** Opens Drizzle on a connection. */
export async function openDrizzle(dialect: Dialect, client: unknown): Promise<Any> {
  const { drizzle } = await load(`drizzle-orm/${drivers[dialect]}`)
  return drizzle(client, { mode: 'default' })
}
