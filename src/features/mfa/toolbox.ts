import type { FastifyRequest } from 'fastify'
import type { SignIns } from '../../core/sign-in/complete.js'
import { transportOf } from '../../core/sign-in/complete.js'
import { assertMaySignIn } from '../../core/sign-in/may-sign-in.js'
import type { CompleteLoginOptions } from '../../core/sign-in/pending-sign-in.js'
import type { MfaChallenge, SecondFactor } from '../../core/sign-in/second-factor.js'
import type { Row, Users } from '../../core/users/users.js'
import { BadRequestError } from '../../errors.js'
import { fail } from '../../lib/option-checks.js'
import type { AnyReply, AnyRequest, RegisteredUser } from '../../ports/fastify.js'
import { type Enrollment, noFactor } from './enrollment.js'
import type { MfaEvents } from './events.js'
import type { Management } from './management.js'
import { newRecoveryCodes } from './recovery-codes.js'
import type { IsRequired } from './requirement.js'
import type { Setup } from './second-factor.js'
import type { Verification } from './verification.js'

declare module '../../core/toolbox.js' {
  interface AuthToolbox {
    /** The second factor: TOTP and recovery codes. */
    readonly mfa: MfaToolbox
  }
}

/** A new TOTP secret, for an authenticator app. */
export interface TotpSetup {
  /** Base32, to type in. */
  readonly secret: string
  /** The same as an `otpauth://` URI, for a QR code. */
  readonly otpauthUri: string
}

/** The second factor of an account. */
export interface MfaStatus {
  /** Whether the account has a second factor. */
  readonly enabled: boolean
  /** Whether the app requires one of the account. */
  readonly required: boolean
  readonly recoveryCodesRemaining: number
}

/** Which transport the question is about. */
export interface MfaContext {
  /** Default: `session` if it is configured, otherwise `bearer`. */
  readonly transport?: string | undefined
}

/**
 * The second factor: `app.crudAuth.mfa`. Pass users as rows or as `principal.user`. Methods throw
 * CRUDAUTH_CONFIG if `mfa` isn't configured, and CRUDAUTH_UNAVAILABLE (503) in an outage.
 */
export interface MfaToolbox {
  /** Whether the account has a second factor. */
  isEnrolled(user: RegisteredUser): Promise<boolean>
  /** Whether the app requires a second factor of the account, by the option `mfa.required`. */
  isRequired(user: RegisteredUser, context?: MfaContext): Promise<boolean>
  /** What `GET /mfa` returns. */
  status(user: RegisteredUser, context?: MfaContext): Promise<MfaStatus>
  /**
   * Creates a secret that waits for its first code. Verify the user first, by password for example.
   * @throws CRUDAUTH_BAD_REQUEST (400) for an account that has a second factor
   */
  beginSetup(user: RegisteredUser): Promise<TotpSetup>
  /**
   * Enrolls the account and returns its recovery codes. They can't be read again.
   * @throws CRUDAUTH_BAD_REQUEST (400) if no secret is waiting; CRUDAUTH_MFA_CODE (401)
   */
  confirmSetup(user: RegisteredUser, code: string): Promise<string[]>
  /**
   * Uses up a code from the authenticator app, or a recovery code. False for a wrong or used one.
   * Attempts aren't limited here: add a rate limit to your route.
   * @example
   * if (!(await app.crudAuth.mfa.verifyCode(request.principal.user, code))) throw new MfaCodeError()
   */
  verifyCode(user: RegisteredUser, code: string): Promise<boolean>
  /**
   * Removes the second factor without a code, for example when its owner has lost it. Verify the
   * owner first. False if the account had no factor.
   */
  disable(user: RegisteredUser): Promise<boolean>
  /**
   * Replaces the recovery codes without a code. The old ones stop working, and remembered devices
   * are asked for a code again. Verify the user first.
   * @throws CRUDAUTH_BAD_REQUEST (400) for an account without a second factor
   */
  regenerateRecoveryCodes(user: RegisteredUser): Promise<string[]>
  /**
   * Returns the response body with a challenge if the sign-in needs a second factor, otherwise null.
   * `completeLogin` calls it by itself.
   * @param user whose first factor was verified
   * @throws CRUDAUTH_FORBIDDEN (403) for a disabled account; CRUDAUTH_CONFIG for an unknown
   * transport
   */
  challenge(
    request: AnyRequest,
    user: RegisteredUser,
    options?: CompleteLoginOptions,
  ): Promise<MfaChallenge | null>
  /**
   * Finishes a sign-in like `POST /mfa/verify`, and returns its response body.
   * @throws CRUDAUTH_TOKEN_INVALID_OR_USED (400); CRUDAUTH_MFA_CODE (401); CRUDAUTH_CROSS_SITE
   * (403); CRUDAUTH_LOCKED_OUT (429)
   */
  complete(
    request: AnyRequest,
    reply: AnyReply,
    answer: {
      readonly challenge: string
      /** A one-time code, or a recovery code. */
      readonly code?: string | undefined
      /** In place of a code: what the client got from a passkey, `{ challenge_id, response }`. */
      readonly passkey?: object | undefined
      readonly rememberDevice?: boolean | undefined
    },
  ): Promise<object>
}

interface Dependencies {
  readonly users: Users
  readonly enrollment: Enrollment
  readonly isRequired: IsRequired
  readonly management: Management
  readonly verification: Verification
  readonly secondFactor: SecondFactor
  readonly setupOf: (user: Row, secret: string) => Setup
  readonly events: MfaEvents
  readonly signIns: SignIns
  readonly codeCount: number
}

/** @param services null if `mfa` isn't configured */
export function createMfaToolbox(services: Dependencies | null): MfaToolbox {
  const need = (): Dependencies => services ?? fail('"app.crudAuth.mfa" needs the option "mfa"')
  /** Reads the row again: the caller's may be outdated, or lack the columns. */
  const rowOf = (user: RegisteredUser) => need().users.presentRow(user)

  return {
    isEnrolled: async (user) => need().enrollment.isEnrolled(await rowOf(user)),
    async isRequired(user, { transport } = {}) {
      const { signIns, isRequired } = need()
      return isRequired(await rowOf(user), transport ?? transportOf(signIns))
    },
    async status(user, { transport } = {}) {
      const { management, signIns } = need()
      const status = await management.status(await rowOf(user), transport ?? transportOf(signIns))
      return {
        enabled: status.enabled,
        required: status.required,
        recoveryCodesRemaining: status.recovery_codes_remaining,
      }
    },
    async beginSetup(user) {
      const { enrollment, setupOf } = need()
      const row = await rowOf(user)
      const secret = await enrollment.begin(row)
      if (secret === null) throw new BadRequestError('The account has a second factor already')
      return { secret, otpauthUri: setupOf(row, secret).otpauth_uri }
    },
    async confirmSetup(user, code) {
      return need().management.confirm(await rowOf(user), code, null)
    },
    async verifyCode(user, code) {
      const { enrollment, events } = need()
      const used = await enrollment.use(await rowOf(user), code)
      if (used?.method === 'recovery')
        await events.recoveryCodeUsed(used.user, enrollment.remaining(used.user), null)
      return used !== null
    },
    async disable(user) {
      const { users, enrollment, events } = need()
      const row = await rowOf(user)
      // Also removes a secret that waits for its first code.
      if (!(await users.store.update(users.idOf(row), noFactor))) return false
      if (!enrollment.isEnrolled(row)) return false
      await events.disabled(users.changed(row, noFactor), null)
      return true
    },
    async regenerateRecoveryCodes(user) {
      const { enrollment, codeCount } = need()
      const { codes, stored } = newRecoveryCodes(codeCount)
      const changed = await enrollment.change(await rowOf(user), (row) =>
        enrollment.isEnrolled(row)
          ? {
              fields: ['totpSecretEncrypted', 'mfaRecoveryCodes'],
              values: enrollment.renewed({ stored })(row),
            }
          : null,
      )
      if (!changed) throw new BadRequestError('The account has no second factor')
      return codes
    },
    async challenge(request, user, options = {}) {
      const { users, secondFactor, signIns } = need()
      const row = await rowOf(user)
      assertMaySignIn(users, row)
      const transport = transportOf(signIns, options.transport)
      return secondFactor.challenge(request as FastifyRequest, row, { ...options, transport })
    },
    async complete(request, reply, { challenge, code, passkey, rememberDevice }) {
      if (typeof challenge !== 'string' || (passkey === undefined && typeof code !== 'string'))
        throw new BadRequestError('The challenge and the code must be strings')
      return need().verification.verify(request, reply, {
        challenge,
        proof: passkey === undefined ? { code: code as string } : { passkey },
        rememberDevice: rememberDevice === true,
      })
    },
  }
}
