import { LRUCache } from 'lru-cache'
import { sha256 } from '../../crypto/digest.js'
import { randomToken } from '../../crypto/random.js'
import type { Seal } from '../../crypto/seal.js'
import { orUnavailable } from '../../lib/unavailable.js'
import type { OneTimeStore } from '../../ports/one-time-store.js'
import { encodeUserId } from '../users/user-id.js'
import type { Row, Users } from '../users/users.js'

/** Purpose of a token. A token does not work for another purpose. */
export type TokenPurpose = 'verify' | 'reset' | 'change' | 'revert' | 'unlink'

/** Content of a token, stored encrypted under the token's digest. */
export interface Claim {
  /** Encoded id of the user. */
  readonly user: string
  /** Credential epoch of the user. A new password invalidates the token. */
  readonly epoch: string
  /**
   * Value of the field that the token was sent to. Another value invalidates the token. Null if it
   * does not matter.
   */
  readonly value: string | null
  /** The email address to set. */
  readonly next?: string | undefined
  /** Whether `next` was verified before. */
  readonly wasVerified?: boolean | undefined
  readonly redirectTo?: string | undefined
  /** `Date.now()` milliseconds. */
  readonly endsAtMs: number
}

/** The part of a claim that the caller of `issue` sets. */
type NewClaim = Omit<Claim, 'user' | 'epoch' | 'endsAtMs'>

/**
 * One-time tokens: 128 random bits. The store has only their digest. Methods throw
 * `UnavailableError` (503) in an outage.
 */
export interface RecoveryTokens {
  /** Creates a token for the user. */
  issue(purpose: TokenPurpose, user: Row, claim: NewClaim, ttlSeconds: number): Promise<string>
  /** Does the same work as `issue`, without a user. */
  imitate(purpose: TokenPurpose): Promise<void>
  /** The content of the token, or null. Doesn't consume it. */
  peek(purpose: TokenPurpose, token: string): Promise<Claim | null>
  /** Uses the token up. Exactly one of any number of concurrent calls returns true. */
  take(purpose: TokenPurpose, token: string): Promise<boolean>
  /** Makes a taken token valid again after its work failed. Never rejects. */
  restore(purpose: TokenPurpose, token: string, claim: Claim): Promise<void>
  /** Whether this is the newest token of its purpose that the user was sent. */
  isNewest(purpose: TokenPurpose, token: string, claim: Claim): Promise<boolean>
  /**
   * Records the token as the newest. Returns false if a later request has a newer one.
   * @param requestedAtMs time of the request, which is earlier than now after retries
   */
  markNewest(
    purpose: TokenPurpose,
    user: Row,
    token: string,
    ttlSeconds: number,
    requestedAtMs: number,
  ): Promise<boolean>
}

const keyOf = (purpose: TokenPurpose, token: string) => sha256(`${purpose} ${token}`)
const newestKey = (purpose: TokenPurpose, user: string) => sha256(`newest ${purpose} ${user}`)

/** Tokens that one process restores at a time. Beyond that, the oldest ones stay used up. */
const maxGivenBack = 1000

/**
 * @param later runs work after the response and retries it. Without it, a failed restore works only
 * in this process
 */
export function createRecoveryTokens(
  store: OneTimeStore,
  users: Users,
  { seal, open }: Seal,
  later: (work: () => Promise<void>) => void = () => {},
): RecoveryTokens {
  // The key is encrypted with the claim, so a claim copied to another token's key is invalid.
  const write = (key: string, claim: Claim, ttlMs: number) =>
    orUnavailable(store.put(key, seal(JSON.stringify({ key, ...claim })), ttlMs))

  // Tokens that could not be restored in the store during an outage, or that the store took after
  // the call had timed out. This process remembers them until they are back in the store. If both
  // have the token, the user's row still prevents a second use.
  const givenBack = new LRUCache<string, Claim>({ max: maxGivenBack })

  return {
    async issue(purpose, user, claim, ttlSeconds) {
      const token = randomToken(16)
      const endsAtMs = Date.now() + ttlSeconds * 1000
      const whole = {
        ...claim,
        user: encodeUserId(users.idOf(user)),
        epoch: users.epochOf(user),
        endsAtMs,
      }
      await write(keyOf(purpose, token), whole, ttlSeconds * 1000)
      return token
    },
    // A TTL of 0: the store gets the same command, but keeps nothing that could displace live
    // tokens.
    imitate: (purpose) =>
      write(
        keyOf(purpose, randomToken(16)),
        { user: '', epoch: randomToken(16), value: '', endsAtMs: Date.now() },
        0,
      ),
    async peek(purpose, token) {
      const key = keyOf(purpose, token)
      const sealed = await orUnavailable(store.peek(key))
      const text = sealed === null ? null : open(sealed)
      const claim =
        text === null ? givenBack.get(key) : (JSON.parse(text) as Claim & { key: string })
      if (!claim || ('key' in claim && claim.key !== key)) return null
      return claim.endsAtMs > Date.now() ? claim : null
    },
    async take(purpose, token) {
      const key = keyOf(purpose, token)
      const isGivenBack = givenBack.delete(key)
      return (await orUnavailable(store.take(key))) !== null || isGivenBack
    },
    async restore(purpose, token, claim) {
      const key = keyOf(purpose, token)
      const giveBack = async () => {
        const ttlMs = claim.endsAtMs - Date.now()
        // Used in the meantime, or expired.
        if (givenBack.get(key) !== claim || ttlMs <= 0) return
        await write(key, claim, ttlMs)
        if (givenBack.get(key) === claim) givenBack.delete(key)
      }
      givenBack.set(key, claim)
      // The caller already reports the failure that caused this restore.
      await giveBack().catch(() => later(giveBack))
    },
    isNewest: async (purpose, token, claim) =>
      (await orUnavailable(store.peek(newestKey(purpose, claim.user))))?.split(' ')[1] ===
      keyOf(purpose, token),
    async markNewest(purpose, user, token, ttlSeconds, requestedAtMs) {
      const key = newestKey(purpose, encodeUserId(users.idOf(user)))
      const newest = await orUnavailable(store.peek(key))
      if (newest !== null && Number(newest.split(' ')[0]) > requestedAtMs) return false
      await orUnavailable(
        store.put(key, `${requestedAtMs} ${keyOf(purpose, token)}`, ttlSeconds * 1000),
      )
      return true
    },
  }
}
