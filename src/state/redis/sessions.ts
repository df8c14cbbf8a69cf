import type { SessionRecord, SessionStore } from '../../ports/session-store.js'
import { ABSENT, epochText, parseRecord, patchTexts, recordText } from '../session-codec.js'
import { type RedisLink, script } from './connection.js'

/**
 * Shared by all scripts. KEYS[1] is the hash of the user: handle to record. ARGV[1] is the time of
 * the caller, because records contain times by the app's clock, as `read` does. TTLs are
 * differences, so the clock of Redis doesn't affect them. `serverTime` is the time by the clock of
 * Redis.
 */
const COMMON = `
local function serverTime()
  local time = redis.call('TIME')
  return tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
end

local key, now = KEYS[1], tonumber(ARGV[1])
local HEAD = '^2|(%w+)|(%w+)|(%w+)|(%w+)|(%w+)|(%w+)|([^|]*)|([^|]*)|(.*)$'
local CREATED, IDLE, ABSOLUTE, LAST, EPOCH = 1, 2, 3, 4, 7

-- Fields of a record and when it ends; nil when that is past or the text is not a record.
local function parse(value)
  local fields = { string.match(value, HEAD) }
  if #fields == 0 then return nil end
  local idleEnd = tonumber(fields[LAST], 36) + tonumber(fields[IDLE], 36)
  local endsAt = math.min(idleEnd, tonumber(fields[ABSOLUTE], 36))
  if endsAt <= now then return nil end
  return fields, endsAt
end

local function write(handle, fields)
  redis.call('HSET', key, handle, '2|' .. table.concat(fields, '|'))
end

-- The live sessions; everything else in the hash is deleted.
local function live()
  local all, sessions = redis.call('HGETALL', key), {}
  for i = 1, #all, 2 do
    local fields, endsAt = parse(all[i + 1])
    if fields then
      sessions[#sessions + 1] = {
        handle = all[i], value = all[i + 1], fields = fields, endsAt = endsAt,
        last = tonumber(fields[LAST], 36), created = tonumber(fields[CREATED], 36)
      }
    else
      redis.call('HDEL', key, all[i])
    end
  end
  return sessions
end
`

// ARGV: now, handle, record, cap, replaced handle ('': none). Returns the evicted handles. Writes
// the new session before it deletes others: a full Redis rejects writes but not deletions, and a
// failed script isn't rolled back.
const CREATE = script(`${COMMON}
local handle, cap, replaced = ARGV[2], tonumber(ARGV[4]), ARGV[5]
local _, latest = parse(ARGV[3])
if not latest then return {} end
redis.call('HSET', key, handle, ARGV[3])
local others = {}
for _, session in ipairs(live()) do
  if session.handle == handle then
  elseif session.handle == replaced then redis.call('HDEL', key, replaced)
  else others[#others + 1] = session end
end
table.sort(others, function(a, b)
  if a.last ~= b.last then return a.last < b.last end
  if a.created ~= b.created then return a.created < b.created end
  return a.handle < b.handle
end)
local surplus, evicted = #others + 1 - cap, {}
for i, session in ipairs(others) do
  if i <= surplus then
    redis.call('HDEL', key, session.handle)
    evicted[i] = session.handle
  else
    latest = math.max(latest, session.endsAt)
  end
end
redis.call('PEXPIRE', key, string.format('%.0f', latest - now))
return evicted
`)

// ARGV: now, handle. Returns the text of the record, and the time by the clock of Redis.
const READ_TIMED = script(`${COMMON}
return { redis.call('HGET', key, ARGV[2]) or '', serverTime() }
`)

// ARGV: now, handle, five texts to write, five expected texts (last, authenticated, sudo, epoch,
// csrf; '|': none), and the time by the clock of Redis from which nothing is written ('|': none).
const UPDATE = script(`${COMMON}
if ARGV[13] ~= '|' and serverTime() >= tonumber(ARGV[13]) then return 0 end
local value = redis.call('HGET', key, ARGV[2])
if not value then return 0 end
local fields = parse(value)
if not fields then return 0 end
for i = 0, 4 do
  local expected = ARGV[8 + i]
  if expected ~= '|' and expected ~= fields[LAST + i] then return 0 end
end
for i = 0, 4 do
  local text = ARGV[3 + i]
  local older = i == 0 and text ~= '|' and tonumber(text, 36) < tonumber(fields[LAST], 36)
  if text ~= '|' and not older then fields[LAST + i] = text end
end
write(ARGV[2], fields)
local idleEnd = tonumber(fields[LAST], 36) + tonumber(fields[IDLE], 36)
local leftMs = math.min(idleEnd, tonumber(fields[ABSOLUTE], 36)) - now
if leftMs > redis.call('PTTL', key) then redis.call('PEXPIRE', key, string.format('%.0f', leftMs)) end
return 1
`)

// ARGV: now. Returns handle, record, handle, record …
const LIST = script(`${COMMON}
local answer = {}
for _, session in ipairs(live()) do
  answer[#answer + 1] = session.handle
  answer[#answer + 1] = session.value
end
return answer
`)

// ARGV: now, handle.
const REVOKE = script(`${COMMON}
for _, session in ipairs(live()) do
  if session.handle == ARGV[2] then return redis.call('HDEL', key, ARGV[2]) end
end
return 0
`)

// ARGV: now; optionally the handle to keep and its new epoch ('|': unchanged).
const REVOKE_ALL = script(`${COMMON}
local ended, kept = 0, nil
for _, session in ipairs(live()) do
  if #ARGV > 1 and session.handle == ARGV[2] then
    kept = session
  else
    ended = ended + 1
    redis.call('HDEL', key, session.handle)
  end
end
if kept and ARGV[3] ~= '|' then
  kept.fields[EPOCH] = ARGV[3]
  write(kept.handle, kept.fields)
end
return ended
`)

const endsAtMs = (record: SessionRecord) =>
  Math.min(record.lastActivityAtMs + record.idleMs, record.absoluteExpiresAtMs)

const liveRecord = (handle: string, text: string | null): SessionRecord | null => {
  const record = text ? parseRecord(handle, text) : null
  return record && endsAtMs(record) > Date.now() ? record : null
}

/**
 * Sessions in Redis. Each user has one hash, so one key in one slot, and needs no index. `read` is
 * one HGET; every other method is one script. The TTL of the key is the latest end of its sessions,
 * and only cleans up.
 */
export function redisSessions(link: RedisLink, keyPrefix: string): SessionStore {
  const { client } = link
  const keyOf = (tag: string) => `${keyPrefix}s:{${tag}}`

  return {
    async create(tag, record, maxSessions, replaces = '') {
      const cap = Math.min(Math.max(1, Math.floor(maxSessions)), Number.MAX_SAFE_INTEGER)
      const args = [Date.now(), record.handle, recordText(record), cap, replaces]
      return (await link.run(CREATE, [keyOf(tag)], args)) as string[]
    },

    async read(tag, handle) {
      const key = keyOf(tag)
      return liveRecord(handle, await link.ask(() => client.hget(key, handle)))
    },

    async readTimed(tag, handle) {
      const [text, atMs] = (await link.run(READ_TIMED, [keyOf(tag)], [Date.now(), handle])) as [
        string,
        number | string,
      ]
      const record = liveRecord(handle, text)
      return record && { record, atMs: Number(atMs) }
    },

    async update(tag, handle, patch, expected, notAfterMs) {
      const limit = notAfterMs === undefined ? ABSENT : Math.floor(notAfterMs)
      const args = [Date.now(), handle, ...patchTexts(patch), ...patchTexts(expected), limit]
      return Number(await link.run(UPDATE, [keyOf(tag)], args)) === 1
    },

    async list(tag) {
      const flat = (await link.run(LIST, [keyOf(tag)], [Date.now()])) as string[]
      const records: SessionRecord[] = []
      for (let i = 0; i + 1 < flat.length; i += 2) {
        const record = parseRecord(flat[i] as string, flat[i + 1] as string)
        if (record) records.push(record)
      }
      return records.sort((a, b) => b.lastActivityAtMs - a.lastActivityAtMs)
    },

    async revoke(tag, handle) {
      return Number(await link.run(REVOKE, [keyOf(tag)], [Date.now(), handle])) === 1
    },

    async revokeAll(tag, keep) {
      const args = keep ? [Date.now(), keep.handle, epochText(keep.epoch)] : [Date.now()]
      return Number(await link.run(REVOKE_ALL, [keyOf(tag)], args))
    },
  }
}
