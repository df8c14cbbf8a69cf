import { sql } from 'kysely'
import { sha256 } from '../../crypto/digest.js'
import type { OneTimeStore } from '../../ports/one-time-store.js'
import type { Link } from './link.js'
import { restored, storable } from './storable.js'

const longestMs = 2 ** 52

const keyOf = (key: string, group: string | undefined) =>
  group === undefined ? `o${sha256(key)}` : `g${sha256(`${group.length}:${group}${key}`)}`
const ownerOf = (group: string) => `g${sha256(group)}`

/** One-time values in SQL: one row per value, with its group as the owner. */
export function kyselyOneTime(link: Link): OneTimeStore {
  const { dialect, expressions, tables } = link
  const { now, integer, incoming, stored } = expressions
  const table = sql.table(tables.store)
  const [key, value, owner, version, expiresAt] = [
    'key',
    'value',
    'owner',
    'version',
    'expires_at',
  ].map((name) => sql.ref(name)) as [never, never, never, never, never]
  const isLive = (name: string) => sql`${key} = ${name} and ${expiresAt} > ${now}`

  return {
    async put(name, text, ttlMs, group) {
      const row = keyOf(name, group)
      const ttl = Math.min(Math.floor(ttlMs), longestMs)
      if (!(ttl > 0)) {
        await link.ask(sql`delete from ${table} where ${key} = ${row}`)
        return
      }
      await link.ask(
        sql`insert into ${expressions.into(tables.store)} (${key}, ${value}, ${owner}, ${version}, ${expiresAt})
          values (${row}, ${storable(text)}, ${group === undefined ? null : ownerOf(group)}, 1, ${now} + ${integer(ttl)})
          ${expressions.onConflict} ${value} = ${incoming('value')}, ${version} = ${stored('version')} + 1, ${expiresAt} = ${incoming('expires_at')}`,
      )
    },

    async peek(name, group) {
      const { rows } = await link.ask(
        sql<{
          value: string
        }>`select ${value} from ${table} where ${isLive(keyOf(name, group))}`,
      )
      return rows[0] ? restored(rows[0].value) : null
    },

    async take(name, group) {
      const row = keyOf(name, group)
      const found = await link.work('statements', [row], async (run) => {
        if (dialect !== 'mysql' || (await link.returns(run)))
          return run(
            sql<{
              value: string
            }>`delete from ${table} where ${isLive(row)} returning ${value}`,
          )
        return null
      })
      if (found) return found.rows[0] ? restored(found.rows[0].value) : null
      return link.work('transaction', [row], async (run) => {
        const { rows } = await run(
          sql<{
            value: string
          }>`select ${value} from ${table} where ${isLive(row)} for update`,
        )
        if (!rows[0]) return null
        await run(sql`delete from ${table} where ${key} = ${row}`)
        return restored(rows[0].value)
      })
    },

    async revokeGroup(group) {
      const { numAffectedRows } = await link.ask(
        sql`delete from ${table} where ${owner} = ${ownerOf(group)} and ${expiresAt} > ${now}`,
      )
      return Number(numAffectedRows)
    },
  }
}
