import { ConfigError } from '../errors.js'
import type { OAuthAccount, OAuthAccountStore } from '../ports/oauth-account-store.js'
import { type Condition, retrying, type Table, type TableRow } from '../sql/table.js'
import { linkFindings } from './link-findings.js'

/** Fields of a link. */
export const LINK_FIELDS = ['provider', 'subject', 'userId', 'email', 'linkedAt'] as const

/** Columns of the links by field. `email` may be missing. */
type LinkColumns = Readonly<Record<string, string>>

const timeOf = (value: unknown): Date =>
  value instanceof Date ? value : new Date(value as string | number)

/**
 * Links in a table. Rows are compared exactly after each read, whatever the collations of the
 * database.
 */
export function linksOver(
  given: Table,
  columns: LinkColumns,
  option = 'columns',
): OAuthAccountStore {
  for (const field of LINK_FIELDS)
    if (columns[field] === undefined && field !== 'email')
      throw new ConfigError(`Links need "${field}"; name its column in "${option}.${field}"`)
  const table = retrying(given)
  const columnOf = (field: string) => columns[field] ?? field

  const accountOf = (row: TableRow): OAuthAccount => ({
    provider: row[columnOf('provider')] as string,
    subject: row[columnOf('subject')] as string,
    userId: row[columnOf('userId')] as OAuthAccount['userId'],
    email: columns.email === undefined ? null : ((row[columns.email] as string | null) ?? null),
    linkedAt: timeOf(row[columnOf('linkedAt')]),
  })

  const encode = (field: string, value: unknown) => table.encode(columnOf(field), value, field)

  /** Conditions for some fields. Undefined if no row can have these values. */
  const where = (values: Partial<Record<(typeof LINK_FIELDS)[number], unknown>>) => {
    try {
      return Object.entries(values).map(
        ([field, value]): Condition => ({
          column: columnOf(field),
          is: 'equal',
          value: encode(field, value),
        }),
      )
    } catch {
      return undefined
    }
  }

  /** The rows, or none if the database rejects a value, which no row can have. */
  const links = async (conditions: Condition[] | undefined): Promise<OAuthAccount[]> => {
    if (!conditions) return []
    const rows = await table.findMany(conditions).catch((error) => {
      if (table.failureOf(error).kind === 'value') return []
      throw error
    })
    return rows.map(accountOf)
  }

  const ownLinks = async (userId: OAuthAccount['userId']) =>
    (await links(where({ userId }))).filter((account) => account.userId === userId)

  return {
    async find(provider, subject) {
      const found = await links(where({ provider, subject }))
      return (
        found.find((account) => account.provider === provider && account.subject === subject) ??
        null
      )
    },
    async list(userId) {
      const own = await ownLinks(userId)
      return own.sort(
        (a, b) => a.linkedAt.getTime() - b.linkedAt.getTime() || (a.provider < b.provider ? -1 : 1),
      )
    },
    async add(account) {
      const values = new Map<string, unknown>()
      for (const field of LINK_FIELDS)
        if (columns[field] !== undefined) values.set(columns[field], encode(field, account[field]))
      try {
        await table.insert(values)
        return true
      } catch (error) {
        if (table.failureOf(error).kind === 'duplicate') return false
        throw error
      }
    },
    async remove(userId, provider, keepLast) {
      const isOwn = async () =>
        (await ownLinks(userId)).some((account) => account.provider === provider)
      const own = where({ userId })
      if (!own || !(await isOwn())) return 'absent'
      const isProvider: Condition = {
        column: columnOf('provider'),
        is: 'same',
        value: encode('provider', provider),
      }
      const link = [...own, isProvider]
      if (await table.remove(link, keepLast ? own : undefined)) return 'removed'
      return keepLast && (await isOwn()) ? 'last' : 'absent'
    },
    verifySchema: async () =>
      table.isTransaction ? [] : linkFindings(table, columns, await table.catalog()),
  }
}
