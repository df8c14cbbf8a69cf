import type { UserId } from '../../ports/user-store.js'

/** The id as text that keeps its type, so that `1`, `1n` and `"1"` are three different ids. */
export function encodeUserId(id: UserId): string {
  if (typeof id === 'number') return `n${id}`
  return typeof id === 'bigint' ? `b${id}` : `s${id}`
}

/** Inverse of `encodeUserId`; null for any other text. */
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

/** The id for JSON. A bigint that a JSON number can't represent exactly becomes text. */
export function jsonUserId(id: UserId): string | number {
  if (typeof id !== 'bigint') return id
  return id <= Number.MAX_SAFE_INTEGER && id >= Number.MIN_SAFE_INTEGER ? Number(id) : String(id)
}
