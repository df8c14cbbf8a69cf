import type { FastifyRequest } from 'fastify'
import { shortHmac } from '../../crypto/digest.js'
import {
  BadRequestError,
  FreshSignInRequiredError,
  LockedOutError,
  MfaCodeError,
  SudoRequiredError,
  UnauthenticatedError,
  WrongPasswordError,
} from '../../errors.js'
import type { Emit } from '../../events.js'
import { checkInteger, checkObject } from '../../lib/option-checks.js'
import { orUnavailable, retryAfter } from '../../lib/unavailable.js'
import type { CounterStore } from '../../ports/counter-store.js'
import type { AnyRequest, RegisteredUser } from '../../ports/fastify.js'
import type { SessionStore } from '../../ports/session-store.js'
import type { Principal } from '../../ports/transport.js'
import type { UserId } from '../../ports/user-store.js'
import type { Passwords } from '../passwords/passwords.js'
import { AuthenticatedPrincipal } from '../principal/principal.js'
import { encodeUserId } from '../users/user-id.js'
import type { Users } from '../users/users.js'
import type { SignIns } from './complete.js'
import { hasPasskey } from './passkey-factor.js'

/** Sudo mode: how long it lasts and how often a password may be tried. */
export interface SudoPolicy {
  /**
   * Seconds that sudo mode lasts.
   * @defaultValue `300`
   */
  readonly windowSeconds: number
  /**
   * Wrong passwords before the lock.
   * @defaultValue `3`
   */
  readonly maxAttempts: number
  /**
   * Seconds that the lock lasts, and within which attempts count.
   * @defaultValue `900`
   */
  readonly lockoutSeconds: number
}

/**
 * Proof for entering sudo mode. `code` is a one-time code of an authenticator app. `passkey` is what
 * the client got from a passkey for the options of `app.crudAuth.passkeys.sudoOptions`.
 */
export type SudoProof =
  | { readonly password: string }
  | { readonly code: string }
  | { readonly passkey: { readonly challenge_id: string; readonly response: object } }
  | { readonly fresh: true }

/** Sudo mode: a session whose user has just re-entered the password. */
export interface Sudo {
  /**
   * Puts the session of the request into sudo mode. Returns when it ends.
   * @param proof the password, a code of the account's authenticator app, the answer of a passkey,
   * or `{ fresh: true }` for an account that has none of them, right after a sign-in
   * @throws CRUDAUTH_SUDO_REQUIRED (403) for other transports, with sudo off, for `fresh` with a
   * password, a second factor or a passkey, or for `code` or `passkey` where they aren't set up;
   * CRUDAUTH_FRESH_SIGN_IN_REQUIRED (403); CRUDAUTH_WRONG_PASSWORD and CRUDAUTH_MFA_CODE (401), the
   * latter also for a recovery code and a wrong passkey; CRUDAUTH_LOCKED_OUT (429)
   * @example
   * const until = await app.crudAuth.sudo.elevate(request, { password })
   */
  elevate(request: AnyRequest, proof: SudoProof): Promise<Date>
}

/** Adds what only the core needs. */
interface OwnSudo extends Sudo {
  /**
   * Lifts the lock of a user who has proved ownership with a message or a provider. Never rejects.
   */
  clearLockout(user: RegisteredUser): Promise<void>
}

/**
 * Attempts of all sessions of a user together, as a multiple of one session's. So a stolen session
 * can't lock out the owner's.
 */
const userCeiling = 10

interface Dependencies {
  readonly users: Users
  readonly passwords: Passwords
  readonly counters: CounterStore
  readonly sessions: SessionStore
  readonly emit: Emit
  readonly key: Buffer
  /** Seconds after a sign-in within which it counts as fresh. */
  readonly freshSeconds: number
  readonly principalOf: (request: FastifyRequest) => Principal | null
  readonly signIns: Pick<SignIns, 'secondFactor' | 'passkeys'>
}

/** The members of a proof, of whatever type the caller passed. */
function readProof(proof: unknown) {
  const { password, code, passkey, fresh } = (proof ?? {}) as Record<string, unknown>
  if (typeof password === 'string') return { password }
  if (typeof code === 'string') return { code }
  if (typeof passkey === 'object' && passkey !== null) return { passkey }
  if (fresh === true) return null
  throw new BadRequestError(
    'The proof must be { password }, { code }, { passkey } or { fresh: true }',
  )
}

export function createSudo(policy: SudoPolicy | false, services: Dependencies): OwnSudo {
  const { users, passwords, counters, sessions, emit, key, freshSeconds, principalOf, signIns } =
    services
  const userKey = (id: UserId) => `sudo:${shortHmac(key, encodeUserId(id))}`

  return {
    async elevate(request, proof) {
      const secret = readProof(proof)
      const principal = principalOf(request)
      if (!principal) throw new UnauthenticatedError()
      const session = AuthenticatedPrincipal.sessionOf(principal)
      if (!session || policy === false) throw new SudoRequiredError()
      const { tag, record } = session
      const user = AuthenticatedPrincipal.rowOf(principal)

      const enterSudo = async () => {
        const sudoUntilMs = Date.now() + policy.windowSeconds * 1000
        // False if the session was revoked in the meantime: it must not be elevated.
        if (!(await orUnavailable(sessions.update(tag, record.handle, { sudoUntilMs }))))
          throw new UnauthenticatedError()
        AuthenticatedPrincipal.patchSession(principal, { sudoUntilMs })
        const until = new Date(sudoUntilMs)
        await emit('onAfterSudo', { user, until }, request)
        return until
      }

      const { secondFactor, passkeys } = signIns
      const isEnrolled = secondFactor?.isEnrolled(user) === true
      if (secret === null) {
        if (
          passwords.isUsable(users.hashOf(user)) ||
          isEnrolled ||
          (await hasPasskey(signIns, user))
        )
          throw new SudoRequiredError()
        // Sudo mode doesn't count as a fresh sign-in here, so it can't renew itself.
        if (record.authenticatedAtMs + freshSeconds * 1000 <= Date.now())
          throw new FreshSignInRequiredError()
        return enterSudo()
      }

      if (secret.code !== undefined && !isEnrolled) throw new SudoRequiredError()
      if (secret.passkey !== undefined && !(await hasPasskey(signIns, user)))
        throw new SudoRequiredError()
      const lockMs = policy.lockoutSeconds * 1000
      const sessionBudget = {
        key: `sudo:${shortHmac(key, `session ${record.handle}`)}`,
        maxAttempts: policy.maxAttempts,
        ...{ windowMs: lockMs, lockMs, maxLockMs: lockMs },
      }
      const userBudget = {
        ...sessionBudget,
        key: userKey(principal.userId),
        maxAttempts: userCeiling * policy.maxAttempts,
      }
      const results = await orUnavailable(counters.attempt([sessionBudget, userBudget]))
      const [attempt] = results
      const retryMs = attempt ? Math.max(...results.map((result) => result.retryMs)) : 1000
      if (!attempt || retryMs > 0) throw retryAfter(new LockedOutError(), retryMs / 1000)

      const judge = async () => {
        if (secret.password !== undefined)
          return (await passwords.check(users.hashOf(user), secret.password)).ok
        if (secret.code !== undefined)
          return secondFactor?.verifyOneTimeCode(user, secret.code, request)
        const purpose = { name: 'sudo', of: record.handle } as const
        return passkeys?.verify(request as FastifyRequest, user, purpose, secret.passkey)
      }
      const ok = await judge().catch(async (error) => {
        // Nothing was compared, so nothing was guessed.
        await Promise.allSettled([counters.giveBack([sessionBudget.key, userBudget.key])])
        throw error
      })
      if (!ok) {
        if (attempt.count >= policy.maxAttempts) {
          await orUnavailable(sessions.update(tag, record.handle, { sudoUntilMs: 0 }))
          AuthenticatedPrincipal.patchSession(principal, { sudoUntilMs: 0 })
        }
        if (secret.passkey !== undefined)
          await emit('onMfaFailed', { user, purpose: 'sudo' }, request as FastifyRequest)
        throw secret.password === undefined ? new MfaCodeError() : new WrongPasswordError()
      }
      await orUnavailable(
        Promise.all([counters.forgive([sessionBudget.key]), counters.giveBack([userBudget.key])]),
      )
      return enterSudo()
    },

    async clearLockout(user) {
      await Promise.allSettled([counters.forgive([userKey(users.idOf(user))])])
    },
  }
}

export function resolveSudo(options: Partial<SudoPolicy> | false = {}) {
  if (options === false) return false
  checkObject('sudo', options, ['windowSeconds', 'maxAttempts', 'lockoutSeconds'])
  return {
    windowSeconds: checkInteger('sudo.windowSeconds', options.windowSeconds, 300, 1, 86_400),
    maxAttempts: checkInteger('sudo.maxAttempts', options.maxAttempts, 3, 1, 1000),
    lockoutSeconds: checkInteger('sudo.lockoutSeconds', options.lockoutSeconds, 900, 1),
  }
}
