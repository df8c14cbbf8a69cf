import type { FastifyRequest } from 'fastify'
import type { Row } from '../users/users.js'
import type { PendingSignIn } from './pending-sign-in.js'

/** Response of a sign-in that needs a second factor. Nothing in it authenticates. */
export interface MfaChallenge {
  readonly mfa_required: true
  /** Secret for `POST /mfa/verify`. */
  readonly challenge: string
  /** Seconds. */
  readonly expires_in: number
  /** For an account that must enroll first. */
  readonly setup?: { readonly secret: string; readonly otpauth_uri: string }
}

/** The second factor, as sign-in and sudo mode see it. The feature that provides it registers it. */
export interface SecondFactor {
  isEnrolled(user: Row): boolean
  /**
   * Whether a sign-in with a provider must not change the account before the second factor.
   * @throws UnavailableError if that can't be decided
   */
  guardsProviders(user: Row): Promise<boolean>
  /**
   * Whether the account must have a second factor for any transport, and has none but passkeys.
   * @throws UnavailableError if that can't be decided
   */
  needsPasskey(user: Row): Promise<boolean>
  /**
   * Decides whether a sign-in whose first factor was verified needs a second one. Returns the
   * challenge, or null to go on.
   * @throws UnavailableError if that can't be decided: nobody is signed in
   */
  challenge(request: FastifyRequest, user: Row, signIn: PendingSignIn): Promise<MfaChallenge | null>
  /**
   * Uses up a one-time code of an authenticator app. False for a wrong or used one, and for a
   * recovery code.
   */
  verifyOneTimeCode(user: Row, code: string, request: FastifyRequest): Promise<boolean>
}

export const isMfaChallenge = (body: object): body is MfaChallenge =>
  (body as Partial<MfaChallenge>).mfa_required === true
