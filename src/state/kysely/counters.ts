import { sql } from 'kysely'
import { sha256 } from '../../crypto/digest.js'
import type { AttemptBudget, BudgetResult, CounterStore } from '../../ports/counter-store.js'
import { attemptStatement, BLANK, columnsOf, resultOf, withoutLatest } from './attempt.js'
import type { Sql } from './expressions.js'
import type { Link, Run } from './link.js'

/** Result of the budgets after one that refused. */
const notJudged: BudgetResult = Object.freeze({ retryMs: 0, count: 0, lockedNow: false })

/** Rounds of an attempt whose budgets other processes change meanwhile. */
const mostRounds = 20

const isRefused = ({ retryMs }: BudgetResult) => retryMs > 0
const windowKey = (key: string) => `w${sha256(key)}`
const budgetKey = (key: string) => `b${sha256(key)}`
const whole = (value: number) => Math.min(Math.max(0, Math.floor(value)), 2 ** 52)

type Rows = ReadonlyMap<string, Parameters<typeof resultOf>[1]>

/** Counters in SQL: one row per window and per budget. */
export function kyselyCounters(link: Link): CounterStore {
  const { dialect, expressions: x, tables } = link
  const table = sql.table(tables.counters)
  const column = (name: string): Sql => sql.ref(name)
  const [key, count] = [column('key'), column('count')] as [Sql, Sql]
  const [state, expiresAt] = [column('state'), column('expires_at')] as [Sql, Sql]
  const isMysql = dialect === 'mysql'

  const judge = async (run: Run, budgets: readonly AttemptBudget[]): Promise<BudgetResult[]> => {
    const keys = budgets.map((budget) => budgetKey(budget.key))
    const returns = await link.returns(run)
    const statement = attemptStatement(x, tables.counters, keys, budgets, { isMysql, returns })
    const written = await run(statement)
    const { rows } = returns
      ? written
      : await run(sql`select ${columnsOf(x)} from ${table} where ${key} in (${sql.join(keys)})`)
    const byKey: Rows = new Map((rows as never[]).map((row) => [(row as { key: string }).key, row]))
    return budgets.map((budget, at) => {
      const row = byKey.get(keys[at] as string)
      if (!row) throw new Error('The row of a counter is missing')
      return resultOf(budget, row)
    })
  }

  /**
   * Judges budgets with different keys. The statement counts them all. If one refuses, those after
   * it must not have counted, so all is undone and only the ones up to it are judged again.
   */
  const attempt = (budgets: readonly AttemptBudget[]): Promise<BudgetResult[]> => {
    const keys = budgets.map((budget) => budgetKey(budget.key))
    return link.work('transaction', keys, async (run, restart) => {
      let length = budgets.length
      for (let round = 1; round <= mostRounds; round += 1) {
        const results = await judge(run, budgets.slice(0, length))
        const refusedAt = results.findIndex(isRefused)
        if (refusedAt === length - 1 || (refusedAt < 0 && length === budgets.length)) return results
        await restart()
        // None refuses any more if another process has changed them: judge all of them again.
        length = refusedAt < 0 ? budgets.length : refusedAt + 1
      }
      throw new Error('The counters change too often')
    })
  }

  const settle = createSettling(async (forgiven, given) => {
    const keys = [...forgiven, ...given].map(budgetKey).sort()
    if (keys.length === 0) return
    const isForgiven =
      forgiven.length === 0 ? sql`1 = 0` : sql`${key} in (${sql.join(forgiven.map(budgetKey))})`
    await link.work('statements', keys, (run) =>
      run(
        sql`update ${table} set ${expiresAt} = case when ${isForgiven} then 0 else ${expiresAt} end,
          ${state} = case when ${isForgiven} then ${x.text(BLANK)} else ${withoutLatest(x, state)} end
          where ${key} in (${sql.join(keys)})`,
      ),
    )
  })

  return {
    async hit(name, windowMs) {
      const row = windowKey(name)
      const ends = sql`${x.now} + ${x.integer(Math.max(1, whole(windowMs)))}`
      const isOver = sql`${x.stored('expires_at')} <= ${x.now}`
      const columns = sql`${count}, ${expiresAt} - ${x.now} as left_ms`
      const hit = (
        returns: boolean,
      ) => sql`insert into ${x.into(tables.counters)} (${key}, ${count}, ${state}, ${expiresAt})
        values (${row}, 1, '', ${ends})
        ${x.onConflict} ${count} = case when ${isOver} then 1 else ${x.stored('count')} + 1 end,
          ${expiresAt} = case when ${isOver} then ${ends} else ${x.stored('expires_at')} end
        ${returns ? sql`returning ${columns}` : sql``}`
      const { rows } = await link.work(
        isMysql ? 'transaction' : 'statements',
        [row],
        async (run) => {
          const returns = await link.returns(run)
          const written = await run(hit(returns))
          return returns ? written : run(sql`select ${columns} from ${table} where ${key} = ${row}`)
        },
      )
      const found = rows[0] as { count: unknown; left_ms: unknown }
      return { count: Number(found.count), resetMs: Math.max(1, Number(found.left_ms)) }
    },

    async attempt(budgets) {
      const results: BudgetResult[] = []
      while (results.length < budgets.length) {
        // One statement can't write a row twice, so a repeated key begins another one.
        const rest = budgets.slice(results.length)
        const again = rest.findIndex(
          (budget, at) => rest.findIndex((other) => other.key === budget.key) < at,
        )
        const judged = await attempt(again < 0 ? rest : rest.slice(0, again))
        results.push(...judged)
        if (judged.some(isRefused)) break
      }
      return [...results, ...budgets.slice(results.length).map(() => notJudged)]
    },

    forgive: (keys) => settle(keys, []),
    giveBack: (keys) => settle([], keys),
  }
}

type Settle = (forgiven: readonly string[], given: readonly string[]) => Promise<void>

/**
 * Joins what is settled in one tick into one statement: after a sign-in, the counters of the
 * account are forgiven and those of the address given back.
 */
function createSettling(write: Settle): Settle {
  let waiting: { forgiven: Set<string>; given: Set<string>; done: Promise<void> } | null = null
  return (forgiven, given) => {
    const known = waiting
    const isKnown = (key: string) => known?.forgiven.has(key) || known?.given.has(key)
    if (known && ![...forgiven, ...given].some(isKnown)) {
      for (const key of forgiven) known.forgiven.add(key)
      for (const key of given) known.given.add(key)
      return known.done
    }
    const batch = {
      forgiven: new Set(forgiven),
      given: new Set(given.filter((key) => !forgiven.includes(key))),
      done: Promise.resolve(),
    }
    batch.done = Promise.resolve().then(() => {
      if (waiting === batch) waiting = null
      return write([...batch.forgiven], [...batch.given])
    })
    waiting = batch
    return batch.done
  }
}
