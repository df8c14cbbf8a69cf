import type { FastifyRequest } from 'fastify'
import type { LoginContext } from '../../core/sign-in/known-device.js'
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
 * clears this count.
 */
export interface CodeBudget {
  /**
   * Counts an attempt, before the code is judged.
   * @throws LockedOutError (429), UnavailableError (503)
   */
  count(request: FastifyRequest, user: Row): Promise<CountedCode>
}

/** A counted attempt. Its methods never reject. */
interface CountedCode {
  /** After a right code: clears the count. */
  forgive(): Promise<void>
  /** If no code was judged: takes the attempt back. */
  giveBack(): Promise<void>
}

export const createCodeBudget = (
  users: Users,
  counters: CounterStore,
  key: Buffer,
  loginContext: (request: FastifyRequest) => LoginContext,
): CodeBudget => ({
  async count(request, user) {
    const id = encodeUserId(users.idOf(user))
    // Known devices share a second budget, so that a password thief elsewhere can't lock them out.
    // With one budget per device, a thief who had signed in on many devices before the owner
    // enrolled would get more attempts.
    const device = await loginContext(request).deviceOf(id, user)
    const name = `mfa:u:${shortHmac(key, `${device === null ? 'unknown' : 'known'} ${id}`)}`
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
  },
})
