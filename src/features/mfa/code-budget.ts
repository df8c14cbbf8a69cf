import type { FastifyRequest } from 'fastify'
import type { LoginContext } from '../../core/sign-in/known-device.js'
import type { CountedAttempt } from '../../core/sign-in/lockout.js'
import { encodeUserId } from '../../core/users/user-id.js'
import type { Row, Users } from '../../core/users/users.js'
import { shortHmac } from '../../crypto/digest.js'
import { LockedOutError } from '../../errors.js'
import { orUnavailable, retryAfter } from '../../lib/unavailable.js'
import type { CounterStore } from '../../ports/counter-store.js'

const maxPerDay = 100
const dayMs = 86_400_000

/**
 * Limits the codes of one account, for sign-in, sudo mode and management together: 100 in 24 hours
 * from unknown devices, and 100 from known ones. The lockout isn't enough: a password reset clears
 * it, so an attacker who reads the owner's mail could guess codes without limit. Only a right code
 * clears this count. Methods throw LockedOutError (429) and UnavailableError (503).
 */
export interface CodeBudget {
  /**
   * Counts an attempt, before the code is judged.
   * @param device id of the known device of the request, or null
   */
  count(user: Row, device: string | null): Promise<CountedAttempt>
  /** Counts an attempt of a signed-in user. `use` judges the code: null for a wrong one. */
  judge<T>(request: FastifyRequest, user: Row, use: () => Promise<T | null>): Promise<T | null>
}

export function createCodeBudget(
  users: Users,
  counters: CounterStore,
  key: Buffer,
  loginContext: (request: FastifyRequest) => LoginContext,
): CodeBudget {
  const count: CodeBudget['count'] = async (user, device) => {
    // Known devices share a second budget, so that a password thief elsewhere can't lock them out.
    // With one budget per device, a thief who had signed in on many devices before the owner
    // enrolled would get more attempts.
    const kind = device === null ? 'unknown' : 'known'
    const name = `mfa:u:${shortHmac(key, `${kind} ${encodeUserId(users.idOf(user))}`)}`
    const budget = { key: name, maxAttempts: maxPerDay, windowMs: dayMs }
    const [result] = await orUnavailable(
      counters.attempt([{ ...budget, lockMs: 60_000, maxLockMs: 3_600_000 }]),
    )
    if (!result || result.retryMs > 0)
      throw retryAfter(new LockedOutError(), (result?.retryMs ?? 1000) / 1000)
    return {
      async forgive() {
        await Promise.allSettled([counters.forgive([name])])
      },
      async giveBack() {
        await Promise.allSettled([counters.giveBack([name])])
      },
    }
  }

  return {
    count,
    async judge(request, user, use) {
      const identifier = encodeUserId(users.idOf(user))
      const counted = await count(user, await loginContext(request).deviceOf(identifier, user))
      const used = await use().catch(async (error) => {
        await counted.giveBack()
        throw error
      })
      if (used !== null) await counted.forgive()
      return used
    },
  }
}
