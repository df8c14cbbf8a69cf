import { setTimeout as sleep } from 'node:timers/promises'
import { sql } from 'kysely'
import { sha256 } from '../../crypto/digest.js'
import type {
  SessionPatch,
  SessionRecord,
  SessionStore,
  TimedRecord,
} from '../../ports/session-store.js'
import { createSessionCreation } from './create-sessions.js'
import type { Sql } from './expressions.js'
import type { Link, Run } from './link.js'
import {
  ABSOLUTE,
  DIGITS,
  digits,
  endsAtMs,
  IDLE,
  LAST,
  parseSession,
  sessionValue,
} from './session-value.js'

interface Row {
  readonly value: string
  readonly version: unknown
  readonly now: unknown
}

const ownerOf = (tag: string) => `s${sha256(tag)}`
const keyOf = (tag: string, handle: string) => `s${sha256(`${tag.length}:${tag}${handle}`)}`

/** Further attempts of a compare-and-set that lost against another process. */
const mostAttempts = 50

const matches = (record: SessionRecord, expected: SessionPatch) =>
  (Object.keys(expected) as (keyof SessionPatch)[]).every(
    (name) => expected[name] === undefined || record[name] === expected[name],
  )

/** The record after a patch. Undefined fields leave it alone. */
const patched = (record: SessionRecord, patch: SessionPatch): SessionRecord => ({
  ...record,
  ...Object.fromEntries(Object.entries(patch).filter(([, value]) => value !== undefined)),
  lastActivityAtMs: Math.max(record.lastActivityAtMs, patch.lastActivityAtMs ?? 0),
})

/** Whether an update only records activity, which needs no read. */
const isTouch = (patch: SessionPatch, expected?: SessionPatch, notAfterMs?: number) =>
  expected === undefined &&
  notAfterMs === undefined &&
  patch.lastActivityAtMs !== undefined &&
  Object.values(patch).filter((value) => value !== undefined).length === 1

/**
 * Sessions in SQL: one row each, with its user as the owner. A row expires by the clock of the
 * database; the time left is a difference by the clock of the caller. `version` changes with every
 * write, so that an update never overwrites another one.
 */
export function kyselySessions(link: Link): SessionStore {
  const { dialect, expressions, tables } = link
  const { now, integer, join, greatest, least, padded } = expressions
  const table = sql.table(tables.store)
  const column = (name: string): Sql => sql.ref(name)
  const [key, value, owner] = [column('key'), column('value'), column('owner')] as [Sql, Sql, Sql]
  const [version, expiresAt] = [column('version'), column('expires_at')] as [Sql, Sql]
  const create = createSessionCreation(link)

  const select = (row: string) =>
    sql<Row>`select ${value}, ${version}, ${now} as now from ${table} where ${key} = ${row} and ${expiresAt} > ${now}`

  const readTimed = async (tag: string, handle: string): Promise<TimedRecord | null> => {
    const { rows } = await link.ask(select(keyOf(tag, handle)))
    const record = rows[0] ? parseSession(rows[0].value) : null
    return record && { record, atMs: Number(rows[0]?.now) }
  }

  const number = (position: number) =>
    integer(sql`substr(${value}, ${sql.lit(position)}, ${sql.lit(DIGITS)})`)

  /** Records activity in one statement. On MySQL the last assignment must be that of the value. */
  const touch = async (row: string, lastActivityAtMs: number): Promise<boolean> => {
    const last = greatest(number(LAST), integer(digits(lastActivityAtMs)))
    const leftMs = sql`${least(sql`${last} + ${number(IDLE)}`, number(ABSOLUTE))} - ${integer(Date.now())}`
    const { numAffectedRows } = await link.ask(
      sql`update ${table} set ${version} = ${version} + 1,
        ${expiresAt} = ${greatest(expiresAt, sql`${now} + ${leftMs}`)},
        ${value} = ${join(padded(last, DIGITS), sql`substr(${value}, ${sql.lit(DIGITS + 1)})`)}
        where ${key} = ${row} and ${expiresAt} > ${now}`,
    )
    return Number(numAffectedRows) === 1
  }

  const write = async (run: Run, row: string, found: Row, next: SessionRecord, limit: Sql) => {
    const { numAffectedRows } = await run(
      sql`update ${table} set ${value} = ${sessionValue(next)}, ${version} = ${version} + 1,
        ${expiresAt} = ${greatest(expiresAt, sql`${now} + ${integer(endsAtMs(next) - Date.now())}`)}
        where ${key} = ${row} and ${version} = ${integer(String(found.version))} and ${expiresAt} > ${now}${limit}`,
    )
    return Number(numAffectedRows) === 1
  }

  return {
    async create(tag, record, maxSessions, replaces) {
      const ttlMs = Math.floor(endsAtMs(record) - Date.now())
      if (!(ttlMs > 0)) return []
      return create({
        key: keyOf(tag, record.handle),
        owner: ownerOf(tag),
        value: sessionValue(record),
        ttlMs,
        cap: maxSessions < 2 ** 31 ? Math.max(1, Math.floor(maxSessions)) : maxSessions,
        replaces:
          replaces === undefined || replaces === record.handle ? undefined : keyOf(tag, replaces),
      })
    },

    async read(tag, handle) {
      return (await readTimed(tag, handle))?.record ?? null
    },

    readTimed,

    async update(tag, handle, patch, expected, notAfterMs) {
      const row = keyOf(tag, handle)
      if (isTouch(patch, expected, notAfterMs)) return touch(row, patch.lastActivityAtMs ?? 0)
      const limit =
        notAfterMs === undefined
          ? sql``
          : sql` and ${now} < ${integer(Math.floor(Math.min(notAfterMs, 2 ** 52)))}`
      return link.work('statements', [row], async (run) => {
        for (let attempt = 1; attempt <= mostAttempts; attempt += 1) {
          const found = (await run(select(row))).rows[0]
          const record = found ? parseSession(found.value) : null
          if (!found || !record) return false
          if (notAfterMs !== undefined && Number(found.now) >= notAfterMs) return false
          if (expected && !matches(record, expected)) return false
          if (await write(run, row, found, patched(record, patch), limit)) return true
          await sleep(Math.random() * 2 * attempt)
        }
        throw new Error('A session changes too often')
      })
    },

    async list(tag) {
      const { rows } = await link.ask(
        sql<Row>`select ${value} from ${table} where ${owner} = ${ownerOf(tag)} and ${expiresAt} > ${now}`,
      )
      return rows
        .flatMap((row) => parseSession(row.value) ?? [])
        .sort((a, b) => b.lastActivityAtMs - a.lastActivityAtMs)
    },

    async revoke(tag, handle) {
      const { numAffectedRows } = await link.ask(
        sql`delete from ${table} where ${key} = ${keyOf(tag, handle)} and ${expiresAt} > ${now}`,
      )
      return Number(numAffectedRows) === 1
    },

    async revokeAll(tag, keep) {
      const mine = sql`${owner} = ${ownerOf(tag)} and ${expiresAt} > ${now}`
      if (!keep) {
        const { numAffectedRows } = await link.ask(sql`delete from ${table} where ${mine}`)
        return Number(numAffectedRows)
      }
      const kept = keyOf(tag, keep.handle)
      const { epoch } = keep
      return link.work('transaction', [kept], async (run) => {
        // The deletion first: SQLite then locks the database before anything is read.
        const { numAffectedRows } = await run(
          sql`delete from ${table} where ${mine} and ${key} <> ${kept}`,
        )
        if (epoch === undefined) return Number(numAffectedRows)
        const locking = dialect === 'sqlite' ? sql`` : sql` for update`
        const found = (await run(sql<Row>`${select(kept)}${locking}`)).rows[0]
        const record = found ? parseSession(found.value) : null
        if (found && record) await write(run, kept, found, { ...record, epoch }, sql``)
        return Number(numAffectedRows)
      })
    },
  }
}
