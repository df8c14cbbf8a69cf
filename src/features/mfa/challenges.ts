import type { CountedAttempt } from '../../core/sign-in/lockout.js'
import type { PendingSignIn } from '../../core/sign-in/pending-sign-in.js'
import { encodeUserId } from '../../core/users/user-id.js'
import type { Row, Users } from '../../core/users/users.js'
import { sha256 } from '../../crypto/digest.js'
import { randomToken } from '../../crypto/random.js'
import type { Seal } from '../../crypto/seal.js'
import { BadRequestError, TokenInvalidOrUsedError } from '../../errors.js'
import { orUnavailable } from '../../lib/unavailable.js'
import type { AttemptBudget, CounterStore } from '../../ports/counter-store.js'
import type { OneTimeStore } from '../../ports/one-time-store.js'

/** A sign-in as it is stored, in JSON. */
type StoredSignIn = Omit<PendingSignIn, 'authenticatedAt'> & {
  /** `Date.now()` milliseconds. */
  readonly authenticatedAtMs?: number | undefined
}

/** A sign-in that waits for the second factor, stored encrypted under the digest of its token. */
export interface Challenge {
  readonly key: string
  /** Encoded id of the user. */
  readonly user: string
  /** Credential epoch of the user. A new password ends the challenge. */
  readonly epoch: string
  /** Id of the device cookie that the browser had; null if it had none. */
  readonly device: string | null
  /** The secret to enroll with; null for an account that has a second factor. */
  readonly secret: string | null
  readonly signIn: PendingSignIn
  readonly endsAtMs: number
}

type Stored = Omit<Challenge, 'signIn'> & { readonly signIn: StoredSignIn }

/**
 * Challenges of the second factor: 256 random bits each. Methods throw `UnavailableError` (503) in
 * an outage.
 */
export interface Challenges {
  /** Returns the token. */
  begin(user: Row, challenge: Pick<Challenge, 'device' | 'secret' | 'signIn'>): Promise<string>
  /** The live challenge of a token, or null. */
  find(token: string): Promise<Challenge | null>
  /**
   * Counts an attempt before the code is judged. The methods of the result never reject.
   * @throws TokenInvalidOrUsedError once the attempts are used up
   */
  count(challenge: Challenge): Promise<CountedAttempt>
  /** Uses the challenge up. Exactly one of any number of concurrent calls returns true. */
  take(challenge: Challenge): Promise<boolean>
  /** Makes a challenge valid again after its sign-in could not be finished. Never rejects. */
  restore(challenge: Challenge): Promise<void>
}

interface Dependencies {
  readonly users: Users
  readonly store: OneTimeStore
  readonly counters: CounterStore
  readonly seal: Seal
  readonly seconds: number
  readonly maxAttempts: number
}

const keyOf = (token: string) => sha256(`mfa ${token}`)
const tokenPattern = /^[\w-]{43}$/

/** The longest value that every `OneTimeStore` accepts. */
const maxBytes = 4096

export function createChallenges({
  users,
  store,
  counters,
  seal: { seal, open },
  seconds,
  maxAttempts,
}: Dependencies): Challenges {
  const write = async (stored: Stored, ttlMs: number) => {
    const sealed = seal(JSON.stringify(stored))
    if (sealed.length > maxBytes)
      throw new BadRequestError('The options of the sign-in are too large to be kept')
    await orUnavailable(store.put(stored.key, sealed, ttlMs))
  }

  const storedOf = ({
    signIn: { authenticatedAt, ...signIn },
    ...challenge
  }: Challenge): Stored => ({
    ...challenge,
    signIn: {
      ...signIn,
      ...(authenticatedAt && { authenticatedAtMs: authenticatedAt.getTime() }),
    },
  })

  return {
    async begin(user, challenge) {
      const token = randomToken()
      const stored = storedOf({
        ...challenge,
        key: keyOf(token),
        user: encodeUserId(users.idOf(user)),
        epoch: users.epochOf(user),
        endsAtMs: Date.now() + seconds * 1000,
      })
      await write(stored, seconds * 1000)
      return token
    },

    async find(token) {
      if (!tokenPattern.test(token)) return null
      const key = keyOf(token)
      const sealed = await orUnavailable(store.peek(key))
      const text = sealed === null ? null : open(sealed)
      if (text === null) return null
      const { signIn, ...stored } = JSON.parse(text) as Stored
      // The key is part of the encrypted value, so a value copied to another key is invalid.
      if (stored.key !== key || stored.endsAtMs <= Date.now()) return null
      const { authenticatedAtMs, ...rest } = signIn
      return {
        ...stored,
        signIn: {
          ...rest,
          ...(authenticatedAtMs !== undefined && { authenticatedAt: new Date(authenticatedAtMs) }),
        },
      }
    },

    async count({ key }) {
      const budget: AttemptBudget = {
        key: `mfa:${key}`,
        maxAttempts,
        // Attempts count until the challenge ends. The lock is as short as possible, because
        // giving an attempt back doesn't end a lock.
        ...{ windowMs: seconds * 1000, lockMs: 1, maxLockMs: 1 },
      }
      const [result] = await orUnavailable(counters.attempt([budget]))
      if (!result || result.retryMs > 0) throw new TokenInvalidOrUsedError()
      return {
        async giveBack() {
          await Promise.allSettled([counters.giveBack([budget.key])])
        },
        // A right code uses the challenge up, so its count no longer matters.
        forgive: async () => {},
      }
    },

    take: async ({ key }) => (await orUnavailable(store.take(key))) !== null,

    async restore(challenge) {
      const ttlMs = challenge.endsAtMs - Date.now()
      if (ttlMs > 0) await write(storedOf(challenge), ttlMs).catch(() => {})
    },
  }
}
