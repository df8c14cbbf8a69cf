import { ConfigError, UserValueError } from '../errors.js'
import type { Passkey, PasskeyStore } from '../ports/passkey-store.js'
import type { UserId } from '../ports/user-store.js'
import { type Condition, retrying, type Table } from '../sql/table.js'
import { isPossibleId } from '../sql/values.js'
import { isCounter, PASSKEY_FIELDS, type PasskeyColumns, type PasskeyField } from './fields.js'
import { passkeyFindings } from './findings.js'
import { rowReader } from './read-row.js'

/** How the table of a store was described. */
interface Described {
  /** Name of the option that maps the columns, for messages. */
  readonly option?: string
  /** All properties of the table, where the query builder knows them. */
  readonly properties?: readonly string[]
}

const older = (a: Passkey, b: Passkey): number =>
  a.createdAt.getTime() - b.createdAt.getTime() || (a.id < b.id ? -1 : 1)

/**
 * Passkeys in a table. Rows are compared exactly after each read, whatever the collations of the
 * database, and a write is preceded by such a read. Since ids are unique, the row that is written
 * is the one that was read.
 * @throws ConfigError if a field has no column
 */
export function passkeysOver(
  given: Table,
  named: Readonly<Record<string, string>>,
  { option = 'columns', properties = [] }: Described = {},
): PasskeyStore {
  for (const field of PASSKEY_FIELDS)
    if (named[field] === undefined)
      throw new ConfigError(`Passkeys need "${field}"; name its column in "${option}.${field}"`)
  const columns = named as PasskeyColumns
  const table = retrying(given)
  const readRow = rowReader(table, columns)

  const encode = (field: PasskeyField, value: unknown): unknown => {
    const column = columns[field]
    if (field === 'counter' && !isCounter(value)) throw new UserValueError(field)
    if (field === 'transports') return table.encode(column, JSON.stringify(value), field)
    const isText = typeof value === 'string' && table.holdsBytes?.(column)
    return table.encode(column, isText ? new TextEncoder().encode(value) : value, field)
  }

  /** Whether a row could have the value. Callers pass on what a request contains. */
  const isPossible = (field: string, value: unknown): boolean => {
    if (field === 'userId') return isPossibleId(table.dialect, value)
    return field === 'counter' ? isCounter(value) : typeof value === 'string'
  }

  /** Conditions for some fields. Undefined if no row can have these values. */
  const where = (values: Partial<Passkey>, is: 'equal' | 'same' = 'equal') => {
    if (!Object.entries(values).every(([field, value]) => isPossible(field, value)))
      return undefined
    try {
      return Object.entries(values).map(([name, value]): Condition => {
        const field = name as PasskeyField
        return { column: columns[field], is, value: encode(field, value) }
      })
    } catch {
      return undefined
    }
  }

  /** The passkeys, or none if the database rejects a value, which no row can have. */
  const passkeys = async (values: Partial<Passkey>): Promise<Passkey[]> => {
    const conditions = where(values)
    if (!conditions) return []
    const rows = await table.findMany(conditions).catch((error) => {
      if (table.failureOf(error).kind === 'value') return []
      throw error
    })
    const wanted = Object.entries(values)
    return rows
      .map(readRow)
      .filter((passkey) =>
        wanted.every(([field, value]) => passkey[field as PasskeyField] === value),
      )
  }

  const find = async (values: Partial<Passkey>) => (await passkeys(values))[0] ?? null

  /** Writes to the passkey with exactly this id and user, if it exists. */
  const write = async (
    key: Partial<Passkey>,
    expected: Partial<Passkey>,
    values: Partial<Passkey>,
  ): Promise<boolean> => {
    const conditions = where({ ...key, ...expected })
    if (!conditions || !(await find(key))) return false
    const set = Object.entries(values).map(([name, value]): [string, unknown] => {
      const field = name as PasskeyField
      return [columns[field], encode(field, value)]
    })
    return table.update(new Map(set), conditions)
  }

  /** Deletes a passkey that was read. With `keepLast`, only if its user has another one. */
  const remove = async (id: string, userId: UserId, keepLast: boolean): Promise<boolean> => {
    const passkey = where({ id, userId })
    const own = where({ userId })
    // Also byte by byte, so that the passkeys of a user with a similar id don't count.
    const exactly = where({ userId }, 'same')
    if (!passkey || !own || !exactly) return false
    return table.remove(passkey, keepLast ? [...own, ...exactly] : undefined)
  }

  return {
    async create(passkey) {
      const set = PASSKEY_FIELDS.map((field): [string, unknown] => [
        columns[field],
        encode(field, passkey[field]),
      ])
      try {
        await table.insert(new Map(set))
        return true
      } catch (error) {
        if (table.failureOf(error).kind === 'duplicate') return false
        throw error
      }
    },
    findByCredentialId: (credentialId) => find({ credentialId }),
    async listByUser(userId) {
      return (await passkeys({ userId })).sort(older)
    },
    compareAndSetCounter: (id, expected, { counter, backedUp, lastUsedAt }) =>
      write({ id }, { counter: expected }, { counter, backedUp, lastUsedAt }),
    rename: (userId, id, name) => write({ id, userId }, {}, { name }),
    async delete(userId, id, keepLast) {
      if (!(await find({ id, userId }))) return 'absent'
      if (await remove(id, userId, keepLast)) return 'deleted'
      return keepLast && (await find({ id, userId })) ? 'last' : 'absent'
    },
    async deleteAllOfUser(userId) {
      let count = 0
      // Again until nothing is left, so that a passkey that is added meanwhile is deleted too.
      for (;;) {
        let deleted = 0
        for (const { id } of await passkeys({ userId }))
          if (await remove(id, userId, false)) deleted++
        if (deleted === 0) return count
        count += deleted
      }
    },
    verifySchema: async () =>
      table.isTransaction
        ? []
        : passkeyFindings(table, columns, { option, properties }, await table.catalog()),
  }
}
