/** Units of times as numbers, by the fewest milliseconds since 1970 that they are used for. */
const units = [
  { from: 1e17, perMs: 1e6 }, // nanoseconds
  { from: 1e14, perMs: 1e3 }, // microseconds
  { from: 1e11, perMs: 1 }, // milliseconds
  { from: 0, perMs: 1e-3 }, // seconds
] as const

/**
 * A number's size tells its unit: 100 billion milliseconds were over in 1973, and as many seconds
 * will take until the year 5138.
 */
function millisecondsOf(number: number): number {
  const unit = units.find(({ from }) => number >= from)
  return unit ? Math.round(number / unit.perMs) : Number.NaN
}

const digits = /^\d+(?:\.\d+)?$/

/**
 * Milliseconds since 1970 of a time as a database may return it: a `Date`, a date as text, or a
 * number, a bigint or digits in any common unit. NaN for anything else.
 */
export function storedTime(value: unknown): number {
  if (value instanceof Date) return value.getTime()
  if (typeof value === 'number' || typeof value === 'bigint') return millisecondsOf(Number(value))
  if (value === null || value === undefined || typeof value === 'boolean') return Number.NaN
  // Objects of date libraries become dates as text.
  const text = String(value).trim()
  return digits.test(text) ? millisecondsOf(Number(text)) : Date.parse(text)
}
