import type { FastifyReply, FastifyRequest } from 'fastify'
import { runAfterwards, type SignIns } from '../../core/sign-in/complete.js'
import type { LoginContext } from '../../core/sign-in/known-device.js'
import type { CountAttempt } from '../../core/sign-in/lockout.js'
import { hasPasskey, type PasskeyPurpose } from '../../core/sign-in/passkey-factor.js'
import { accountView } from '../../core/users/account-view.js'
import { decodeUserId } from '../../core/users/user-id.js'
import type { Row, Users } from '../../core/users/users.js'
import { MfaCodeError, TokenInvalidOrUsedError } from '../../errors.js'
import { refuseCrossSite } from '../../http/cross-site.js'
import type { AuthenticationMethod } from '../../ports/transport.js'
import type { Challenge, Challenges } from './challenges.js'
import type { CodeBudget } from './code-budget.js'
import type { Enrollment } from './enrollment.js'
import type { MfaEvents } from './events.js'
import type { RememberedDevices } from './remembered-devices.js'
import { stepOf } from './totp.js'

/** The answer to a challenge. */
interface Answer {
  readonly challenge: string
  /** A code, or what a passkey has signed: `{ challenge_id, response }`. */
  readonly proof: { readonly code: string } | { readonly passkey: unknown }
  readonly rememberDevice?: boolean | undefined
}

/** The second step of a sign-in. */
export interface Verification {
  /**
   * The live challenge of a token, for the browser that it was issued to.
   * @throws TokenInvalidOrUsedError
   */
  find(request: FastifyRequest, token: string): Promise<Challenge>
  /**
   * The account of a challenge.
   * @throws TokenInvalidOrUsedError if something has changed in it that ends the challenge
   */
  accountOf(challenge: Challenge): Promise<Row>
  /**
   * Finishes the sign-in and returns its response body.
   * @throws TokenInvalidOrUsedError (400), MfaCodeError (401), CrossSiteError (403),
   * LockedOutError (429), UnavailableError (503)
   */
  verify(request: FastifyRequest, reply: FastifyReply, answer: Answer): Promise<object>
}

interface Dependencies {
  readonly users: Users
  readonly enrollment: Enrollment
  readonly challenges: Challenges
  readonly remembered: RememberedDevices | null
  readonly events: MfaEvents
  readonly signIns: SignIns
  readonly countAttempt: CountAttempt
  readonly budget: CodeBudget
  readonly loginContext: (request: FastifyRequest) => LoginContext
  readonly deviceIdOf: (request: FastifyRequest) => string | null
  readonly trustedOrigins: ReadonlySet<string>
}

/** What a right code proves. */
interface Proof {
  readonly user: Row
  readonly method: AuthenticationMethod
  /** For a new factor: enrolls the account, and returns the recovery codes. */
  readonly enable: ((user: Row) => Promise<{ user: Row; codes: string[] } | null>) | null
}

export function createVerification(services: Dependencies): Verification {
  const { users, enrollment, challenges, remembered, events, signIns, trustedOrigins } = services

  const find = async (request: FastifyRequest, token: string): Promise<Challenge> => {
    const challenge = await challenges.find(token)
    if (!challenge || !signIns.transports.has(challenge.signIn.transport))
      throw new TokenInvalidOrUsedError()
    // A stolen challenge is useless in another browser, and can't use up the attempts of its owner.
    if (challenge.device !== null && challenge.device !== services.deviceIdOf(request))
      throw new TokenInvalidOrUsedError()
    return challenge
  }

  const hasFactor = async (user: Row) => enrollment.isEnrolled(user) || hasPasskey(signIns, user)

  /** The account, unless something has changed in it that ends the challenge. */
  const unchanged = async (user: Row | null, { epoch, secret }: Challenge): Promise<Row | null> =>
    user !== null &&
    users.isActive(user) &&
    users.epochOf(user) === epoch &&
    (await hasFactor(user)) === (secret === null)
      ? user
      : null

  const findUser = async ({ user }: Challenge): Promise<Row | null> => {
    const id = decodeUserId(user)
    return id === null ? null : users.findById(id)
  }

  /** Counts the attempt in every limit, before anything about the code is known. */
  const count = async (request: FastifyRequest, challenge: Challenge) => {
    const counted = [await challenges.count(challenge)]
    const giveBack = async () => {
      await Promise.all(counted.map((one) => one.giveBack()))
    }
    try {
      const user = await findUser(challenge)
      const identifier = identifierOf(users, user, challenge.signIn)
      const device = await services.loginContext(request).deviceOf(identifier, user)
      const context = { request, deviceOf: async () => device }
      counted.push(await services.countAttempt(context, identifier, user))
      // A setup shows its secret, so there is nothing to guess.
      if (user && challenge.secret === null) counted.push(await services.budget.count(user, device))
      const forgive = async () => {
        await Promise.all(counted.map((one) => one.forgive()))
      }
      return { user, giveBack, forgive }
    } catch (error) {
      await giveBack()
      throw error
    }
  }

  /** Judges the answer. Null for a wrong one. A right one is used up, unless it is for a setup. */
  const prove = async (
    request: FastifyRequest,
    user: Row,
    challenge: Challenge,
    answer: Answer['proof'],
  ): Promise<Proof | null> => {
    const { secret } = challenge
    if ('passkey' in answer) {
      const purpose = passkeyPurpose(challenge)
      const isRight =
        secret === null &&
        (await signIns.passkeys?.verify(request, user, purpose, answer.passkey)) === true
      return isRight ? { user, method: 'webauthn', enable: null } : null
    }
    if (secret === null) {
      const used = await enrollment.use(user, answer.code)
      return used && { ...used, enable: null }
    }
    const step = stepOf(secret, answer.code)
    if (step === null) return null
    return { user, method: 'otp', enable: (row) => enrollment.enable(row, secret, step) }
  }

  const establish = async (
    request: FastifyRequest,
    reply: FastifyReply,
    { signIn }: Challenge,
    proof: Proof,
  ) => {
    const enabled = await proof.enable?.(proof.user)
    // The account was enrolled by another request, or has changed.
    if (enabled === null) throw new TokenInvalidOrUsedError()
    const { body: bodyName, redirectTo, afterwards, ...options } = signIn
    const transport = signIns.transports.get(signIn.transport)
    if (!transport) throw new TokenInvalidOrUsedError()
    const amr = [...(signIn.amr ?? []), proof.method, 'mfa' as const]
    try {
      const user = await runAfterwards(signIns, request, enabled?.user ?? proof.user, afterwards)
      const established = await transport.establish(request, reply, user, { ...options, amr })
      const bodyOf = bodyName === undefined ? undefined : signIns.bodies.get(bodyName)
      return {
        user,
        body: {
          ...(bodyOf ? bodyOf(user, established) : established),
          ...(redirectTo !== undefined && { redirect_to: redirectTo }),
          ...(enabled && { recovery_codes: enabled.codes }),
        },
      }
    } catch (error) {
      // The recovery codes would reach nobody.
      if (enabled) await enrollment.undo(enabled.user)
      throw error
    }
  }

  return {
    find,
    async accountOf(challenge) {
      const user = await unchanged(await findUser(challenge), challenge)
      if (!user) throw new TokenInvalidOrUsedError()
      return user
    },

    async verify(request, reply, { challenge: token, proof: answer, rememberDevice = false }) {
      const challenge = await find(request, token)
      const { signIn, secret } = challenge
      const remembers = rememberDevice && remembered !== null
      if (signIns.transports.get(signIn.transport)?.setsCookies || remembers)
        refuseCrossSite(request, trustedOrigins)
      const { user: found, giveBack, forgive } = await count(request, challenge)
      const user = await unchanged(found, challenge).catch(rethrowAfter(giveBack))
      if (!user) {
        await giveBack()
        throw new TokenInvalidOrUsedError()
      }
      const proof = await prove(request, user, challenge, answer).catch(rethrowAfter(giveBack))
      if (!proof) {
        await events.failed(user, 'sign_in', request)
        throw new MfaCodeError()
      }
      if (proof.method === 'recovery')
        await events.recoveryCodeUsed(proof.user, enrollment.remaining(proof.user), request)
      const restore = async () => {
        await Promise.all([challenges.restore(challenge), giveBack()])
      }
      // A call that timed out may still take it. The store executes calls in order, so restoring
      // comes after that.
      if (!(await challenges.take(challenge).catch(rethrowAfter(restore))))
        throw new TokenInvalidOrUsedError()
      const done = await establish(request, reply, challenge, proof).catch(rethrowAfter(restore))
      await forgive()
      // A mark is bound to the secret of the authenticator app. Without one nothing would end it.
      if (remembers && enrollment.isEnrolled(done.user))
        remembered.remember(request, reply, done.user)
      if (secret !== null) await events.enabled(done.user, request)
      return done.body
    },
  }
}

/**
 * After a passkey that didn't verify its user, a second factor must: one key in the wrong hands must
 * not count twice.
 */
export const passkeyPurpose = ({ key, signIn }: Challenge): PasskeyPurpose => ({
  name: 'second-factor',
  of: key,
  verifiesUser: signIn.amr?.includes('webauthn') === true,
})

/** Runs `work`, which never rejects, and then throws the error. */
const rethrowAfter =
  (work: () => Promise<void>) =>
  async (error: unknown): Promise<never> => {
    await work()
    throw error
  }

/** The identifier that the lockout counts: as it was typed, otherwise the account's own. */
function identifierOf(users: Users, user: Row | null, { identifier }: Challenge['signIn']): string {
  if (identifier !== undefined || !user) return identifier ?? ''
  const { id, email, username } = accountView(users, user)
  return email ?? username ?? String(id)
}
