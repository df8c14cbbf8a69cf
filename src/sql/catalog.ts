import type { Dialect } from './dialect.js'

/** A column, according to the catalog of the database. */
export interface CatalogColumn {
  readonly name: string
  /** Type as the database names it, in lower case. */
  readonly type: string
  readonly kind: 'boolean' | 'integer' | 'bigint' | 'text' | 'time' | 'other'
  /** Maximum length in characters. Null if there is no limit, or if it is unknown. */
  readonly maxLength: number | null
  readonly isNullable: boolean
  /** Whether the database fills it by itself: a default, an identity or a generated column. */
  readonly hasValue: boolean
}

/** A table, according to the catalog of the database. */
export interface Catalog {
  readonly columns: readonly CatalogColumn[]
  /**
   * Whether a unique index covers exactly these columns, or expressions on them. True if that is
   * unknown (a view).
   */
  isUnique(...columns: string[]): boolean
  /** Settings of the connection with which values become other values, and how to change them. */
  readonly faults: readonly string[]
}

/** Runs one statement with the values as parameters, and returns its rows. */
export type Query = (text: TemplateStringsArray, ...values: unknown[]) => Promise<unknown[]>

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

/** Whether a part of an index (`lower(email)`, `"email"`) uses the column. */
const names = (expression: string, column: string): boolean => {
  const part = expression.toLowerCase()
  const wanted = column.toLowerCase()
  if (/^"[^"]*"$/.test(part)) return part === `"${wanted}"`
  const words: string[] = part.match(/[\p{L}\p{N}_$]+/gu) ?? []
  return words.includes(wanted) || part.includes(`"${wanted}"`)
}

/** One part of a unique index: a column, an expression on it, or null if it is unknown. */
interface IndexPart {
  readonly index: string
  readonly part: string | null
}

/** Whether one of the indexes consists of exactly the given columns. */
function uniqueBy(parts: readonly IndexPart[]): Catalog['isUnique'] {
  const indexes = new Map<string, (string | null)[]>()
  for (const { index, part } of parts) indexes.set(index, [...(indexes.get(index) ?? []), part])
  return (...columns) =>
    [...indexes.values()].some(
      (index) =>
        index.length === columns.length &&
        columns.every((column) => index.some((part) => part === null || names(part, column))),
    )
}

const always = () => true

async function postgresCatalog(query: Query, table: string): Promise<Catalog> {
  // Quoted as in the statements, so that `search_path` finds the same table.
  const quoted = table
    .split('.')
    .map((part) => `"${part}"`)
    .join('.')
  // Types such as `name` and `"char"` are unknown to some drivers.
  const columns =
    (await query`select cast(a.attname as text) as name, cast(t.typname as text) as type,
      case when t.typname in ('varchar', 'bpchar') and a.atttypmod > 4 then a.atttypmod - 4 end as length,
      a.attnotnull as required,
      (a.atthasdef or a.attidentity <> '' or a.attgenerated <> '') as filled,
      c.relkind in ('v', 'm', 'f') as view
    from pg_attribute a
    join pg_class c on c.oid = a.attrelid
    join pg_type t on t.oid = a.atttypid
    where a.attrelid = to_regclass(${quoted}) and a.attnum > 0 and not a.attisdropped`) as {
      name: string
      type: string
      length: number | null
      required: boolean
      filled: boolean
      view: boolean
    }[]
  const parts = await query`select cast(i.indexrelid as text) as index,
      pg_get_indexdef(i.indexrelid, k, true) as part
    from pg_index i, generate_series(1, cast(i.indnkeyatts as integer)) k
    where i.indrelid = to_regclass(${quoted}) and i.indisunique and i.indisvalid`
  const isView = columns.some(({ view }) => view)
  return {
    columns: columns.map(({ name, type, length, required, filled }) => ({
      name,
      type: type.toLowerCase(),
      kind: kindOf(type, 'postgres'),
      maxLength: length,
      isNullable: !required || isView,
      hasValue: filled,
    })),
    isUnique: isView ? always : uniqueBy(parts as IndexPart[]),
    faults: [],
  }
}

/** MySQL lets each connection choose whether it cuts values and how it reads backslashes. */
async function mysqlFaults(query: Query): Promise<string[]> {
  const [row] = await query`select @@session.sql_mode as mode, cast(${'\\'} as char) as echo`
  const { mode, echo } = row as { mode: string; echo: string }
  const faults: string[] = []
  if (!/STRICT_(?:TRANS|ALL)_TABLES/.test(mode))
    faults.push(
      'The sql_mode of the connection is not strict, so a value that does not fit is cut, and may become that of another account; add STRICT_TRANS_TABLES to it',
    )
  if (echo !== '\\')
    faults.push(
      'The sql_mode of the connection has NO_BACKSLASH_ESCAPES, but the driver escapes with backslashes, so values can become SQL; remove it',
    )
  return faults
}

async function mysqlCatalog(query: Query, table: string): Promise<Catalog> {
  const [name, schema = null] = table.split('.').reverse() as [string, string?]
  const columns =
    (await query`select c.column_name as name, c.column_type as type, c.character_maximum_length as length,
      c.is_nullable as nullable, c.column_default as fallback, c.extra as extra, t.table_type as kind
    from information_schema.columns c
    join information_schema.tables t on t.table_schema = c.table_schema and t.table_name = c.table_name
    where c.table_schema = coalesce(${schema}, database()) and c.table_name = ${name}`) as {
      name: string
      type: string
      length: number | string | bigint | null
      nullable: string
      fallback: string | null
      extra: string
      kind: string
    }[]
  // An index on an expression has a null column, and not every version reports the expression.
  const parts = await query`select index_name as \`index\`, concat('"', column_name, '"') as part
    from information_schema.statistics
    where table_schema = coalesce(${schema}, database()) and table_name = ${name} and non_unique = 0`
  const isView = columns.some(({ kind }) => /view/i.test(kind))
  return {
    columns: columns.map((column) => ({
      name: column.name,
      type: column.type.toLowerCase(),
      kind: kindOf(column.type, 'mysql'),
      maxLength: column.length === null ? null : Number(column.length),
      isNullable: column.nullable === 'YES' || isView,
      hasValue: column.fallback !== null || /auto_increment|generated/i.test(column.extra ?? ''),
    })),
    isUnique: isView ? always : uniqueBy(parts as IndexPart[]),
    faults: await mysqlFaults(query),
  }
}

async function sqliteCatalog(query: Query, table: string): Promise<Catalog> {
  const [name, schema = 'main'] = table.split('.').reverse() as [string, string?]
  const columns =
    (await query`select name, type, "notnull" as required, dflt_value as fallback, pk, hidden
    from pragma_table_xinfo(${name}, ${schema})`) as {
      name: string
      type: string
      required: unknown
      fallback: string | null
      pk: unknown
      hidden: unknown
    }[]
  const parts = await query`select l.name as "index",
      case when i.cid = -2 then m.sql else '"' || i.name || '"' end as part
    from pragma_index_list(${name}, ${schema}) l
    join pragma_index_info(l.name, ${schema}) i
    left join sqlite_master m on m.type = 'index' and m.name = l.name
    where l."unique" = 1`
  const keys = columns.filter(({ pk }) => Number(pk) > 0)
  // The catalog has expressions only within the statement that created the index.
  const indexed = (parts as IndexPart[]).map(({ index, part }) => {
    const expressions = /\son\s[^(]*\((.*?)\)\s*(?:where\b.*)?$/is.exec(part ?? '')?.[1]
    return { index, part: expressions ?? part }
  })
  // The primary key of a table without an index of its own is the rowid.
  const key = keys.map((column) => ({ index: 'primary key', part: `"${column.name}"` }))
  return {
    columns: columns.map((column) => ({
      name: column.name,
      type: column.type.toLowerCase(),
      kind: kindOf(column.type, 'sqlite'),
      maxLength: null,
      isNullable: !truthy(column.required),
      hasValue:
        column.fallback !== null ||
        Number(column.hidden) > 0 ||
        (Number(column.pk) > 0 && /^integer$/i.test(column.type)),
    })),
    isUnique: uniqueBy([...indexed, ...key]),
    faults: [],
  }
}

/** Reads a table from the catalog of the database. */
export const catalogOf = (query: Query, dialect: Dialect, table: string): Promise<Catalog> =>
  ({ postgres: postgresCatalog, mysql: mysqlCatalog, sqlite: sqliteCatalog })[dialect](query, table)

/** Whether the driver returns integers above 2^53 without rounding. */
export async function keepsBigNumbers(query: Query, dialect: Dialect): Promise<boolean> {
  const [row] =
    dialect === 'mysql'
      ? await query`select cast(9007199254740993 as signed) as n`
      : await query`select cast(9007199254740993 as bigint) as n`
  return String((row as { n: unknown }).n) === '9007199254740993'
}
