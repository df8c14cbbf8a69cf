import type { OneTimeStore } from '../../ports/one-time-store.js'
import { type RedisLink, script } from './connection.js'

/**
 * KEYS[1] is the hash of the group: key to "end|value". Like a TTL, the end is by the clock of
 * Redis, so clock skew between processes doesn't matter.
 */
const COMMON = `
local group = KEYS[1]
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)

local function endOf(entry)
  return tonumber(string.match(entry, '^(%d+)|')) or 0
end

local function valueOf(key)
  local entry = redis.call('HGET', group, key)
  if not entry or endOf(entry) <= now then return false end
  return string.sub(entry, string.find(entry, '|', 1, true) + 1)
end
`

// ARGV: key, value, ttl. Deletes expired values, so that the group doesn't grow.
const PUT = script(`${COMMON}
local latest = now + tonumber(ARGV[3])
local all = redis.call('HGETALL', group)
for i = 1, #all, 2 do
  local ends = endOf(all[i + 1])
  if ends <= now then
    redis.call('HDEL', group, all[i])
  elseif all[i] ~= ARGV[1] then
    latest = math.max(latest, ends)
  end
end
redis.call('HSET', group, ARGV[1], string.format('%.0f', now + tonumber(ARGV[3])) .. '|' .. ARGV[2])
redis.call('PEXPIRE', group, string.format('%.0f', latest - now))
return 1
`)

const PEEK = script(`${COMMON}
return valueOf(ARGV[1])
`)

const TAKE = script(`${COMMON}
local value = valueOf(ARGV[1])
redis.call('HDEL', group, ARGV[1])
return value
`)

const REVOKE_GROUP = script(`${COMMON}
local count, entries = 0, redis.call('HVALS', group)
for _, entry in ipairs(entries) do
  if endOf(entry) > now then count = count + 1 end
end
redis.call('DEL', group)
return count
`)

const LONGEST_MS = 2 ** 52

/**
 * One-time values in Redis: one key per value, or one hash per group. Each call is one command or
 * one script.
 */
export function redisOneTime(link: RedisLink, keyPrefix: string): OneTimeStore {
  const { client } = link
  const keyOf = (key: string) => `${keyPrefix}o:{${key}}`
  const groupOf = (group: string) => `${keyPrefix}g:{${group}}`

  return {
    async put(key, value, ttlMs, group) {
      const ttl = Math.min(Math.floor(ttlMs), LONGEST_MS)
      if (!(ttl > 0)) {
        await link.ask<number>(() =>
          group === undefined ? client.del(keyOf(key)) : client.hdel(groupOf(group), key),
        )
      } else if (group === undefined) {
        await link.ask(() => client.set(keyOf(key), value, 'PX', ttl))
      } else {
        await link.run(PUT, [groupOf(group)], [key, value, ttl])
      }
    },

    async peek(key, group) {
      if (group === undefined) return link.ask(() => client.get(keyOf(key)))
      return (await link.run(PEEK, [groupOf(group)], [key])) as string | null
    },

    async take(key, group) {
      if (group === undefined) return link.ask(() => client.getdel(keyOf(key)))
      return (await link.run(TAKE, [groupOf(group)], [key])) as string | null
    },

    async revokeGroup(group) {
      return Number(await link.run(REVOKE_GROUP, [groupOf(group)], []))
    },
  }
}
