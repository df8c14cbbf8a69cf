import { ConfigError } from '../errors.js'

/** Describes a value for an error message. Never shows texts, because they may be secrets. */
export function describe(value: unknown): string {
  if (value === null) return 'null'
  if (Array.isArray(value)) return 'an array'
  if (typeof value === 'number' || typeof value === 'boolean') return String(value)
  return typeof value
}

export function fail(message: string): never {
  throw new ConfigError(message)
}

/** Checks for an object without unknown members: a misspelled option must not be ignored. */
export function checkObject(
  name: string,
  value: unknown,
  known: readonly string[],
): Record<string, unknown> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    fail(`"${name}" must be an object, got ${describe(value)}`)
  }
  for (const key of Object.keys(value)) {
    if (!known.includes(key)) {
      fail(`"${name}" has no option "${key}"; it takes ${known.join(', ')}`)
    }
  }
  return value as Record<string, unknown>
}

/**
 * Whether a host is the local machine, where traffic can't be intercepted. IPv6: `[::1]` or `::1`.
 */
export const isLoopback = (host: string): boolean =>
  /^(?:localhost|.+\.localhost|127(?:\.\d+){3}|\[?::1\]?)$/.test(host)

export function checkInteger(
  name: string,
  value: unknown,
  fallback: number,
  min: number,
  max = Number.MAX_SAFE_INTEGER,
): number {
  if (value === undefined) return fallback
  if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < min || value > max) {
    const range = max === Number.MAX_SAFE_INTEGER ? `of at least ${min}` : `from ${min} to ${max}`
    fail(`"${name}" must be a whole number ${range}, got ${describe(value)}`)
  }
  return value
}

/** Checks for a positive number. Fractions are valid, such as half a day. */
export function checkPositive(
  name: string,
  value: unknown,
  fallback: number,
  max = Number.MAX_VALUE,
): number {
  if (value === undefined) return fallback
  if (typeof value !== 'number' || !Number.isFinite(value) || value <= 0) {
    fail(`"${name}" must be a number above 0, got ${describe(value)}`)
  }
  if (value > max) fail(`"${name}" must be at most ${max}, got ${value}`)
  return value
}

export function checkBoolean(name: string, value: unknown, fallback: boolean): boolean {
  if (value === undefined) return fallback
  if (typeof value !== 'boolean') fail(`"${name}" must be true or false, got ${describe(value)}`)
  return value
}

export function checkStrings(
  name: string,
  value: unknown,
  fallback: readonly string[],
): readonly string[] {
  if (value === undefined) return fallback
  if (!Array.isArray(value) || !value.every((item) => typeof item === 'string' && item !== '')) {
    fail(`"${name}" must be an array of non-empty strings, got ${describe(value)}`)
  }
  const strings = value as string[]
  if (new Set(strings).size !== strings.length) fail(`"${name}" contains a duplicate; remove it`)
  return Object.freeze([...strings])
}

// biome-ignore lint/suspicious/noExplicitAny: any function at all
export function checkFunction<F extends (...args: any[]) => unknown>(
  name: string,
  value: F | undefined,
): F | undefined {
  if (value !== undefined && typeof value !== 'function')
    fail(`"${name}" must be a function, got ${describe(value)}`)
  return value
}
