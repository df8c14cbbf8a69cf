import type { FastifyRequest } from 'fastify'
import { sha256 } from '../../crypto/digest.js'
import { randomToken } from '../../crypto/random.js'
import type { Seal } from '../../crypto/seal.js'
import { orUnavailable } from '../../lib/unavailable.js'
import type { OneTimeStore } from '../../ports/one-time-store.js'
import type { PasskeySettings } from './options.js'

/** What a challenge is bound to. An answer with another binding is refused. */
interface Binding {
  readonly purpose: 'register' | 'login' | 'second-factor' | 'sudo'
  /** `Users.referenceOf` the user; null where the passkey tells who it is. */
  readonly user: string | null
  /** The sign-in or the session that it belongs to; empty for none. */
  readonly of: string
}

/** A challenge for an authenticator, stored encrypted under the digest of its id. */
export interface PasskeyChallenge extends Binding {
  /** What the authenticator signs, in base64url. */
  readonly challenge: string
  readonly rpId: string
  /** Origins that may answer. */
  readonly origins: readonly string[]
  /** For a registration: the user handle of the new passkey. */
  readonly userHandle?: string | undefined
  /** For a registration: the name that was chosen before. */
  readonly name?: string | undefined
  /** For a registration: the credential epoch. A new password ends the challenge. */
  readonly epoch?: string | undefined
}

/** Challenges, used once each. Methods throw UnavailableError (503) in an outage. */
export interface PasskeyChallenges {
  /** Returns the id. */
  begin(
    request: FastifyRequest,
    challenge: Omit<PasskeyChallenge, 'rpId' | 'origins'>,
  ): Promise<string>
  /**
   * Uses a challenge up: one of any number of concurrent calls gets it. Null if it is unknown,
   * used, expired, or bound to something else.
   */
  take(id: string, binding: Binding): Promise<PasskeyChallenge | null>
}

type Stored = PasskeyChallenge & { readonly key: string; readonly endsAtMs: number }

interface Dependencies {
  readonly store: OneTimeStore
  readonly seal: Seal
  readonly settings: Pick<PasskeySettings, 'rpId' | 'origins' | 'challengeSeconds'>
}

const idForm = /^[\w-]{43}$/

export function createPasskeyChallenges({
  store,
  seal: { seal, open },
  settings: { rpId, origins, challengeSeconds },
}: Dependencies): PasskeyChallenges {
  return {
    async begin(request, challenge) {
      const id = randomToken()
      const key = sha256(`passkey ${id}`)
      // A page of one origin can't have its challenge answered at another one. Native apps send no
      // `Origin`.
      const { origin } = request.headers
      const asking = origins.filter((each) => each === origin)
      const stored: Stored = {
        ...challenge,
        key,
        rpId,
        origins: asking.length > 0 ? asking : origins,
        endsAtMs: Date.now() + challengeSeconds * 1000,
      }
      await orUnavailable(store.put(key, seal(JSON.stringify(stored)), challengeSeconds * 1000))
      return id
    },

    async take(id, { purpose, user, of }) {
      if (!idForm.test(id)) return null
      const key = sha256(`passkey ${id}`)
      const sealed = await orUnavailable(store.take(key))
      const text = sealed === null ? null : open(sealed)
      if (text === null) return null
      const { endsAtMs, key: storedKey, ...challenge } = JSON.parse(text) as Stored
      const isBound =
        // The key is part of the encrypted value, so a value copied to another key is invalid.
        storedKey === key &&
        endsAtMs > Date.now() &&
        challenge.purpose === purpose &&
        challenge.user === user &&
        challenge.of === of &&
        // The configuration may have changed since.
        challenge.rpId === rpId &&
        challenge.origins.every((origin) => origins.includes(origin))
      return isBound ? challenge : null
    },
  }
}
