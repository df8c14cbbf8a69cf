import type { FastifyRequest } from 'fastify'
import type { Passwords } from '../../core/passwords/passwords.js'
import { AuthenticatedPrincipal, rowOf } from '../../core/principal/principal.js'
import type { SignIns } from '../../core/sign-in/complete.js'
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
import type { UserValues } from '../../ports/user-store.js'
import type { CodeBudget } from './code-budget.js'
import { type Enrollment, noFactor, type UsedCode } from './enrollment.js'
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
  readonly signIns: Pick<SignIns, 'transports'>
  readonly budget: CodeBudget
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
  signIns,
  budget,
}: Dependencies): Management {
  /** Uses up the code that authorizes a change, in the same write as the change. */
  const useFor = async (
    user: Row,
    code: string,
    request: FastifyRequest,
    further: (row: Row) => UserValues,
  ): Promise<UsedCode> => {
    if (!enrollment.isEnrolled(user)) throw notEnrolled()
    const used = await budget.judge(request, user, () => enrollment.use(user, code, { further }))
    if (used) return used
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
      // Required for any transport, not only this one: once the factor is gone, someone with only
      // the password could enroll at a sign-in by a transport that requires one.
      for (const transport of new Set([principal.transport, ...signIns.transports.keys()]))
        if (await isRequired(user, transport)) throw new ForbiddenError()
      const { user: changed } = await useFor(user, code, request, () => noFactor)
      await events.disabled(changed, request)
    },

    async regenerate(user, code, request) {
      const { codes, stored } = newRecoveryCodes(codeCount)
      const used = await useFor(user, code, request, enrollment.renewed({ stored }))
      // Otherwise someone who found one code could replace all codes without the owner's notice.
      if (used.method === 'recovery')
        await events.recoveryCodeUsed(used.user, codes.length, request)
      return codes
    },
  }
}
