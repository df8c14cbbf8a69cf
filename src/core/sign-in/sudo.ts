import type { FastifyRequest } from 'fastify'
import { shortHmac } from '../../crypto/digest.js'
import {
  BadRequestError,
  FreshSignInRequiredError,
  LockedOutError,
  OverloadedError,
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

/** Proof for entering sudo mode. */
export type SudoProof = { readonly password: string } | { readonly fresh: true }

/** Sudo mode: a session whose user has just re-entered the password. */
export interface Sudo {
  /**
   * Puts the session of the request into sudo mode. Returns when it ends.
   * @param proof the password, or `{ fresh: true }` for an account without one, right after a
   * sign-in
   * @throws CRUDAUTH_SUDO_REQUIRED (403) for other transports, with sudo off, or for `fresh` with a
   * password; CRUDAUTH_FRESH_SIGN_IN_REQUIRED (403); CRUDAUTH_WRONG_PASSWORD (401);
   * CRUDAUTH_LOCKED_OUT (429)
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
}

export function createSudo(policy: SudoPolicy | false, services: Dependencies): OwnSudo {
  const { users, passwords, counters, sessions, emit, key, freshSeconds, principalOf } = services
  const userKey = (id: UserId) => `sudo:${shortHmac(key, encodeUserId(id))}`

  return {
    async elevate(request, proof) {
      const password = (proof as { password?: unknown } | null | undefined)?.password
      const isFresh = (proof as { fresh?: unknown } | null | undefined)?.fresh === true
      if (!isFresh && typeof password !== 'string')
        throw new BadRequestError('The proof must be { password } or { fresh: true }')
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

      if (typeof password !== 'string') {
        if (passwords.isUsable(users.hashOf(user))) throw new SudoRequiredError()
        // Sudo mode doesn't count as a fresh sign-in here, so it can't renew itself.
        if (record.authenticatedAtMs + freshSeconds * 1000 <= Date.now())
          throw new FreshSignInRequiredError()
        return enterSudo()
      }

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

      const { ok } = await passwords.check(users.hashOf(user), password).catch(async (error) => {
        // No password was checked, so nothing was guessed.
        if (error instanceof OverloadedError)
          await Promise.allSettled([counters.giveBack([sessionBudget.key, userBudget.key])])
        throw error
      })
      if (!ok) {
        if (attempt.count >= policy.maxAttempts) {
          await orUnavailable(sessions.update(tag, record.handle, { sudoUntilMs: 0 }))
          AuthenticatedPrincipal.patchSession(principal, { sudoUntilMs: 0 })
        }
        throw new WrongPasswordError()
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
