import { DuplicateUserError, UserValueError } from '../../errors.js'
import type { UserId } from '../../ports/user-store.js'
import type { Failure } from '../../sql/driver-errors.js'
import type { Table, TableRow, TableValues } from '../../sql/table.js'

interface Named {
  readonly columns: Readonly<Record<string, string>>
  readonly unique: readonly string[]
  readonly idColumn: string
}

/** Creates a function that turns a failed write into the error to throw. */
export function writeErrors(
  table: Table,
  { columns, unique, idColumn }: Named,
  lookUp: (column: string, value: unknown) => Promise<TableRow | undefined>,
) {
  const fieldOf = new Map<string, string>()
  for (const [field, column] of Object.entries(columns)) {
    fieldOf.set(column.toLowerCase(), field)
    fieldOf.set(table.nameOf(column).toLowerCase(), field)
  }
  const prefix = `${table.name.toLowerCase().replace(/^.*\./, '')}_`

  /** The field of a column or an index: `users_email_key` is cut down to `email`. */
  const namedBy = (name: string, set: TableValues): string | undefined => {
    if (name === 'PRIMARY') return 'id'
    const lower = name.toLowerCase()
    const field = fieldOf.get(lower) ?? fieldOf.get(lower.replace(prefix, ''))
    return field ?? [...set.keys()].find((column) => table.nameOf(column) === name)
  }

  const takenField = async (
    { columns: named }: Failure,
    set: TableValues,
    id?: UserId,
  ): Promise<string> => {
    const fields = named.flatMap((name) => namedBy(name, set) ?? [])
    const told = fields.find((field) => unique.includes(field)) ?? fields[0]
    if (told !== undefined) return told
    // PostgreSQL rejects every further statement in a failed transaction.
    if (table.dialect === 'postgres' && table.isTransaction) return 'unknown'
    for (const field of unique) {
      const column = columns[field] ?? field
      const value = set.get(column)
      const holder = value == null ? undefined : await lookUp(column, value)
      if (holder && holder[idColumn] !== id) return field
    }
    return 'unknown'
  }

  return async (cause: unknown, set: TableValues, id?: UserId): Promise<unknown> => {
    const failure = table.failureOf(cause)
    if (failure.kind === 'duplicate')
      return new DuplicateUserError(await takenField(failure, set, id), { cause })
    if (failure.kind === 'value') return new UserValueError('unknown', { cause })
    if (failure.kind !== 'null') return cause
    // A required column without any value is a mistake in the app, not in the value.
    const named = failure.columns[0]
    const empty = [...set.keys()].find(
      (column) =>
        set.get(column) === null && (!named || named === column || named === table.nameOf(column)),
    )
    return empty === undefined
      ? cause
      : new UserValueError(fieldOf.get(empty.toLowerCase()) ?? empty, { cause })
  }
}
