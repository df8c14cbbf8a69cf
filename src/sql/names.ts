import { ConfigError } from '../errors.js'

/** The default column of a logical field: `hashedPassword` → `hashed_password`. */
const snakeCase = (field: string): string =>
  field.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)

/**
 * Whether `name` is a valid column name. Stricter than any database: the query builder quotes
 * names, but reads a dot as a separator of table and column. Other characters more likely mean an
 * attack.
 */
export const isIdentifier = (name: string): boolean =>
  /^[\p{L}_][\p{L}\p{M}\p{N}_$ -]{0,127}$/u.test(name) && !(name in Object.prototype)

const quoted = (name: unknown): string =>
  JSON.stringify(typeof name === 'string' ? name.slice(0, 40) : typeof name)

/**
 * Checks a table name, with or without a schema.
 * @throws ConfigError
 */
export function checkTable(name: unknown): void {
  const plausible =
    typeof name === 'string' && name.split('.').every(isIdentifier) && name.split('.').length <= 3
  // The query builder reads "users as u" as an alias.
  if (plausible && !/\sas\s/i.test(name)) return
  throw new ConfigError(
    `"table" must be a table's name like "users" or "app.users", got ${quoted(name)}; quotes, ";" and line breaks do not belong there`,
  )
}

/**
 * Checks the form of a logical field.
 * @throws ConfigError
 */
export function checkField(option: string, field: unknown): void {
  if (typeof field === 'string' && /^[a-zA-Z]\w{0,63}$/.test(field) && isIdentifier(field)) return
  throw new ConfigError(
    `"${option}" must list logical names like "hashedPassword", got ${quoted(field)}`,
  )
}

/**
 * Maps fields to columns: those in `assumed` to their default names, changed by `columns`. There,
 * null removes a field that the model lacks. The result has no prototype, so that `constructor`
 * isn't a column.
 * @throws ConfigError that names the option to change
 */
export function resolveColumns(
  assumed: readonly string[],
  columns: Readonly<Record<string, string | null | undefined>> = {},
  { option = 'columns', defaultName = snakeCase } = {},
): Readonly<Record<string, string>> {
  const resolved: Record<string, string> = Object.create(null)
  for (const field of assumed) resolved[field] = defaultName(field)
  for (const [field, column] of Object.entries(columns)) {
    checkField(option, field)
    if (column === undefined) continue
    if (column === null) {
      if (field === 'id')
        throw new ConfigError(`"${option}.id" cannot be null; name the column of the primary key`)
      delete resolved[field]
      continue
    }
    if (typeof column !== 'string' || !isIdentifier(column)) {
      throw new ConfigError(
        `"${option}.${field}" must be a column's name like "${defaultName(field)}" or null, got ${quoted(column)}; quotes, ";" and line breaks do not belong there`,
      )
    }
    resolved[field] = column
  }
  const owners = new Map<string, string>()
  for (const [field, column] of Object.entries(resolved)) {
    const owner = owners.get(column.toLowerCase())
    if (owner !== undefined) {
      throw new ConfigError(
        `"${option}.${owner}" and "${option}.${field}" are both the column "${column}"; give each its own, or set one to null`,
      )
    }
    owners.set(column.toLowerCase(), field)
  }
  return Object.freeze(resolved)
}
