import { Script } from 'node:vm'
import type { Dialect } from '../../sql/dialect.js'
import type { Column, Schema, Table } from './model.js'
import { camelCase } from './names.js'

const cores = {
  postgres: { module: 'drizzle-orm/pg-core', table: 'pgTable' },
  mysql: { module: 'drizzle-orm/mysql-core', table: 'mysqlTable' },
  sqlite: { module: 'drizzle-orm/sqlite-core', table: 'sqliteTable' },
}

/** Names that the printed modules may import or declare. */
const ownNames = new Set([
  ...Object.values(cores).map(({ table }) => table),
  ...['bigint', 'boolean', 'customType', 'datetime', 'foreignKey', 'index', 'int', 'integer'],
  ...['primaryKey', 'text', 'timestamp', 'unique', 'varbinary', 'varchar', 'sqlType'],
  ...['secondFactorColumns', 'oauthAccounts', 'passkeys', 'crudauthStore', 'crudauthCounters'],
])

/** Whether JavaScript takes the name for a variable of a module. */
function isVariable(name: string): boolean {
  try {
    new Script(`'use strict'; const ${name} = 0`)
    return name !== 'await'
  } catch {
    return false
  }
}

/** The variable for a table: `accounts`, or `textTable` where `text` is something else. */
function variableOf(table: string, users: string): string {
  const name = camelCase(table)
  const isTaken = table === users && ownNames.has(name)
  return isTaken || !isVariable(name) ? `${name}Table` : name
}

const text = (value: string): string => `'${value}'`

/** The call that declares a column of a type, and the function it needs. */
function builderOf(dialect: Dialect, { name, kind, type }: Column): [need: string, code: string] {
  const [, base = '', length = ''] = /^(\w+)(?:\((\d+)\))?(?: unsigned)?$/.exec(type) ?? []
  const call = (builder: string, config = ''): [string, string] => [
    builder,
    `${builder}(${text(name)}${config && `, { ${config} }`})`,
  ]
  if (dialect === 'sqlite') {
    if (kind === 'flag') return call('integer', "mode: 'boolean'")
    return base === 'text' ? call('text') : call('integer')
  }
  switch (base) {
    case 'bigint':
      return call('bigint', `mode: 'bigint'${type.endsWith('unsigned') ? ', unsigned: true' : ''}`)
    case 'varchar':
    case 'varbinary':
      return call(base, `length: ${length}`)
    case 'integer':
      return call(dialect === 'mysql' ? 'int' : 'integer')
    case 'timestamptz':
      return call('timestamp', 'withTimezone: true')
    case 'datetime':
      return call('datetime', `fsp: ${length}`)
    case 'text':
    case 'boolean':
      return call(base)
    default:
      return ['customType', `sqlType(${text(type)})(${text(name)})`]
  }
}

function columnCode(dialect: Dialect, column: Column): [need: string, code: string] {
  const { name, kind, isNullable, isUnique, isKey } = column
  const [need, builder] = builderOf(dialect, column)
  const calls: string[] = []
  if (kind === 'id') {
    if (dialect === 'sqlite') calls.push('primaryKey({ autoIncrement: true })')
    else
      calls.push(
        'primaryKey()',
        dialect === 'mysql' ? 'autoincrement()' : 'generatedAlwaysAsIdentity()',
      )
  } else {
    if (isKey) calls.push('primaryKey()')
    else if (!isNullable) calls.push('notNull()')
    if (column.default !== undefined) calls.push(`default(${column.default})`)
    if (isUnique) calls.push('unique()')
  }
  return [need, `${camelCase(name)}: ${[builder, ...calls].join('.')},`]
}

/** The third argument: what concerns several columns, and indexes. */
function extras(
  table: Table,
  users: string,
  hasUsers: boolean,
): [needs: string[], lines: string[]] {
  const { key, unique, indexes, references } = table
  const at = (names: readonly string[]) =>
    names.map((column) => `table.${camelCase(column)}`).join(', ')
  const lines: string[] = []
  const needs: string[] = []
  const add = (need: string, line: string) => {
    needs.push(need)
    lines.push(line)
  }
  if (key) add('primaryKey', `primaryKey({ columns: [${at(key)}] }),`)
  for (const names of unique) add('unique', `unique().on(${at(names)}),`)
  if (references !== undefined && hasUsers)
    add(
      'foreignKey',
      `foreignKey({ columns: [table.userId], foreignColumns: [${variableOf(references, users)}.id] }).onDelete('cascade'),`,
    )
  for (const [index, column] of Object.entries(indexes))
    add('index', `index(${text(index)}).on(${at([column])}),`)
  if (references !== undefined && !hasUsers)
    lines.push(
      "// Add a foreign key to the id of your users table, with onDelete('cascade'), and give userId its type.",
    )
  return [needs, lines.map((line) => `    ${line}`)]
}

/** The schema as table objects of Drizzle. Properties have the logical names of the plugin. */
export function printDrizzle({ dialect, users, tables, added }: Schema): string {
  const { module, table: create } = cores[dialect]
  const needs = new Set<string>()
  const lines = (columns: readonly Column[], indent: string) =>
    columns.map((column) => {
      const [need, code] = columnCode(dialect, column)
      needs.add(need)
      return indent + code
    })
  const hasUsers = tables.some(({ name }) => name === users)
  const blocks = tables.map((table) => {
    needs.add(create)
    const [further, rest] = extras(table, users, hasUsers)
    for (const need of further) needs.add(need)
    const start = `export const ${variableOf(table.name, users)} = ${create}(`
    return rest.length === 0
      ? `${start}${text(table.name)}, {\n${lines(table.columns, '  ').join('\n')}\n})`
      : `${start}\n  ${text(table.name)},\n  {\n${lines(table.columns, '    ').join('\n')}\n  },\n  (table) => [\n${rest.join('\n')}\n  ],\n)`
  })
  if (added.length > 0)
    blocks.unshift(
      `// Spread these into the columns of "${users}": ...secondFactorColumns\nexport const secondFactorColumns = {\n${lines(added, '  ').join('\n')}\n}`,
    )
  if (needs.has('customType'))
    blocks.unshift(
      `/** A type with its collation, which Drizzle doesn't declare. */\nconst sqlType = (type: string) => customType<{ data: string }>({ dataType: () => type })`,
    )
  return [`import { ${[...needs].sort().join(', ')} } from '${module}'`, ...blocks].join('\n\n')
}
