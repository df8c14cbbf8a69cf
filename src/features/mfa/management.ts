import type { FastifyRequest } from 'fastify'
import type { Passwords } from '../../core/passwords/passwords.js'
import { AuthenticatedPrincipal, rowOf } from '../../core/principal/principal.js'
import type { Row, Users } from '../../core/users/users.js'
import {
  BadRequestError,
  ForbiddenError,
  FreshSignInRequiredError,
  MfaCodeError,
  UnauthenticatedError,
  WrongPasswordError,
} from '../../errors.js'
import type { Principal } from '../../ports/transport.js'
import { type Enrollment, noFactor } from './enrollment.js'
import type { MfaEvents } from './events.js'
import { newRecoveryCodes } from './recovery-codes.js'
import type { IsRequired } from './requirement.js'
import type { Setup } from './second-factor.js'

/** The second factor of a signed-in user. */
export interface Management {
  status(user: Row, transport: string): Promise<Status>
  /**
   * Creates a secret that waits for its first code.
   * @throws BadRequestError for an enrolled account; WrongPasswordError, also without a password;
   * FreshSignInRequiredError for an account that has none
   */
  setup(principal: Principal, password: string | undefined): Promise<Setup>
  /**
   * Enrolls, and returns the recovery codes.
   * @throws BadRequestError if no secret is waiting; MfaCodeError
   */
  confirm(user: Row, code: string, request: FastifyRequest | null): Promise<string[]>
  /** @throws ForbiddenError if the account must have one; BadRequestError; MfaCodeError */
  disable(principal: Principal, code: string, request: FastifyRequest): Promise<void>
  /** @throws BadRequestError if the account isn't enrolled; MfaCodeError */
  regenerate(user: Row, code: string, request: FastifyRequest): Promise<string[]>
}

interface Status {
  readonly enabled: boolean
  readonly required: boolean
  readonly recovery_codes_remaining: number
}

interface Dependencies {
  readonly users: Users
  readonly passwords: Passwords
  readonly enrollment: Enrollment
  readonly isRequired: IsRequired
  readonly setupOf: (user: Row, secret: string) => Setup
  readonly events: MfaEvents
  readonly codeCount: number
  readonly freshSeconds: number
}

const enrolledAlready = () => new BadRequestError('The account has a second factor already')
const notEnrolled = () => new BadRequestError('The account has no second factor')
const nothingPending = () => new BadRequestError('There is no setup to confirm; start one')

export function createManagement({
  users,
  passwords,
  enrollment,
  isRequired,
  setupOf,
  events,
  codeCount,
  freshSeconds,
}: Dependencies): Management {
  /** The code authorizes the change, and is used up by the same write. */
  const useFor = async (
    user: Row,
    code: string,
    request: FastifyRequest,
    further: Parameters<Enrollment['use']>[2] & object,
  ): Promise<Row> => {
    if (!enrollment.isEnrolled(user)) throw notEnrolled()
    const used = await enrollment.use(user, code, further)
    if (used) {
      if (used.method === 'recovery')
        await events.recoveryCodeUsed(used.user, enrollment.remaining(used.user), request)
      return used.user
    }
    await events.failed(user, 'management', request)
    throw new MfaCodeError()
  }

  return {
    status: async (user, transport) => ({
      enabled: enrollment.isEnrolled(user),
      required: await isRequired(user, transport),
      recovery_codes_remaining: enrollment.remaining(user),
    }),

    async setup(principal, password) {
      const user = rowOf(principal)
      if (enrollment.isEnrolled(user)) throw enrolledAlready()
      const hash = users.hashOf(user)
      // Adding a lasting credential needs a proof that a stolen session lacks.
      if (passwords.isUsable(hash)) {
        if (password === undefined || !(await passwords.check(hash, password)).ok)
          throw new WrongPasswordError()
      } else if (!AuthenticatedPrincipal.isFresh(principal, freshSeconds))
        throw new FreshSignInRequiredError()
      const secret = await enrollment.begin(user)
      if (secret !== null) return setupOf(user, secret)
      const now = await users.findById(users.idOf(user))
      throw now && enrollment.isEnrolled(now) ? enrolledAlready() : new UnauthenticatedError()
    },

    async confirm(user, code, request) {
      if (!enrollment.isPending(user)) throw nothingPending()
      const confirmed = await enrollment.confirm(user, code)
      if (!confirmed) {
        // A concurrent request may have confirmed it.
        const now = await users.findById(users.idOf(user))
        if (!now || !enrollment.isPending(now)) throw nothingPending()
        if (request) await events.failed(user, 'management', request)
        throw new MfaCodeError()
      }
      await events.enabled(confirmed.user, request)
      return confirmed.codes
    },

    async disable(principal, code, request) {
      const user = rowOf(principal)
      if (await isRequired(user, principal.transport)) throw new ForbiddenError()
      const changed = await useFor(user, code, request, { further: () => noFactor })
      await events.disabled(changed, request)
    },

    async regenerate(user, code, request) {
      const { codes, stored } = newRecoveryCodes(codeCount)
      await useFor(user, code, request, { further: enrollment.renewed({ stored }) })
      return codes
    },
  }
}
