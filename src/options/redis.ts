import { describe, fail } from '../checks.js'
import type { CrudAuthOptions } from './types.js'

const form = 'a URL such as "redis://localhost:6379", options of ioredis, or an ioredis client'
const memory = 'leave it out to keep state in the memory of this process'

/** A URL of Redis, or the path of its socket. */
function isAddress(text: string): boolean {
  if (text.startsWith('/')) return !/\s/.test(text)
  return /^rediss?:\/\//i.test(text) && !/\s/.test(text) && URL.canParse(text)
}

/** Checks the form of the `redis` option. Nothing of its value is ever told: a URL may hold a password. */
export function resolveRedis(value: CrudAuthOptions['redis']): CrudAuthOptions['redis'] {
  if (value === undefined) return value
  if (typeof value === 'string') {
    // An empty variable of a shell would otherwise mean a Redis on this machine.
    if (value === '') fail(`"redis" must be ${form}, got an empty string; ${memory}`)
    if (!isAddress(value)) fail(`"redis" must be ${form}, got a string of another form`)
    return value
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    fail(`"redis" must be ${form}, got ${describe(value)}; ${memory}`)
  }
  const prototype: unknown = Object.getPrototypeOf(value)
  const isPlain = prototype === Object.prototype || prototype === null
  // Another package's client, read as options, would mean a Redis on this machine too.
  if (!isPlain && typeof (value as { defineCommand?: unknown }).defineCommand !== 'function') {
    fail(`"redis" must be ${form}, got an object of another kind; make the client with ioredis`)
  }
  return value
}
