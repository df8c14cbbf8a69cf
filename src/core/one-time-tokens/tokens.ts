import { LRUCache } from 'lru-cache'
import { sha256 } from '../../crypto/digest.js'
import { randomToken } from '../../crypto/random.js'
import type { Seal } from '../../crypto/seal.js'
import { orUnavailable } from '../../lib/unavailable.js'
import type { OneTimeStore } from '../../ports/one-time-store.js'
import { encodeUserId } from '../users/user-id.js'
import type { Row, Users } from '../users/users.js'

/** Purpose of a token; a token doesn't work for another one. */
export type TokenPurpose = 'verify' | 'reset' | 'change' | 'revert' | 'unlink'

/** What a token says, kept sealed beside its digest. */
export interface Claim {
  /** Encoded id of the user. */
  readonly user: string
  /** Credential epoch of the user: another password ends the token. */
  readonly epoch: string
  /** Value of the factor that the token was sent for; another value ends it. Null where that does not matter. */
  readonly value: string | null
  /** The address to set. */
  readonly next?: string | undefined
  /** Whether `next` was verified before. */
  readonly wasVerified?: boolean | undefined
  readonly redirectTo?: string | undefined
  /** `Date.now()` milliseconds. */
  readonly endsAtMs: number
}

/** What of a claim its maker decides. */
type NewClaim = Omit<Claim, 'user' | 'epoch' | 'endsAtMs'>

/** One-time tokens: 128 random bits of which the store knows the digest. Throws `UnavailableError` (503) in an outage. */
export interface RecoveryTokens {
  /** Makes a token for the user. */
  issue(purpose: TokenPurpose, user: Row, claim: NewClaim, ttlSeconds: number): Promise<string>
  /** Does the work of `issue` for nobody. */
  imitate(purpose: TokenPurpose): Promise<void>
  /** The content of the token, or null. Doesn't consume it. */
  peek(purpose: TokenPurpose, token: string): Promise<Claim | null>
  /** Uses the token up: of any number of concurrent calls exactly one gets true. */
  take(purpose: TokenPurpose, token: string): Promise<boolean>
  /** Gives back a token that was taken for what could not be done. Never rejects. */
  restore(purpose: TokenPurpose, token: string, claim: Claim): Promise<void>
  /** Whether the token is the newest of its purpose that the user was sent. */
  isNewest(purpose: TokenPurpose, token: string, claim: Claim): Promise<boolean>
  /**
   * Remembers the token as the newest, unless there is one that was asked for later; false then.
   * @param requestedAtMs when it was asked for, which may be a while ago when it had to be tried again
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

/** Tokens that one process gives back at a time; beyond it the oldest are used up. */
const maxGivenBack = 1000

/** @param later does work after the answer, again when it fails; without it a token is given back in this process alone */
export function createRecoveryTokens(
  store: OneTimeStore,
  users: Users,
  { seal, open }: Seal,
  later: (work: () => Promise<void>) => void = () => {},
): RecoveryTokens {
  // The key is encrypted with the claim, so a claim moved to another token's place is invalid.
  const write = (key: string, claim: Claim, ttlMs: number) =>
    orUnavailable(store.put(key, seal(JSON.stringify({ key, ...claim })), ttlMs))

  // Tokens that an outage has kept from being given back, or has let the store take after it was no longer waited for. This
  // process knows them until the store does again. Should one then be there twice, the user's row still lets it be used once.
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
    // Stored for no time at all: the store is asked the same, and keeps nothing that would push live ones out.
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
        // Used meanwhile, or over.
        if (givenBack.get(key) !== claim || ttlMs <= 0) return
        await write(key, claim, ttlMs)
        if (givenBack.get(key) === claim) givenBack.delete(key)
      }
      givenBack.set(key, claim)
      // What fails here has failed for the same reason before, and that is what is told.
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
