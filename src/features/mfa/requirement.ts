import type { FastifyBaseLogger } from 'fastify'
import type { Row, Users } from '../../core/users/users.js'
import { unavailableError } from '../../lib/unavailable.js'
import type { MfaSettings } from './options.js'

/**
 * Whether the app requires a second factor of the account. Fails closed: an error isn't a "no".
 * @throws UnavailableError if the app's function throws or returns no boolean
 */
export type IsRequired = (user: Row, transport: string) => Promise<boolean>

export const createIsRequired =
  (users: Users, required: MfaSettings['required'], log: FastifyBaseLogger): IsRequired =>
  async (user, transport) => {
    if (typeof required === 'boolean') return required
    try {
      const result: unknown = await required(users.publicView(user), { transport })
      if (typeof result === 'boolean') return result
      throw new TypeError('"mfa.required" must return true or false')
    } catch (err) {
      log.error({ err }, 'could not decide whether an account needs a second factor')
      throw unavailableError(err)
    }
  }
