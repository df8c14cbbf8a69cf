import type { AttemptBudget, BudgetResult, CounterStore } from '../../ports/counter-store.js'
import { type RedisLink, script } from './connection.js'

// KEYS[1]: the counter. ARGV[1]: the window in milliseconds. The TTL of the key is the window.
const HIT = script(`
local count = redis.call('INCR', KEYS[1])
local left = redis.call('PTTL', KEYS[1])
if left < 0 then
  redis.call('PEXPIRE', KEYS[1], ARGV[1])
  left = tonumber(ARGV[1])
end
return { count, left }
`)

/**
 * A budget is stored as "level lockedUntil time time …": the escalation level, the end of the lock
 * and the times of the allowed attempts. Times are in milliseconds by the clock of Redis, which all
 * processes share. Each key has five ARGV: maxAttempts, windowMs, lockMs, maxLockMs, maxPerDay (-1:
 * no limit). Returns a flat list of retryMs, count and lockedNow for each budget that was checked.
 */
const ATTEMPT = script(`
local DAY = 86400000
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
local answer = {}

local function keep(key, level, lockedUntil, times, keptMs)
  local texts = { string.format('%.0f', level), string.format('%.0f', lockedUntil) }
  for _, at in ipairs(times) do texts[#texts + 1] = string.format('%.0f', at) end
  local ttl = keptMs
  if level > 0 then ttl = math.max(ttl, lockedUntil + DAY - now) end
  redis.call('SET', key, table.concat(texts, ' '), 'PX', string.format('%.0f', ttl))
end

for i, key in ipairs(KEYS) do
  local first = (i - 1) * 5
  local maxAttempts, windowMs = tonumber(ARGV[first + 1]), tonumber(ARGV[first + 2])
  local lockMs, maxLockMs = tonumber(ARGV[first + 3]), tonumber(ARGV[first + 4])
  local maxPerDay = tonumber(ARGV[first + 5])

  local level, lockedUntil, attempts = 0, 0, ''
  local stored = redis.call('GET', key)
  if stored then
    local a, b, rest = string.match(stored, '^(%d+) (%d+)(.*)$')
    if a then level, lockedUntil, attempts = tonumber(a), tonumber(b), rest end
    if lockedUntil + DAY <= now then level, lockedUntil = 0, 0 end
  end

  local retryMs, count, lockedNow = 0, 0, 0
  if lockedUntil > now then
    retryMs = lockedUntil - now
  else
    local keptMs = windowMs
    if maxPerDay >= 0 then keptMs = math.max(windowMs, DAY) end
    local times, today = {}, 0
    for text in string.gmatch(attempts, '%d+') do
      local at = tonumber(text)
      if at > now - keptMs then times[#times + 1] = at end
      if at > now - windowMs then count = count + 1 end
      if at > now - DAY then today = today + 1 end
    end
    if count < maxAttempts and (maxPerDay < 0 or today < maxPerDay) then
      times[#times + 1] = now
      count = count + 1
    else
      retryMs = math.min(lockMs * 2 ^ level, maxLockMs)
      level, lockedUntil, count, lockedNow = level + 1, now + retryMs, 0, 1
    end
    keep(key, level, lockedUntil, times, keptMs)
  end
  answer[#answer + 1] = retryMs
  answer[#answer + 1] = count
  answer[#answer + 1] = lockedNow
  if retryMs > 0 then break end
end
return answer
`)

// KEYS: the budgets. Removes the latest attempt of each.
const GIVE_BACK = script(`
for _, key in ipairs(KEYS) do
  local stored = redis.call('GET', key)
  local rest = stored and string.match(stored, '^(%d+ %d+.*) %d+$')
  local left = redis.call('PTTL', key)
  if rest and left > 0 then redis.call('SET', key, rest, 'PX', left) end
end
return 0
`)

/** Maximum attempts per budget, about 14 KiB. Larger limits are reduced to it. */
const MOST_ATTEMPTS = 1000

/** Result of the budgets after one that refused. */
const NOT_JUDGED: BudgetResult = Object.freeze({ retryMs: 0, count: 0, lockedNow: false })

const whole = (value: number) => Math.min(Math.max(0, Math.floor(value)), 2 ** 52)

const budgetArgs = (budget: AttemptBudget) => [
  Math.min(whole(budget.maxAttempts), MOST_ATTEMPTS),
  Math.max(1, whole(budget.windowMs)),
  whole(budget.lockMs),
  whole(budget.maxLockMs),
  budget.maxPerDay === undefined ? -1 : Math.min(whole(budget.maxPerDay), MOST_ATTEMPTS),
]

const budgetResults = (flat: unknown): BudgetResult[] => {
  const numbers = (flat as unknown[]).map(Number)
  const results: BudgetResult[] = []
  for (let i = 0; i + 2 < numbers.length; i += 3) {
    results.push({
      retryMs: numbers[i] as number,
      count: numbers[i + 1] as number,
      lockedNow: numbers[i + 2] === 1,
    })
  }
  return results
}

/** Counters in Redis. Each budget and each window is one key, so a script can run on a Cluster. */
export function redisCounters(link: RedisLink, keyPrefix: string): CounterStore {
  const { client } = link
  const windowKey = (key: string) => `${keyPrefix}w:{${key}}`
  const budgetKey = (key: string) => `${keyPrefix}l:{${key}}`
  const attempt = async (budgets: readonly AttemptBudget[]) =>
    budgetResults(
      await link.run(
        ATTEMPT,
        budgets.map((budget) => budgetKey(budget.key)),
        budgets.flatMap(budgetArgs),
      ),
    )

  const giveBack = async (keys: readonly string[]): Promise<void> => {
    if (keys.length === 0) return
    const calls = link.isCluster ? keys.map((key) => [key]) : [keys]
    await Promise.all(calls.map((call) => link.run(GIVE_BACK, call.map(budgetKey), [])))
  }

  return {
    async hit(key, windowMs) {
      const answer = (await link.run(
        HIT,
        [windowKey(key)],
        [Math.max(1, whole(windowMs))],
      )) as unknown[]
      return { count: Number(answer[0]), resetMs: Math.max(1, Number(answer[1])) }
    },

    async attempt(budgets) {
      if (budgets.length === 0) return []
      const results: BudgetResult[] = []
      // On a Cluster, budgets are in different slots. Send them one by one: a budget must not count
      // an attempt before the ones ahead of it have allowed it.
      const calls = link.isCluster ? budgets.map((budget) => [budget]) : [budgets]
      for (const call of calls) {
        const answered = await attempt(call).catch(async (error) => {
          // Nobody will judge the attempt that those before have counted. An outage of one master
          // must not lock owners out.
          const counted = budgets.slice(0, results.length).map(({ key }) => key)
          await giveBack(counted).catch(() => {})
          throw error
        })
        results.push(...answered)
        if (results.some(({ retryMs }) => retryMs > 0)) break
      }
      return [...results, ...budgets.slice(results.length).map(() => NOT_JUDGED)]
    },

    giveBack,

    async forgive(keys) {
      if (keys.length === 0) return
      if (link.isCluster)
        await Promise.all(keys.map((key) => link.ask(() => client.del(budgetKey(key)))))
      else await link.ask(() => client.del(...keys.map(budgetKey)))
    },
  }
}
