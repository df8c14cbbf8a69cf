import { LRUCache } from 'lru-cache'
import type { OneTimeStore } from '../../ports/one-time-store.js'

type Values = Map<string, { readonly value: string; readonly endsAtMs: number }>

/**
 * A value without a group is a group by itself. The prefix prevents collisions with real groups.
 */
const groupOf = (key: string, group: string | undefined) =>
  group === undefined ? `k:${key}` : `g:${group}`

/**
 * One-time values in this process. No method awaits anything, so each is atomic. Beyond `max`
 * values in total, the least recently used groups are evicted, which makes their tokens invalid.
 */
export function memoryOneTime(max = 100_000): OneTimeStore {
  const groups = new LRUCache<string, Values>({
    maxSize: max,
    sizeCalculation: (values) => values.size || 1,
  })

  const liveOf = (name: string): Values => {
    const values = groups.get(name)
    if (!values) return new Map()
    const now = Date.now()
    for (const [key, entry] of values) if (entry.endsAtMs <= now) values.delete(key)
    return values
  }
  // The cache measures an entry only when it is new: `set` with the same object keeps the old size.
  const keep = (name: string, values: Values) => {
    groups.delete(name)
    if (values.size > 0) groups.set(name, values)
  }

  return {
    async put(key, value, ttlMs, group) {
      const name = groupOf(key, group)
      const values = liveOf(name)
      // Delete first, so that the new value becomes the last one. Then drop the oldest value of a
      // full group: the cache doesn't store an entry larger than itself.
      values.delete(key)
      const [oldest] = values.keys()
      if (oldest !== undefined && values.size >= max) values.delete(oldest)
      if (ttlMs > 0) values.set(key, { value, endsAtMs: Date.now() + ttlMs })
      keep(name, values)
    },

    async peek(key, group) {
      return liveOf(groupOf(key, group)).get(key)?.value ?? null
    },

    async take(key, group) {
      const name = groupOf(key, group)
      const values = liveOf(name)
      const value = values.get(key)?.value ?? null
      values.delete(key)
      keep(name, values)
      return value
    },

    async revokeGroup(group) {
      const name = groupOf('', group)
      const { size } = liveOf(name)
      groups.delete(name)
      return size
    },
  }
}
