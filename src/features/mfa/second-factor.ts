import type { FastifyRequest } from 'fastify'
import { checkMethods } from '../../core/principal/methods.js'
import type { SignIns } from '../../core/sign-in/complete.js'
import { hasPasskey } from '../../core/sign-in/passkey-factor.js'
import type { PendingSignIn } from '../../core/sign-in/pending-sign-in.js'
import type { SecondFactor } from '../../core/sign-in/second-factor.js'
import { accountView } from '../../core/users/account-view.js'
import type { Row, Users } from '../../core/users/users.js'
import type { Challenges } from './challenges.js'
import type { CodeBudget } from './code-budget.js'
import type { Enrollment } from './enrollment.js'
import type { MfaEvents } from './events.js'
import type { MfaSettings } from './options.js'
import type { RememberedDevices } from './remembered-devices.js'
import type { IsRequired } from './requirement.js'
import { newTotpSecret, otpauthUri } from './totp.js'

/** A secret to enroll with. */
export interface Setup {
  readonly secret: string
  readonly otpauth_uri: string
}

/**
 * A secret as the user's authenticator app needs it. The account is named by the email, else by the
 * username, else by the id.
 */
export const createSetupOf =
  (users: Users, issuer: string) =>
  (user: Row, secret: string): Setup => {
    const { id, email, username } = accountView(users, user)
    return { secret, otpauth_uri: otpauthUri(issuer, email ?? username ?? String(id), secret) }
  }

interface Dependencies {
  readonly settings: MfaSettings
  readonly enrollment: Enrollment
  readonly challenges: Challenges
  /** Null if no browser is remembered. */
  readonly remembered: RememberedDevices | null
  readonly isRequired: IsRequired
  readonly setupOf: (user: Row, secret: string) => Setup
  readonly deviceIdOf: (request: FastifyRequest) => string | null
  readonly events: MfaEvents
  readonly signIns: SignIns
  readonly budget: CodeBudget
}

/** Decides which sign-ins need a second factor, and issues their challenges. */
export function createSecondFactor({
  settings,
  enrollment,
  challenges,
  remembered,
  isRequired,
  setupOf,
  deviceIdOf,
  events,
  signIns,
  budget,
}: Dependencies): SecondFactor {
  /** The sign-in without the options that its transport doesn't use. */
  const prepared = ({ rememberMe, scopes, metadata, ...signIn }: PendingSignIn): PendingSignIn => ({
    ...signIns.transports.get(signIn.transport)?.prepare({ rememberMe, scopes, metadata }),
    ...signIn,
  })

  return {
    isEnrolled: enrollment.isEnrolled,
    async guardsProviders(user) {
      if (!settings.afterProviders) return false
      if (enrollment.isEnrolled(user)) return true
      return (await hasPasskey(signIns, user)) && isRequired(user, 'session')
    },

    async needsPasskey(user) {
      if (enrollment.isEnrolled(user)) return false
      for (const transport of signIns.transports.keys())
        if (await isRequired(user, transport)) return true
      return false
    },

    async challenge(request, user, signIn) {
      const methods = checkMethods(signIn.amr)
      if (methods.includes('mfa')) return null
      if (methods.includes('oauth') && !settings.afterProviders) return null
      const isEnrolled = enrollment.isEnrolled(user)
      const needsCode = isEnrolled
        ? !remembered?.has(request, user)
        : await isRequired(user, signIn.transport)
      if (!needsCode) return null
      // Whoever has a passkey already has a second factor, and sets up no other one here. Each
      // challenge has a secret of its own. Otherwise a password thief could learn the secret that
      // the owner confirms.
      const secret = isEnrolled || (await hasPasskey(signIns, user)) ? null : newTotpSecret()
      const challenge = await challenges.begin(user, {
        device: deviceIdOf(request),
        secret,
        signIn: { ...prepared(signIn), amr: methods },
      })
      return {
        mfa_required: true,
        challenge,
        expires_in: settings.challengeSeconds,
        ...(secret !== null && { setup: setupOf(user, secret) }),
      }
    },

    async verifyOneTimeCode(user, code, request) {
      const used = await budget.judge(request, user, () =>
        enrollment.use(user, code, { takesRecoveryCode: false }),
      )
      if (!used) await events.failed(user, 'sudo', request)
      return used !== null
    },
  }
}
