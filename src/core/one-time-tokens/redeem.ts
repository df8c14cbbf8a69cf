import { TokenInvalidOrUsedError, UnavailableError } from '../../errors.js'
import { decodeUserId } from '../users/user-id.js'
import type { Row, Users } from '../users/users.js'
import type { Claim, RecoveryTokens, TokenPurpose } from './tokens.js'

/** What to do with a token. */
interface Redemption<T> {
  /** Checks the rest of the request before the token is used up. Throws to refuse. */
  judge?(user: Row, claim: Claim): Promise<void>
  /** Whether the token is still valid for its user. */
  isStillValid?(user: Row, claim: Claim): boolean | Promise<boolean>
  /**
   * Does the work. Null if a concurrent request was faster. If it throws, the token becomes valid
   * again.
   */
  work(user: Row, claim: Claim): Promise<T | null>
}

/**
 * Redeems a token for its purpose, once.
 * @throws TokenInvalidOrUsedError (400); UnavailableError (503), which keeps the token valid
 */
export type Redeem = <T>(
  purpose: TokenPurpose,
  token: string,
  redemption: Redemption<T>,
) => Promise<T>

export function createRedeem(users: Users, tokens: RecoveryTokens): Redeem {
  return async (purpose, token, { judge, isStillValid, work }) => {
    const claim = await tokens.peek(purpose, token)
    const id = claim && decodeUserId(claim.user)
    const user = id === null ? null : await users.findById(id)
    if (!claim || !user || !users.isActive(user) || users.epochOf(user) !== claim.epoch)
      throw new TokenInvalidOrUsedError()
    if (isStillValid && !(await isStillValid(user, claim))) throw new TokenInvalidOrUsedError()
    await judge?.(user, claim)
    try {
      if (!(await tokens.take(purpose, token))) throw new TokenInvalidOrUsedError()
    } catch (error) {
      // The store may still execute a call that timed out here. It executes calls in order, so this
      // one restores the token after that.
      if (error instanceof UnavailableError) await tokens.restore(purpose, token, claim)
      throw error
    }
    try {
      const done = await work(user, claim)
      if (done !== null) return done
    } catch (error) {
      await tokens.restore(purpose, token, claim)
      throw error
    }
    throw new TokenInvalidOrUsedError()
  }
}
