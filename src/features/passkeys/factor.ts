import type { PasskeyFactor, PasskeyPurpose } from '../../core/sign-in/passkey-factor.js'
import type { Users } from '../../core/users/users.js'
import { randomToken } from '../../crypto/random.js'
import type { JudgeAssertion } from './assertions.js'
import type { PasskeyChallenges } from './challenges.js'
import type { StoredPasskeys } from './stored-passkeys.js'
import type { WebAuthn } from './webauthn.js'

interface Dependencies {
  readonly users: Users
  readonly passkeys: StoredPasskeys
  readonly challenges: PasskeyChallenges
  readonly webauthn: WebAuthn
  readonly judge: JudgeAssertion
}

/** Passkeys of a user who is known already: as the second factor, and for sudo mode. */
export function createPasskeyFactor({
  users,
  passkeys,
  challenges,
  webauthn,
  judge,
}: Dependencies): PasskeyFactor {
  const verifies = ({ verifiesUser = false }: PasskeyPurpose) => verifiesUser
  return {
    has: passkeys.has,

    async begin(request, user, purpose) {
      const challenge = randomToken()
      const allowed = await passkeys.list(user)
      if (allowed.length === 0) return null
      const [challenge_id, options] = await Promise.all([
        challenges.begin(request, {
          purpose: purpose.name,
          user: users.referenceOf(user),
          of: purpose.of,
          challenge,
        }),
        webauthn.requestOptions({ challenge, allowed, verifiesUser: verifies(purpose) }),
      ])
      return { challenge_id, options }
    },

    async verify(request, user, purpose, proof) {
      const verifiesUser = verifies(purpose)
      const expected = { purpose: purpose.name, user, of: purpose.of, verifiesUser }
      return (await judge(request, expected, proof)) !== null
    },
  }
}
