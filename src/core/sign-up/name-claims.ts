import { shortHmac } from '../../crypto/digest.js'
import type { CounterStore } from '../../ports/counter-store.js'

/** Fields whose values have a form of their own, which no name of another field may have. */
const shaped = ['email', 'phone']

/**
 * Keeps two parallel sign-ups from taking one name in two login fields, which no unique constraint prevents. Returns false
 * for a name that another sign-up claimed just now. Without Redis nothing is claimed, as nothing is counted.
 * @param windowMs how long a sign-up may take from its claim to its row
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
