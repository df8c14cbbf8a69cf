import type { Dialect } from '../../sql/dialect.js'
import type { Column, Schema, Table } from './model.js'

/** Quotes a name. Unquoted, PostgreSQL would change its case, and `order` would be a keyword. */
export const quoted = (dialect: Dialect, name: string): string =>
  dialect === 'mysql' ? `\`${name}\`` : `"${name}"`

const identity = {
  postgres: ' generated always as identity primary key',
  mysql: ' auto_increment primary key',
  sqlite: ' primary key autoincrement',
}

const literal = (dialect: Dialect, value: boolean | number): string =>
  dialect === 'sqlite' ? String(Number(value)) : String(value)

/** A column as in `create table` and `alter table add column`. */
function columnSql(dialect: Dialect, column: Column): string {
  const { name, kind, type, isNullable, isUnique, isKey } = column
  const start = `${quoted(dialect, name)} ${type}`
  if (kind === 'id') return start + identity[dialect]
  return [
    start,
    isNullable ? '' : ' not null',
    column.default === undefined ? '' : ` default ${literal(dialect, column.default)}`,
    isUnique ? ' unique' : '',
    isKey ? ' primary key' : '',
  ].join('')
}

function tableSql(dialect: Dialect, table: Table): string {
  const list = (names: readonly string[]) => names.map((name) => quoted(dialect, name)).join(', ')
  const lines = table.columns.map((column) => columnSql(dialect, column))
  if (table.key) lines.push(`primary key (${list(table.key)})`)
  for (const names of table.unique) lines.push(`unique (${list(names)})`)
  if (table.references !== undefined)
    // A constraint of its own: MySQL ignores `references` behind a column.
    lines.push(
      `foreign key (${list(['user_id'])}) references ${quoted(dialect, table.references)} (${list(['id'])}) on delete cascade`,
    )
  return `create table ${quoted(dialect, table.name)} (\n${lines.map((line) => `  ${line}`).join(',\n')}\n)`
}

const indexesSql = (dialect: Dialect, { name, indexes }: Table): string[] =>
  Object.entries(indexes).map(
    ([index, column]) =>
      `create index ${quoted(dialect, index)} on ${quoted(dialect, name)} (${quoted(dialect, column)})`,
  )

/** The schema as SQL statements. */
export function printSql({ dialect, users, tables, added, state }: Schema): string {
  const statements = [
    ...added.map(
      (column) => `alter table ${quoted(dialect, users)} add column ${columnSql(dialect, column)}`,
    ),
    ...tables
      .filter(({ isState }) => !isState)
      .flatMap((table) => [tableSql(dialect, table), ...indexesSql(dialect, table)]),
    ...state,
  ]
  return statements.map((statement) => `${statement};`).join('\n')
}
