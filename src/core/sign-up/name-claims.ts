import { shortHmac } from '../../crypto/digest.js'
import type { CounterStore } from '../../ports/counter-store.js'

/** Fields with a format of their own, which no value of another field can have. */
const shaped = ['email', 'phone']

/**
 * Prevents a race: two sign-ups at once could take the same name in two different login fields,
 * which no unique constraint prevents. The function returns false for a name that another sign-up
 * has just claimed. It fails open: without Redis nothing is claimed.
 * @param windowMs maximum time from the claim of a sign-up to its row
 */
export function createNameClaims(
  counters: CounterStore,
  key: Buffer,
  login: readonly string[],
  windowMs: number,
): (values: Readonly<Record<string, unknown>>) => Promise<boolean> {
  const fields = login.filter((field) => !shaped.includes(field))
  return async (values) => {
    if (fields.length < 2) return true
    const names = fields.map((field) => values[field]).filter((name) => typeof name === 'string')
    const counts = await Promise.all(
      [...new Set(names)].map((name) =>
        counters.hit(`name:${shortHmac(key, `sign-up ${name}`)}`, windowMs).then(
          ({ count }) => count,
          () => 1,
        ),
      ),
    )
    return counts.every((count) => count === 1)
  }
}
