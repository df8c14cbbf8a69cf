import { type Kysely, sql } from 'kysely'
import type { Dialect } from '../../sql/dialect.js'
import type { Catalog, CatalogColumn } from '../sql/schema-findings.js'

// biome-ignore lint/suspicious/noExplicitAny: any schema of the app's fits
type Db = Kysely<any>

/** The kind of a database type, by its name. */
function kindOf(type: string, dialect: Dialect): CatalogColumn['kind'] {
  const name = type.toLowerCase()
  if (/^bool/.test(name) || /^(?:tinyint\(1\)|bit\(1\)|bit$)/.test(name)) return 'boolean'
  // SQLite types don't restrict the values: a flag may be INTEGER, a time TEXT.
  if (dialect === 'sqlite')
    return /int/.test(name) ? 'integer' : /char|clob|text/.test(name) ? 'text' : 'other'
  if (/^(?:bigint|int8)/.test(name)) return 'bigint'
  if (/^(?:int|integer|smallint|tinyint|mediumint|serial|numeric|decimal)/.test(name))
    return 'integer'
  if (/^(?:timestamp|datetime|date$)/.test(name)) return 'time'
  if (/char|text|uuid/.test(name)) return 'text'
  return 'other'
}

const truthy = (value: unknown): boolean => value === true || Number(value) === 1

/** Whether an index expression (`lower(email)`, `"email"`) uses the column. */
const names = (expression: string, column: string): boolean => {
  const words: string[] = expression.toLowerCase().match(/[\p{L}\p{N}_$]+/gu) ?? []
  const wanted = column.toLowerCase()
  return words.includes(wanted) || expression.toLowerCase().includes(`"${wanted}"`)
}

async function postgresCatalog(db: Db, table: string): Promise<Catalog> {
  // Quote like Kysely, so that `search_path` finds the same table.
  const quoted = table
    .split('.')
    .map((part) => `"${part}"`)
    .join('.')
  const columns = await sql<{
    name: string
    type: string
    length: number | null
    required: boolean
    filled: boolean
    kind: string
  }>`select a.attname as name, t.typname as type,
      case when t.typname in ('varchar', 'bpchar') and a.atttypmod > 4 then a.atttypmod - 4 end as length,
      a.attnotnull as required,
      (a.atthasdef or a.attidentity <> '' or a.attgenerated <> '') as filled,
      c.relkind as kind
    from pg_attribute a
    join pg_class c on c.oid = a.attrelid
    join pg_type t on t.oid = a.atttypid
    where a.attrelid = to_regclass(${quoted}) and a.attnum > 0 and not a.attisdropped`.execute(db)
  const indexes = await sql<{
    definition: string
  }>`select pg_get_indexdef(indexrelid, 1, true) as definition
    from pg_index where indrelid = to_regclass(${quoted}) and indisunique and indnkeyatts = 1`.execute(
    db,
  )
  const isView = columns.rows.some(({ kind }) => kind === 'v' || kind === 'm' || kind === 'f')
  return {
    columns: columns.rows.map(({ name, type, length, required, filled }) => ({
      name,
      kind: kindOf(type, 'postgres'),
      maxLength: length,
      isNullable: !required || isView,
      hasValue: filled,
    })),
    isUnique: (column) =>
      isView || indexes.rows.some(({ definition }) => names(definition, column)),
  }
}

async function mysqlCatalog(db: Db, table: string): Promise<Catalog> {
  const [name, schema = null] = table.split('.').reverse() as [string, string?]
  const columns = await sql<{
    name: string
    type: string
    length: number | string | null
    nullable: string
    fallback: string | null
    extra: string
    kind: string
  }>`select c.column_name as name, c.column_type as type, c.character_maximum_length as length,
      c.is_nullable as nullable, c.column_default as fallback, c.extra as extra, t.table_type as kind
    from information_schema.columns c
    join information_schema.tables t on t.table_schema = c.table_schema and t.table_name = c.table_name
    where c.table_schema = coalesce(${schema}, database()) and c.table_name = ${name}`.execute(db)
  const indexes = await sql<{ name: string | null }>`select min(column_name) as name
    from information_schema.statistics
    where table_schema = coalesce(${schema}, database()) and table_name = ${name} and non_unique = 0
    group by index_name having count(*) = 1`.execute(db)
  const isView = columns.rows.some(({ kind }) => /view/i.test(kind))
  return {
    columns: columns.rows.map((column) => ({
      name: column.name,
      kind: kindOf(column.type, 'mysql'),
      maxLength: column.length === null ? null : Number(column.length),
      isNullable: column.nullable === 'YES' || isView,
      hasValue: column.fallback !== null || /auto_increment|generated/i.test(column.extra ?? ''),
    })),
    // An index on an expression has a null column, and not every version reports the expression.
    isUnique: (column) =>
      isView ||
      indexes.rows.some(
        (index) => index.name === null || index.name.toLowerCase() === column.toLowerCase(),
      ),
  }
}

async function sqliteCatalog(db: Db, table: string): Promise<Catalog> {
  const [name, schema = 'main'] = table.split('.').reverse() as [string, string?]
  const columns = await sql<{
    name: string
    type: string
    required: unknown
    fallback: string | null
    pk: unknown
    hidden: unknown
  }>`select name, type, "notnull" as required, dflt_value as fallback, pk, hidden
    from pragma_table_xinfo(${name}, ${schema})`.execute(db)
  const indexes = await sql<{
    column: string | null
    definition: string | null
  }>`select i.name as "column", m.sql as definition
    from pragma_index_list(${name}, ${schema}) l
    join pragma_index_info(l.name, ${schema}) i
    left join sqlite_master m on m.type = 'index' and m.name = l.name
    where l."unique" = 1 and (select count(*) from pragma_index_info(l.name, ${schema})) = 1`.execute(
    db,
  )
  const keys = columns.rows.filter(({ pk }) => Number(pk) > 0)
  return {
    columns: columns.rows.map((column) => ({
      name: column.name,
      kind: kindOf(column.type, 'sqlite'),
      maxLength: null,
      isNullable: !truthy(column.required),
      hasValue:
        column.fallback !== null ||
        Number(column.hidden) > 0 ||
        (Number(column.pk) > 0 && /^integer$/i.test(column.type)),
    })),
    isUnique: (column) =>
      (keys.length === 1 && keys[0]?.name.toLowerCase() === column.toLowerCase()) ||
      indexes.rows.some((index) =>
        index.column === null
          ? names(index.definition ?? '', column)
          : index.column.toLowerCase() === column.toLowerCase(),
      ),
  }
}

/** Reads a table from the catalog of the database. */
export const catalogOf = (db: Db, dialect: Dialect, table: string): Promise<Catalog> =>
  ({ postgres: postgresCatalog, mysql: mysqlCatalog, sqlite: sqliteCatalog })[dialect](db, table)

/** Whether the driver returns integers above 2^53 without rounding. */
export async function keepsBigNumbers(db: Db, dialect: Dialect): Promise<boolean> {
  const type = dialect === 'mysql' ? sql`signed` : sql`bigint`
  const { rows } = await sql<{ n: unknown }>`select cast(9007199254740993 as ${type}) as n`.execute(
    db,
  )
  return String(rows[0]?.n) === '9007199254740993'
}
