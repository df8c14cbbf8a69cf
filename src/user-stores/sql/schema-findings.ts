import type { SchemaFinding, SchemaNeeds } from '../../ports/user-store.js'
import type { Catalog, CatalogColumn } from '../../sql/catalog.js'
import type { Dialect } from '../../sql/dialect.js'

/** The table that a store expects. */
export interface Model {
  readonly table: string
  readonly dialect: Dialect
  /** Name of the option that maps the columns, for messages. */
  readonly option: string
  /** The name of a column in the database. */
  nameOf(column: string): string
  readonly columns: Readonly<Record<string, string>>
  readonly unique: readonly string[]
  readonly timestamps: ReadonlySet<string>
  /** Fields whose columns only some options need. `SchemaNeeds.written` names them then. */
  readonly optional: ReadonlySet<string>
  /** Logical names that the store fills by itself in every new row. */
  readonly filled: readonly string[]
  /** Columns for which the query builder makes a value in every new row. */
  readonly made: readonly string[]
}

/** Length of an argon2id hash with the default salt and digest. */
const hashLength = 97

const isInteger = ({ kind }: CatalogColumn) => kind === 'integer' || kind === 'bigint'
const isFlag = (field: string) =>
  field === 'isActive' || field === 'isSuperuser' || field.endsWith('Verified')

/** Mismatches between a table and the model, and how to fix them. */
export function schemaFindings(
  { table, dialect, option, nameOf, columns, unique, timestamps, optional, filled, made }: Model,
  catalog: Catalog,
  needs: SchemaNeeds,
): SchemaFinding[] {
  const findings: SchemaFinding[] = []
  const error = (message: string) => void findings.push({ level: 'error', message })
  const warning = (message: string) => void findings.push({ level: 'warning', message })
  if (catalog.columns.length === 0) {
    error(`There is no table "${table}"; create it, or give the store the name of another one`)
    return findings
  }
  for (const fault of catalog.faults) error(fault)
  const found = new Map(catalog.columns.map((column) => [column.name.toLowerCase(), column]))
  const columnOf = (field: string) => nameOf(columns[field] ?? field)
  const at = (column: string) => `Column "${column}" of table "${table}"`

  for (const [field, property] of Object.entries(columns)) {
    const column = columnOf(field)
    const known = found.get(column.toLowerCase())
    if (!known) {
      if (optional.has(field) && !needs.written.includes(field)) continue
      const isRequired =
        needs.nullable?.[field] !== undefined || ['id', 'hashedPassword'].includes(field)
      const cures = isRequired
        ? `add it, or name another column in "${option}.${field}"`
        : `add it, name another column in "${option}.${field}", or set that to null if the model has none`
      error(`Table "${table}" has no column "${column}" for "${field}"; ${cures}`)
      continue
    }
    if (timestamps.has(field)) {
      // SQLite has no type for times, and integers are one way to store them.
      if (known.kind === 'boolean' || (known.kind === 'integer' && dialect !== 'sqlite'))
        error(
          `${at(column)} is not a time; write "${option}.${field}": "${property}" without "as", or name a column of times`,
        )
    } else if (isFlag(field) && known.kind === 'time') {
      const cure = field.endsWith('Verified')
        ? `write "${option}.${field}": { column: "${property}", as: "timestamp" }`
        : `name a boolean column in "${option}.${field}", or set it to null`
      error(`${at(column)} holds times, where "${field}" is true or false; ${cure}`)
    } else if (isFlag(field) && known.kind === 'text')
      error(
        `${at(column)} holds text, where "${field}" is true or false; change its type, or set "${option}.${field}" to null`,
      )
    const length = needs.nullable?.[field]
    if (length !== undefined) {
      if (!known.isNullable) error(`${at(column)} must allow null for "${field}"`)
      if (length > 0 && known.kind !== 'text')
        error(`${at(column)} must be text for "${field}"; change its type`)
      else if (known.maxLength !== null && known.maxLength < length)
        error(
          `${at(column)} holds ${known.maxLength} characters, and "${field}" needs ${length}; widen it`,
        )
      if (field === 'totpLastStep' && ['text', 'boolean', 'time'].includes(known.kind))
        error(`${at(column)} must be an integer for "${field}"; change its type`)
    }
    if (field === 'tokenVersion' && !isInteger(known))
      error(`${at(column)} must be an integer for "tokenVersion"; change its type`)
    if (field === 'hashedPassword' && known.maxLength !== null && known.maxLength < hashLength)
      warning(
        `${at(column)} holds ${known.maxLength} characters, and an argon2id hash has ${hashLength}: new passwords cannot be stored, and old hashes stay as they are; widen it to 255`,
      )
  }
  for (const field of needs.written) {
    if (columns[field] === undefined && !found.has(columnOf(field).toLowerCase()))
      error(
        `Table "${table}" has no column "${columnOf(field)}", which "registration" writes; add it, or remove it from "registration.extraFields" and "registration.defaults"`,
      )
  }
  for (const field of unique) {
    const column = columnOf(field)
    if (
      columns[field] !== undefined &&
      found.has(column.toLowerCase()) &&
      !catalog.isUnique(column)
    )
      error(
        `${at(column)} must be unique for "${field}", or two accounts can have one; add a unique constraint`,
      )
  }
  const given = new Set(
    [...[...filled, ...needs.filled].map(columnOf), ...made.map(nameOf)].map((name) =>
      name.toLowerCase(),
    ),
  )
  for (const { name, isNullable, hasValue } of catalog.columns) {
    if (isNullable || hasValue || given.has(name.toLowerCase())) continue
    const cure =
      name.toLowerCase() === columnOf('id').toLowerCase()
        ? 'give it a default, or the store a "generateId"'
        : 'give it a default, or a value in "registration.defaults" or "registration.fields"'
    const message = `${at(name)} is not null, and nothing sets it in a new row; ${cure}`
    if (needs.mayFill) warning(message)
    else error(message)
  }
  return findings
}
