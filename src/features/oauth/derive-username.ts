import { randomInt } from 'node:crypto'
import { canonicalUsername } from '../../core/identity/canonical.js'

const maxBase = 30
const anonymous = 'user'

/**
 * A username derived from what a provider says: letters and digits of any script, with `._-`
 * between them. At most 30 characters, and never a value that could be taken for an email address.
 */
export function usernameBase(...candidates: (string | null | undefined)[]): string {
  for (const candidate of candidates) {
    const cleaned = (candidate ?? '')
      .normalize('NFKC')
      .replace(/[^\p{L}\p{M}\p{N}._-]+/gu, '-')
      .replace(/^[._\p{M}-]+|[._-]+$/gu, '')
    const base = [...cleaned]
      .slice(0, maxBase)
      .join('')
      .replace(/[._-]+$/u, '')
    const username = base === '' ? null : canonicalUsername(base)
    if (username !== null) return username
  }
  return anonymous
}

/**
 * The base at first, then with ever longer random numbers, which don't reveal how many names are
 * taken.
 */
export const usernameFor = (base: string, attempt: number): string =>
  attempt === 0 && base !== anonymous
    ? base
    : `${base}-${randomInt(10 ** Math.min(3 + attempt, 9), 10 ** Math.min(4 + attempt, 10))}`
