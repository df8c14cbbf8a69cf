import type { SchemaFinding } from '../ports/user-store.js'
import type { Catalog, CatalogColumn } from '../sql/catalog.js'
import type { Table } from '../sql/table.js'
import { MAX_COUNTER, type PasskeyColumns, type PasskeyField, TEXT_LENGTHS } from './fields.js'

interface Described {
  /** Name of the option that maps the columns. */
  readonly option: string
  /** All properties of the table, where the query builder knows them. */
  readonly properties: readonly string[]
}

/** Integers of less than 32 bits, or 32 with a sign. */
const isNarrow = ({ type }: CatalogColumn): boolean =>
  /^(?:int2|int4|(?:tiny|small|medium)int|int(?:eger)?\b(?!.*unsigned))/.test(type)

/** What is wrong with the type of a column, and how to fix it. */
function typeMistake(
  field: PasskeyField,
  column: CatalogColumn,
  isTyped: boolean,
): string | undefined {
  const { kind, maxLength, isNullable } = column
  const length = TEXT_LENGTHS[field]
  if (length !== undefined) {
    if (['boolean', 'integer', 'bigint', 'time'].includes(kind))
      return `must be text for "${field}"; change its type`
    if (maxLength !== null && maxLength < length)
      return `holds ${maxLength} characters, and "${field}" needs ${length}; widen it`
  }
  if (field === 'counter') {
    if (['boolean', 'text', 'time'].includes(kind))
      return 'must be an integer for "counter"; change its type to bigint'
    if (isTyped && isNarrow(column))
      return `is too small for "counter", which goes up to ${MAX_COUNTER}; change its type to bigint`
  }
  if (field === 'backedUp' && (kind === 'text' || kind === 'time'))
    return 'must be boolean for "backedUp"; change its type'
  if ((field === 'createdAt' || field === 'lastUsedAt') && kind === 'boolean')
    return `must be a time for "${field}"; change its type`
  if (field === 'lastUsedAt' && !isNullable)
    return 'must allow null for "lastUsedAt", because a new passkey has not been used; drop the not-null constraint'
  return undefined
}

/** Whether the query builder takes the highest counter: an `Int` of Prisma ends at 2^31. */
function takesCounters(table: Pick<Table, 'encode'>, column: string): boolean {
  try {
    table.encode(column, MAX_COUNTER, 'counter')
    return true
  } catch {
    return false
  }
}

/** Mismatches between a table of passkeys and what the store needs, and how to fix them. */
export function passkeyFindings(
  table: Pick<Table, 'name' | 'dialect' | 'nameOf' | 'makes' | 'encode'>,
  columns: PasskeyColumns,
  { option, properties }: Described,
  catalog: Catalog,
): SchemaFinding[] {
  const { name, nameOf } = table
  if (catalog.columns.length === 0)
    return [
      {
        level: 'error',
        message: `There is no table "${name}" for the passkeys; create it, or name another one`,
      },
    ]
  const messages: string[] = [...catalog.faults]
  const found = new Map(catalog.columns.map((column) => [column.name.toLowerCase(), column]))
  const fields = Object.entries(columns) as [PasskeyField, string][]
  for (const [field, property] of fields) {
    const column = nameOf(property)
    const known = found.get(column.toLowerCase())
    const at = `Column "${column}" of table "${name}"`
    if (!known) {
      messages.push(
        `Table "${name}" has no column "${column}" for "${field}"; add it, or name another column in "${option}.${field}"`,
      )
      continue
    }
    const mistake = typeMistake(field, known, table.dialect !== 'sqlite')
    if (mistake !== undefined) messages.push(`${at} ${mistake}`)
    else if (field === 'counter' && !takesCounters(table, property))
      messages.push(
        `The query builder doesn't store numbers up to ${MAX_COUNTER} in "${property}"; declare it with 64 bits (BigInt in Prisma)`,
      )
    if ((field === 'id' || field === 'credentialId') && !catalog.isUnique(column))
      messages.push(
        `${at} must be unique for "${field}", or two users can have one passkey; add a unique constraint on (${column})`,
      )
  }
  const given = new Set(
    [
      ...fields.map(([, column]) => column),
      ...properties.filter((property) => table.makes?.(property)),
    ].map((property) => nameOf(property).toLowerCase()),
  )
  for (const { name: column, isNullable, hasValue } of catalog.columns)
    if (!isNullable && !hasValue && !given.has(column.toLowerCase()))
      messages.push(
        `Column "${column}" of table "${name}" is not null, and nothing sets it in a new passkey; give it a default`,
      )
  return messages.map((message) => ({ level: 'error', message }))
}
