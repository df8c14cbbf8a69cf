import { sql } from 'kysely'
import type { AttemptBudget, BudgetResult } from '../../ports/counter-store.js'
import type { Expressions, Sql } from './expressions.js'

const DAY_MS = 86_400_000
/** Limits of the numbers of a budget. With them, every time in a state has 13 digits. */
const longestMs = 20 * 365 * DAY_MS
const mostAttempts = 1000
/** `count` of a row that the statement has inserted: this and the position of its budget. */
const inserted = 10
const [refused, counted, locked] = [0, 1, 2] as const

/**
 * State of a budget as text of fixed width: escalation level (3 digits), end of the lock, time of
 * the latest attempt, then the times of the counted attempts, latest first (13 digits each). The
 * n-th latest attempt therefore has a fixed position. A budget is exhausted if the attempt as many
 * places back as it allows is still in its window, so SQL decides without counting.
 */
const LEVEL = 3
const TIME = 13
const LOCK = LEVEL + 1
const TOUCHED = LOCK + TIME
const TIMES = TOUCHED + TIME
const NEVER = '0'.repeat(TIME)
export const BLANK = `000${NEVER}${NEVER}`

const whole = (value: number, most: number) => Math.min(Math.max(0, Math.floor(value)), most)

/** A budget with whole numbers within the limits. */
interface Limits {
  readonly max: number
  readonly windowMs: number
  readonly lockMs: number
  readonly maxLockMs: number
  /** -1: no limit. */
  readonly perDay: number
  /** How long attempts are kept. */
  readonly keptMs: number
}

function limitsOf(budget: AttemptBudget): Limits {
  const windowMs = Math.max(1, whole(budget.windowMs, longestMs))
  const maxLockMs = whole(budget.maxLockMs, longestMs)
  const perDay = budget.maxPerDay === undefined ? -1 : whole(budget.maxPerDay, mostAttempts)
  return {
    max: whole(budget.maxAttempts, mostAttempts),
    windowMs,
    lockMs: Math.min(whole(budget.lockMs, longestMs), maxLockMs),
    maxLockMs,
    perDay,
    keptMs: perDay < 0 ? windowMs : Math.max(windowMs, DAY_MS),
  }
}

/** Length of the lock at a level of escalation. */
const lockLength = ({ lockMs, maxLockMs }: Limits, level: number) =>
  Math.min(lockMs * 2 ** level, maxLockMs)

/** A row after the statement. */
interface AttemptRow {
  readonly key: string
  readonly count: unknown
  readonly state: string
  readonly now: unknown
}

/**
 * The statement that checks and counts an attempt against budgets with different keys, each as if
 * the others had allowed it. The caller undoes it where they had not.
 */
export function attemptStatement(
  x: Expressions,
  table: string,
  keys: readonly string[],
  budgets: readonly AttemptBudget[],
  { isMysql, returns }: { readonly isMysql: boolean; readonly returns: boolean },
): Sql {
  const all = budgets.map(limitsOf)
  const [key, count, state, expiresAt] = ['key', 'count', 'state', 'expires_at'].map((name) =>
    sql.ref(name),
  ) as [Sql, Sql, Sql, Sql]
  const num = (value: number) => sql.lit(value)
  const part = (text: Sql, from: number, length: number) =>
    sql`substr(${text}, ${num(from)}, ${num(length)})`
  // In an inserted row, `count` is the position of its budget and `state` has the time.
  const each = (of: (limits: Limits) => Sql): Sql =>
    sql`case ${x.incoming('count')} ${sql.join(
      all.map((limits, at) => sql`when ${num(inserted + at)} then ${of(limits)}`),
      sql` `,
    )} end`
  const held = x.stored('state')
  const nowText = part(x.incoming('state'), TOUCHED, TIME)
  const nowMs = x.integer(nowText)
  const before = (ms: number) => x.text(sql`${nowMs} - ${num(ms)}`)
  /** Whether the latest attempts but `count - 1` are older than `ms`. */
  const isFree = (most: number, ms: number) =>
    most === 0 ? sql`1 = 0` : sql`${part(held, TIMES + TIME * (most - 1), TIME)} <= ${before(ms)}`
  const allows = ({ max, windowMs, perDay }: Limits) =>
    perDay < 0 ? isFree(max, windowMs) : sql`${isFree(max, windowMs)} and ${isFree(perDay, DAY_MS)}`
  const decided = sql`case when ${part(held, LOCK, TIME)} > ${nowText} then ${num(refused)}
    when ${each((limits) => sql`case when ${allows(limits)} then 1 else 0 end`)} = 1 then ${num(counted)}
    else ${num(locked)} end`
  // MySQL assigns from left to right, and later assignments see the new values.
  const decision = isMysql ? count : decided
  const level = sql`case when ${part(held, LOCK, TIME)} <= ${before(DAY_MS)} then 0 else ${x.integer(part(held, 1, LEVEL))} end`
  const lockMs = each((limits) => {
    const { lockMs: first, maxLockMs: most } = limits
    // From this level on the lock has its full length. Until then a shift can't overflow.
    const full = first === 0 ? 0 : Math.ceil(Math.log2(most / first))
    const length = first === 0 ? num(0) : sql`${x.integer(num(first))} << ${x.shift(level)}`
    return sql`case when ${level} >= ${num(full)} then ${num(first === 0 ? 0 : most)} else ${length} end`
  })
  const afterCount = x.join(
    part(held, 1, LEVEL + TIME),
    nowText,
    nowText,
    part2(
      held,
      TIMES,
      each(({ max, perDay }) => num(TIME * (Math.max(max, perDay, 1) - 1))),
    ),
  )
  const afterLock = x.join(
    x.padded(x.least(num(999), sql`${level} + 1`), LEVEL),
    x.text(sql`${nowMs} + ${lockMs}`),
    nowText,
    sql`substr(${held}, ${num(TIMES)})`,
  )

  const now = x.text(x.now)
  const rows = all.map((limits, at) => {
    const isLocked = limits.max === 0 || limits.perDay === 0
    const lock = lockLength(limits, 0)
    const fresh = isLocked
      ? x.join(x.text('001'), x.text(sql`${x.now} + ${num(lock)}`), now)
      : x.join(x.text(`000${NEVER}`), now, now)
    const leftMs = isLocked ? lock + DAY_MS : limits.keptMs
    return sql`(${keys[at]}, ${num(inserted + at)}, ${fresh}, ${x.now} + ${num(leftMs)})`
  })
  return sql`insert into ${x.into(table)} (${key}, ${count}, ${state}, ${expiresAt})
    values ${sql.join(rows)}
    ${x.onConflict} ${count} = ${decided},
      ${expiresAt} = case ${decision} when ${num(refused)} then ${x.stored('expires_at')}
        when ${num(counted)} then ${x.greatest(x.stored('expires_at'), sql`${nowMs} + ${each(({ keptMs }) => num(keptMs))}`)}
        else ${x.greatest(x.stored('expires_at'), sql`${nowMs} + ${each(({ keptMs, maxLockMs }) => num(Math.max(keptMs, maxLockMs + DAY_MS)))}`)} end,
      ${state} = case ${decision} when ${num(refused)} then ${held}
        when ${num(counted)} then ${afterCount} else ${afterLock} end
    ${returns ? sql`returning ${columnsOf(x)}` : sql``}`
}

/** What `resultOf` needs of a row. */
export const columnsOf = ({ now, key }: Expressions): Sql =>
  sql`${key('key')}, ${sql.ref('count')}, ${sql.ref('state')}, ${now} as now`

const part2 = (text: Sql, from: number, length: Sql): Sql =>
  sql`substr(${text}, ${sql.lit(from)}, ${length})`

/** The result for a budget, from its row after the statement. */
export function resultOf(budget: AttemptBudget, row: AttemptRow): BudgetResult {
  const limits = limitsOf(budget)
  const { state } = row
  const level = Number(state.slice(0, LEVEL))
  const lockedUntilMs = Number(state.slice(LOCK - 1, TOUCHED - 1))
  const touchedAtMs = Number(state.slice(TOUCHED - 1, TIMES - 1))
  const count = Number(row.count)
  const isFresh = count >= inserted
  if (count === locked || (isFresh && level > 0))
    return { retryMs: lockLength(limits, level - 1), count: 0, lockedNow: true }
  if (count === refused)
    return { retryMs: Math.max(1, lockedUntilMs - Number(row.now)), count: 0, lockedNow: false }
  let attempts = 0
  for (let at = TIMES - 1; at < state.length; at += TIME)
    if (Number(state.slice(at, at + TIME)) > touchedAtMs - limits.windowMs) attempts += 1
  return { retryMs: 0, count: attempts, lockedNow: false }
}

/** `state` without its latest attempt. */
export const withoutLatest = (x: Expressions, state: Sql): Sql =>
  x.join(
    sql`substr(${state}, 1, ${sql.lit(TIMES - 1)})`,
    sql`substr(${state}, ${sql.lit(TIMES + TIME)})`,
  )
