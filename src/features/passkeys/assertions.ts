import type { FastifyRequest } from 'fastify'
import type { Row, Users } from '../../core/users/users.js'
import type { Passkey } from '../../ports/passkey-store.js'
import type { PasskeyChallenge, PasskeyChallenges } from './challenges.js'
import type { PasskeyEvents } from './events.js'
import type { StoredPasskeys } from './stored-passkeys.js'
import type { Assertion, WebAuthn } from './webauthn.js'

/** A passkey that was used rightly. */
interface Used {
  readonly user: Row
  /** Whether the authenticator has verified its user: then it is two factors in one. */
  readonly userVerified: boolean
}

interface Expected {
  readonly purpose: 'login' | 'second-factor' | 'sudo'
  /** The account; null where the passkey tells which one it is. */
  readonly user: Row | null
  /** The sign-in or the session that the challenge belongs to; empty for none. */
  readonly of: string
  /** Whether the authenticator must verify its user, even if the app doesn't require it. */
  readonly verifiesUser: boolean
}

/**
 * Judges the answer to a challenge, and uses the challenge up. Null for any wrong one.
 * @param proof `{ challenge_id, response }`, of any form
 * @throws UnavailableError
 */
export type JudgeAssertion = (
  request: FastifyRequest,
  expected: Expected,
  proof: unknown,
) => Promise<Used | null>

interface Dependencies {
  readonly users: Users
  readonly passkeys: StoredPasskeys
  readonly challenges: PasskeyChallenges
  readonly webauthn: WebAuthn
  readonly events: PasskeyEvents
}

/** Bounds the retries of a write. Each lost one means that another use of the passkey succeeded. */
const maxAttempts = 20

export function createJudgeAssertion({
  users,
  passkeys,
  challenges,
  webauthn,
  events,
}: Dependencies): JudgeAssertion {
  const find = (response: unknown): Promise<Passkey | null> => {
    const { id } = (response ?? {}) as { id?: unknown }
    return typeof id === 'string' && id !== ''
      ? passkeys.store.findByCredentialId(id)
      : Promise.resolve(null)
  }

  /** Where the passkey tells who the user is, the user handle must say the same. */
  const hasHandle = (passkey: Passkey, response: unknown, isRequired: boolean): boolean => {
    const { userHandle = null } =
      (response as { response?: { userHandle?: unknown } }).response ?? {}
    return userHandle === null || userHandle === ''
      ? !isRequired
      : userHandle === passkey.userHandle
  }

  /**
   * Writes the use. False if the signature is not newer than the last one: the passkey was copied,
   * or the answer was sent twice. Synchronized passkeys don't count and stay at 0.
   */
  const record = async (
    request: FastifyRequest,
    user: Row,
    found: Passkey,
    { counter, backedUp }: Assertion,
  ): Promise<boolean> => {
    let passkey: Passkey | null = found
    for (let attempt = 0; attempt < maxAttempts && passkey; attempt++) {
      const { id, counter: stored }: Passkey = passkey
      if ((counter > 0 || stored > 0) && counter <= stored) {
        await events.suspicious(user, passkey, counter, request)
        return false
      }
      const use = { counter, backedUp, lastUsedAt: new Date() }
      if (await passkeys.store.compareAndSetCounter(id, stored, use)) return true
      // It was used by another request, or removed.
      const now: Passkey | null = await passkeys.store.findByCredentialId(found.credentialId)
      passkey = now?.id === id ? now : null
    }
    return false
  }

  const judge = async (
    request: FastifyRequest,
    challenge: PasskeyChallenge,
    { user: known, verifiesUser }: Expected,
    response: unknown,
  ): Promise<Used | null> => {
    const passkey = await find(response)
    if (!passkey || !hasHandle(passkey, response, known === null)) return null
    const user = known ?? (await users.findById(passkey.userId))
    if (!user || !users.isActive(user) || !passkeys.isOf(user, passkey)) return null
    const assertion = await webauthn.readAssertion(challenge, passkey, response, verifiesUser)
    if (!assertion || !(await record(request, user, passkey, assertion))) return null
    return { user, userVerified: assertion.userVerified }
  }

  return async (request, expected, proof) => {
    const { challenge_id: id, response } = (proof ?? {}) as Record<string, unknown>
    if (typeof id !== 'string') return null
    const { purpose, user, of } = expected
    const reference = user && users.referenceOf(user)
    const challenge = await challenges.take(id, { purpose, user: reference, of })
    return challenge && judge(request, challenge, expected, response)
  }
}
