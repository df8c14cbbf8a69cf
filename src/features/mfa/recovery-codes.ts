import { hash, randomInt } from 'node:crypto'

/** Without i, l, o, 0 and 1, which people confuse. */
const alphabet = 'abcdefghjkmnpqrstuvwxyz23456789'
const groups = 4
const groupLength = 4

const pick = () => alphabet.charAt(randomInt(alphabet.length))

/** A code of 79 random bits: too many to guess, so a fast digest is enough to store it. */
const newRecoveryCode = (): string =>
  Array.from({ length: groups }, () => Array.from({ length: groupLength }, pick).join('')).join('-')

/** SHA-256 in hex of the code without spaces and dashes, in lower case. */
const digestOf = (code: string): string =>
  hash('sha256', code.replace(/[\s-]/g, '').toLowerCase(), 'hex')

/** New recovery codes, and the text that is stored in their place. */
export function newRecoveryCodes(count: number): { codes: string[]; stored: string } {
  const codes = Array.from({ length: count }, newRecoveryCode)
  return { codes, stored: JSON.stringify(codes.map(digestOf)) }
}

/** The stored digests. Empty for anything but a JSON array of strings, so no code matches it. */
export function readDigests(stored: unknown): readonly string[] {
  if (typeof stored !== 'string') return []
  try {
    const list: unknown = JSON.parse(stored)
    return Array.isArray(list) && list.every((item) => typeof item === 'string') ? list : []
  } catch {
    return []
  }
}

/** The stored text without the code; null if the code is not in it. */
export function withoutCode(stored: unknown, code: string): string | null {
  const digests = readDigests(stored)
  const digest = digestOf(code)
  return digests.includes(digest)
    ? JSON.stringify(digests.filter((other) => other !== digest))
    : null
}
