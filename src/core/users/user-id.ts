import type { UserId } from '../../ports/user-store.js'

/** The id as text that keeps its type, so that `1`, `1n` and `"1"` stay three ids. */
export function encodeUserId(id: UserId): string {
  if (typeof id === 'number') return `n${id}`
  return typeof id === 'bigint' ? `b${id}` : `s${id}`
}

/** Inverse of `encodeUserId`; null for text that it never wrote. */
export function decodeUserId(text: string): UserId | null {
  const rest = text.slice(1)
  switch (text[0]) {
    case 's':
      return rest
    case 'n':
      return Number.isFinite(Number(rest)) && String(Number(rest)) === rest ? Number(rest) : null
    case 'b':
      return /^-?\d+$/.test(rest) && String(BigInt(rest)) === rest ? BigInt(rest) : null
    default:
      return null
  }
}

/** The id as it leaves in JSON: a bigint that no JSON number holds exactly becomes text. */
export function jsonUserId(id: UserId): string | number {
  if (typeof id !== 'bigint') return id
  return id <= Number.MAX_SAFE_INTEGER && id >= Number.MIN_SAFE_INTEGER ? Number(id) : String(id)
}
