import { ConfigError } from '../../errors.js'

const BOOLEANS = ['isActive', 'isSuperuser', 'emailVerified']

/**
 * Creates a function that compares the configured model with the rows that are read. Missing
 * columns and flags of other types would be misread: the text `N`, or a BIT as a Buffer, looks like
 * "yes". The function does nothing once a row without null flags has passed.
 */
export function modelCheck(
  table: string,
  columns: Readonly<Record<string, string>>,
  timestamps: ReadonlySet<string>,
  optional: ReadonlySet<string>,
  option = 'columns',
): (row: Record<string, unknown>) => void {
  let isChecked = false
  const cure = (field: string) =>
    `name another column in "${option}.${field}", or set it to null if the model has none`
  return function checkModel(row) {
    if (isChecked) return
    for (const [field, column] of Object.entries(columns)) {
      if (column in row || optional.has(field)) continue
      throw new ConfigError(
        `Table "${table}" has no column "${column}" for "${field}"; ${cure(field)}`,
      )
    }
    const idType = typeof row[columns.id ?? 'id']
    if (idType !== 'number' && idType !== 'string' && idType !== 'bigint') {
      throw new ConfigError(
        `Column "${columns.id}" of table "${table}" must be read as text or integer, not as ${idType}; let the driver convert it`,
      )
    }
    let isComplete = true
    for (const field of [
      ...BOOLEANS,
      ...Object.keys(columns).filter((name) => name.endsWith('Verified')),
    ]) {
      const column = columns[field]
      if (column === undefined || timestamps.has(field)) continue
      const value = row[column]
      if (value === null) isComplete = false
      else if (
        typeof value !== 'boolean' &&
        typeof value !== 'number' &&
        typeof value !== 'bigint'
      ) {
        throw new ConfigError(
          `Column "${column}" of table "${table}" must be read as boolean or number; ${value instanceof Date ? `where it holds a time, set "${option}.${field}" to { column: "${column}", as: "timestamp" }` : cure(field)}`,
        )
      }
    }
    isChecked = isComplete
  }
}
