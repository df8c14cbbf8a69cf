import type { Dialect } from '../../sql/dialect.js'
import type { Column, Schema, Table } from './model.js'
import { camelCase, modelName } from './names.js'
import { quoted } from './sql.js'

/** Splits `varchar(254) character set …` into its type and its collation. */
const partsOf = (type: string) => {
  const [, plain = type, collation] = /^(.*?)( (?:character set|collate) .*)?$/.exec(type) ?? []
  return { plain, hasCollation: collation !== undefined }
}

const natives: readonly (readonly [RegExp, string])[] = [
  [/^varchar\((\d+)\)$/, '@db.VarChar($1)'],
  [/^varbinary\((\d+)\)$/, '@db.VarBinary($1)'],
  [/^timestamptz$/, '@db.Timestamptz(6)'],
  [/^datetime\((\d)\)$/, '@db.DateTime($1)'],
  [/^bigint unsigned$/, '@db.UnsignedBigInt'],
  [/^mediumtext$/, '@db.MediumText'],
  [/^text$/, '@db.Text'],
]

/** The attribute for the type of the database, unless it is the default of Prisma. */
function nativeType(dialect: Dialect, column: Column): string {
  const { plain } = partsOf(column.type)
  if (dialect === 'sqlite' || (dialect === 'postgres' && plain === 'text')) return ''
  const [form, attribute] = natives.find(([pattern]) => pattern.test(plain)) ?? []
  return form && attribute ? plain.replace(form, attribute) : ''
}

const scalars = {
  text: 'String',
  bytes: 'Bytes',
  flag: 'Boolean',
  integer: 'Int',
  bigint: 'BigInt',
  time: 'DateTime',
}

function field(dialect: Dialect, column: Column): string[] {
  const { name, kind, isNullable, isUnique, isKey } = column
  const property = camelCase(name)
  const scalar =
    kind === 'id' || kind === 'reference'
      ? dialect === 'sqlite'
        ? 'Int'
        : 'BigInt'
      : scalars[kind]
  const attributes = [
    isKey ? '@id' : '',
    kind === 'id' ? '@default(autoincrement())' : '',
    column.default === undefined ? '' : `@default(${column.default})`,
    isUnique ? '@unique' : '',
    property === name ? '' : `@map("${name}")`,
    nativeType(dialect, column),
  ]
  return [property, scalar + (isNullable ? '?' : ''), attributes.filter(Boolean).join(' ')]
}

/** Lines in columns, as `prisma format` aligns them. */
function aligned(rows: readonly (readonly string[])[]): string[] {
  const width = (at: number) => Math.max(...rows.map((row) => row[at]?.length ?? 0))
  const [first, second] = [width(0), width(1)]
  return rows.map(([name = '', type = '', attributes = '']) =>
    `  ${name.padEnd(first)} ${type.padEnd(second)} ${attributes}`.trimEnd(),
  )
}

function model(
  dialect: Dialect,
  table: Table,
  referring: readonly Table[],
  hasUsers: boolean,
): string {
  const rows = table.columns.map((column) => field(dialect, column))
  for (const { name } of referring) rows.push([camelCase(name), `${modelName(name)}[]`, ''])
  if (table.references !== undefined && hasUsers)
    rows.push([
      'user',
      modelName(table.references),
      '@relation(fields: [userId], references: [id], onDelete: Cascade)',
    ])
  const names = (columns: readonly string[]) => columns.map(camelCase).join(', ')
  const lines = [
    ...(table.key ? [`@@id([${names(table.key)}])`] : []),
    ...table.unique.map((columns) => `@@unique([${names(columns)}])`),
    ...Object.entries(table.indexes).map(
      ([index, column]) => `@@index([${camelCase(column)}], map: "${index}")`,
    ),
    `@@map("${table.name}")`,
  ]
  const hint =
    table.references !== undefined && !hasUsers
      ? '// Give userId the type of your model, and add a relation to it with onDelete: Cascade.\n'
      : ''
  return `${hint}model ${modelName(table.name)} {\n${aligned(rows).join('\n')}\n\n${lines.map((line) => `  ${line}`).join('\n')}\n}`
}

/** Statements for what Prisma can't declare, as comments. */
function collations(dialect: Dialect, tables: readonly Table[]): string[] {
  const statements = tables.flatMap(({ name, columns }) =>
    columns
      .filter(({ type }) => partsOf(type).hasCollation)
      .map((column) => {
        const start = `alter table ${quoted(dialect, name)}`
        const target = quoted(dialect, column.name)
        return dialect === 'postgres'
          ? `${start} alter column ${target} type ${column.type};`
          : `${start} modify ${target} ${column.type}${column.isNullable ? '' : ' not null'};`
      }),
  )
  if (statements.length === 0) return []
  return [
    [
      "// Prisma doesn't declare collations. Create the migration with",
      '// "prisma migrate dev --create-only", and add these statements to its end:',
      ...statements.map((statement) => `//   ${statement}`),
    ].join('\n'),
  ]
}

/** The schema as models of Prisma. Fields have the logical names of the plugin. */
export function printPrisma({ dialect, users, tables, added }: Schema): string {
  const hasUsers = tables.some(({ name }) => name === users)
  const referring = tables.filter(({ references }) => references !== undefined)
  const fields = aligned(added.map((column) => field(dialect, column)))
  return [
    ...(fields.length > 0
      ? [
          `// Add these fields to the model of "${users}":\n${fields.map((line) => `//${line}`).join('\n')}`,
        ]
      : []),
    ...tables.map((table) =>
      model(dialect, table, table.name === users ? referring : [], hasUsers),
    ),
    ...collations(dialect, tables),
  ].join('\n\n')
}
