import type { Users } from '../../core/users/users.js'
import { BadRequestError } from '../../errors.js'
import { loadUser } from '../../gates/load-user.js'
import { redirectTarget } from '../../http/redirect-path.js'
import { fail } from '../../lib/option-checks.js'
import type { DeliveryJob } from '../../ports/delivery-channel.js'
import type { AnyRequest } from '../../ports/fastify.js'
import type { EmailServices } from './routes.js'
import { undoChange } from './undo-link.js'

declare module '../../core/toolbox.js' {
  interface AuthToolbox {
    /** Verification, password reset and change of the email address. */
    readonly recovery: RecoveryToolbox
  }
}

/** Where a page continues after its link was followed. */
export interface RedirectOption {
  /** A path of the same origin, returned by the confirmation. Anything else is dropped. */
  readonly redirectTo?: string | undefined
}

/**
 * `app.crudAuth.recovery`: what the routes of the `email` group do. Requests never reveal whether
 * an account exists, and messages are sent after the response. Every method throws CRUDAUTH_CONFIG
 * without delivery or without a recovery field; `deliver` only without delivery. Methods that redeem a token throw
 * CRUDAUTH_TOKEN_INVALID_OR_USED (400), and CRUDAUTH_UNAVAILABLE (503), which keeps the token.
 */
export interface RecoveryToolbox {
  /**
   * Sends a link that verifies the recovery field.
   * @throws CRUDAUTH_EMAIL_INVALID or CRUDAUTH_PHONE_INVALID (400)
   */
  requestVerification(request: AnyRequest, factor: string, options?: RedirectOption): void
  /** Marks the recovery field verified. */
  confirmVerification(request: AnyRequest, token: string): Promise<RedirectOption>
  /**
   * Sends a link to set a new password.
   * @throws CRUDAUTH_EMAIL_INVALID or CRUDAUTH_PHONE_INVALID (400)
   */
  requestPasswordReset(request: AnyRequest, factor: string, options?: RedirectOption): void
  /**
   * Sets the password and ends all sessions and tokens.
   * @throws CRUDAUTH_PASSWORD_TOO_SHORT, CRUDAUTH_PASSWORD_TOO_COMMON or CRUDAUTH_PASSWORD_REJECTED
   * (400)
   */
  resetPassword(request: AnyRequest, token: string, password: string): Promise<RedirectOption>
  /**
   * Sends a link that changes the address of the signed-in account. Authenticate and rate-limit the
   * request: each call is a guess at the password.
   * @throws CRUDAUTH_EMAIL_INVALID, CRUDAUTH_SAME_EMAIL, CRUDAUTH_WRONG_PASSWORD or
   * CRUDAUTH_NO_PASSWORD (400); CRUDAUTH_CONFIG if users have no email
   */
  requestEmailChange(
    request: AnyRequest,
    email: string,
    password: string,
    options?: RedirectOption,
  ): Promise<void>
  /**
   * Changes the address.
   * @throws CRUDAUTH_DUPLICATE (409) if the address was taken in the meantime
   */
  confirmEmailChange(request: AnyRequest, token: string): Promise<RedirectOption>
  /** Redeems the token of a message about a change: restores the address, or removes the link. */
  revertEmailChange(request: AnyRequest, token: string): Promise<void>
  /**
   * Delivers a job that was passed to `delivery.enqueue`; one attempt. Expired messages, and those
   * of deleted users, are dropped.
   * @throws the error of the channel, without secrets: retry unless it is `permanent`
   */
  deliver(job: DeliveryJob): Promise<void>
}

const text = (name: string, value: unknown): string => {
  if (typeof value !== 'string') throw new BadRequestError(`The ${name} must be a string`)
  return value
}

/**
 * Creates `app.crudAuth.recovery`.
 * @param part null without delivery or without a recovery field
 * @param deliver null without delivery
 */
export function createRecoveryToolbox(
  users: Users,
  recoveryField: string | null,
  part: EmailServices | null,
  deliver: ((job: DeliveryJob) => Promise<void>) | null,
): RecoveryToolbox {
  const caller = loadUser({ users, recoveryField })
  const needPart = () =>
    part ??
    fail(
      '"app.crudAuth.recovery" needs a way to send ("email" or "channels") and a recovery field ("identity.recovery")',
    )
  const needChange = () =>
    needPart().emailChange ??
    fail('The user model has no "email" that could be changed; map its column')
  const answer = (redirectTo: string | undefined): RedirectOption =>
    redirectTo === undefined ? {} : { redirectTo }

  return {
    requestVerification(request, value, { redirectTo } = {}) {
      const { verification, factor } = needPart()
      if (factor.verifiedField === null)
        fail(`The user model has no "${factor.field}Verified"; map its column`)
      verification.request(
        request,
        factor.parse(text(factor.field, value)),
        redirectTarget(redirectTo),
      )
    },
    confirmVerification: async (request, token) =>
      answer(await needPart().verification.confirm(request, text('token', token))),
    requestPasswordReset(request, value, { redirectTo } = {}) {
      const { passwordReset, factor } = needPart()
      passwordReset.request(
        request,
        factor.parse(text(factor.field, value)),
        redirectTarget(redirectTo),
      )
    },
    resetPassword: async (request, token, password) =>
      answer(
        await needPart().passwordReset.confirm(
          request,
          text('token', token),
          text('password', password),
        ),
      ),
    async requestEmailChange(request, email, password, { redirectTo } = {}) {
      const change = needChange()
      await caller(request)
      await change.request(request, request.principal, {
        email: text('email', email),
        password: text('password', password),
        redirectTo: redirectTarget(redirectTo),
      })
    },
    confirmEmailChange: async (request, token) =>
      answer(await needChange().confirm(request, text('token', token))),
    async revertEmailChange(request, token) {
      const part = needPart()
      if (!part.methods.undoable) needChange()
      await undoChange(part, request, text('token', token))
    },
    deliver: async (job) =>
      (
        deliver ??
        fail('"app.crudAuth.recovery.deliver" needs a way to send: set "email" or "channels"')
      )(job),
  }
}
