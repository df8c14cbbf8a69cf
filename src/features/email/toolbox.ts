import type { Users } from '../../core/users/users.js'
import { BadRequestError } from '../../errors.js'
import { loadUser } from '../../gates/load-user.js'
import { redirectTarget } from '../../http/redirect-path.js'
import { fail } from '../../lib/option-checks.js'
import type { DeliveryJob } from '../../ports/delivery-channel.js'
import type { AnyRequest } from '../../ports/fastify.js'
import type { EmailPart } from './routes.js'

declare module '../../core/toolbox.js' {
  interface AuthToolbox {
    /** Verification, password reset and change of address. */
    readonly recovery: RecoveryToolbox
  }
}

/** Where a page goes on after its link was followed. */
export interface RedirectOption {
  /** A path of the same origin, which comes back from the confirmation; anything else is dropped. */
  readonly redirectTo?: string | undefined
}

/**
 * `app.crudAuth.recovery`: what the routes of the `email` group do, for hand-written ones. The requests never tell whether there
 * is somebody to write to, and send off the path of the answer. Every method throws CRUDAUTH_CONFIG without delivery, or
 * without a recovery factor; those that redeem throw CRUDAUTH_TOKEN_INVALID_OR_USED (400), and CRUDAUTH_UNAVAILABLE (503), which
 * keeps the token.
 */
export interface RecoveryToolbox {
  /** Sends a link that verifies the recovery factor. @throws CRUDAUTH_BAD_REQUEST for what is no value of the factor */
  requestVerification(request: AnyRequest, factor: string, options?: RedirectOption): void
  confirmVerification(request: AnyRequest, token: string): Promise<RedirectOption>
  /** Sends a link that sets a password. @throws CRUDAUTH_BAD_REQUEST for what is no value of the factor */
  requestPasswordReset(request: AnyRequest, factor: string, options?: RedirectOption): void
  /** Sets the password, ends every session and all tokens. @throws CRUDAUTH_BAD_REQUEST for a password that is not acceptable */
  resetPassword(request: AnyRequest, token: string, password: string): Promise<RedirectOption>
  /**
   * Sends a link that moves the signed-in account to another address. The request must be authenticated, and limited: each
   * call is a guess at the password.
   * @throws CRUDAUTH_BAD_REQUEST for no address, the present one, or a wrong password; CRUDAUTH_CONFIG where users have no email
   */
  requestEmailChange(
    request: AnyRequest,
    email: string,
    password: string,
    options?: RedirectOption,
  ): Promise<void>
  /** @throws CRUDAUTH_DUPLICATE (409) when the address was taken meanwhile */
  confirmEmailChange(request: AnyRequest, token: string): Promise<RedirectOption>
  revertEmailChange(request: AnyRequest, token: string): Promise<void>
  /**
   * Delivers a job that was given to `delivery.enqueue`, once. What has expired, or whose user is gone, is dropped.
   * @throws the channel's error, without its secrets: the queue tries again, unless it is `permanent`
   */
  deliver(job: DeliveryJob): Promise<void>
}

const text = (name: string, value: unknown): string => {
  if (typeof value !== 'string') throw new BadRequestError(`The ${name} must be a string`)
  return value
}

/**
 * @param part null without delivery, and without a recovery factor
 * @param deliver null where nothing can be sent
 */
export function createRecoveryToolbox(
  users: Users,
  recoveryField: string | null,
  part: EmailPart | null,
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
    revertEmailChange: async (request, token) => needChange().revert(request, text('token', token)),
    deliver: async (job) =>
      (
        deliver ??
        fail('"app.crudAuth.recovery.deliver" needs a way to send: set "email" or "channels"')
      )(job),
  }
}
