import type { Dialect } from '../../sql/dialect.js'
import type { Column, Schema, Table } from './model.js'

/** Types that Kysely takes as text. All others are SQL. */
const known =
  /^(?:text|integer|bigint|boolean|timestamptz|varchar\(\d+\)|datetime\(\d\)|varbinary\(\d+\))$/

const text = (value: string): string => `'${value}'`
const list = (values: readonly string[]): string => `[${values.map(text).join(', ')}]`

function columnCode(dialect: Dialect, column: Column): string {
  const { name, kind, isNullable, isUnique, isKey } = column
  const isUnsigned = column.type.endsWith(' unsigned')
  const type = column.type.replace(/ unsigned$/, '')
  const calls: string[] = []
  if (isUnsigned) calls.push('unsigned()')
  if (kind === 'id')
    calls.push(
      dialect === 'postgres' ? 'generatedAlwaysAsIdentity()' : 'autoIncrement()',
      'primaryKey()',
    )
  else {
    if (!isNullable) calls.push('notNull()')
    if (column.default !== undefined)
      calls.push(`defaultTo(${dialect === 'sqlite' ? Number(column.default) : column.default})`)
    if (isUnique) calls.push('unique()')
    if (isKey) calls.push('primaryKey()')
  }
  const build = calls.length > 0 ? `, (column) => column.${calls.join('.')}` : ''
  return `.addColumn(${text(name)}, ${known.test(type) ? text(type) : `sql\`${type}\``}${build})`
}

function tableCode(dialect: Dialect, table: Table): string {
  const { name, columns, key, unique, references, indexes, end } = table
  const lines = [
    `.createTable(${text(name)})`,
    ...columns.map((column) => columnCode(dialect, column)),
    ...(key ? [`.addPrimaryKeyConstraint(${text(`${name}_pkey`)}, ${list(key)})`] : []),
    ...unique.map(
      (names) => `.addUniqueConstraint(${text(`${name}_${names.join('_')}_key`)}, ${list(names)})`,
    ),
    ...(references === undefined
      ? []
      : [
          `.addForeignKeyConstraint(${text(`${name}_user_id_fkey`)}, ['user_id'], ${text(references)}, ['id'], (key) => key.onDelete('cascade'))`,
        ]),
    ...(end === undefined ? [] : [`.modifyEnd(sql\`${end}\`)`]),
    '.execute()',
  ]
  return [
    `  await db.schema\n${lines.map((line) => `    ${line}`).join('\n')}`,
    ...Object.entries(indexes).map(
      ([index, column]) =>
        `  await db.schema.createIndex(${text(index)}).on(${text(name)}).column(${text(column)}).execute()`,
    ),
  ].join('\n')
}

/** The schema as a migration of Kysely. */
export function printKysely({ dialect, users, tables, added }: Schema): string {
  // SQLite adds one column per statement.
  const alter = (change: string) =>
    `  await db.schema.alterTable(${text(users)})${change}.execute()`
  const up = [
    ...added.map((column) => alter(columnCode(dialect, column))),
    ...tables.map((table) => tableCode(dialect, table)),
  ].join('\n')
  const down = [
    ...tables.map(({ name }) => `  await db.schema.dropTable(${text(name)}).execute()`),
    ...added.map(({ name }) => alter(`.dropColumn(${text(name)})`)),
  ].reverse()
  return `import { type Kysely${up.includes('sql`') ? ', sql' : ''} } from 'kysely'

export async function up(db: Kysely<any>): Promise<void> {
${up}
}

export async function down(db: Kysely<any>): Promise<void> {
${down.join('\n')}
}`
}
