import type { FastifyRequest } from 'fastify'
import { updateIfUnchanged } from '../../core/credentials/update-if-unchanged.js'
import type { Redeem } from '../../core/one-time-tokens/redeem.js'
import type { Row, Users } from '../../core/users/users.js'
import type { Emit } from '../../events.js'
import type { FactorMessages } from './factor-messages.js'
import type { Factor } from './recovery-factor.js'

interface Dependencies {
  readonly users: Users
  readonly emit: Emit
  readonly factor: Factor
  readonly messages: FactorMessages
  readonly redeem: Redeem
}

/** Verification of the recovery field. */
export interface Verification {
  /**
   * Sends a verification token, if there is a recipient. The response is the same either way, which
   * prevents user enumeration.
   */
  request(request: FastifyRequest, value: string, redirectTo?: string): void
  /** Like `request`, for an account that was just created. */
  requestFor(request: FastifyRequest, user: Row): void
  /**
   * Marks the field verified. Returns the path where the page continues.
   * @throws TokenInvalidOrUsedError
   */
  confirm(request: FastifyRequest, token: string): Promise<string | undefined>
}

export function createVerification({
  users,
  emit,
  factor,
  messages,
  redeem,
}: Dependencies): Verification {
  const { field, verifiedField } = factor
  return {
    request: (request, value, redirectTo) =>
      messages.request(request, 'verify_email', value, () => factor.find(value), redirectTo),

    requestFor(request, user) {
      const value = factor.read(user)
      if (verifiedField === null || value === null) return
      messages.request(request, 'verify_email', value, async () => user)
    },

    async confirm(request, token) {
      const { redirectTo } = await redeem('verify', token, {
        isStillValid: (user, claim) =>
          factor.read(user) === claim.value && verifiedField !== null && !factor.isVerified(user),
        async work(user, claim) {
          const fields = [field, verifiedField as string]
          const verified = await updateIfUnchanged(users, user, fields, () => ({
            [verifiedField as string]: true,
          }))
          if (!verified) return null
          await emit('onAfterRecoveryVerified', { user: verified, factor: field }, request)
          return { redirectTo: claim.redirectTo }
        },
      })
      return redirectTo
    },
  }
}
