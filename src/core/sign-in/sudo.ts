import type { FastifyRequest } from 'fastify'
import { shortHmac } from '../../crypto/digest.js'
import {
  BadRequestError,
  LockedOutError,
  SudoRequiredError,
  UnauthenticatedError,
  WrongPasswordError,
} from '../../errors.js'
import type { Emit } from '../../events.js'
import { checkInteger, checkObject } from '../../lib/option-checks.js'
import { orUnavailable, retryAfter } from '../../lib/unavailable.js'
import type { CounterStore } from '../../ports/counter-store.js'
import type { AnyRequest } from '../../ports/fastify.js'
import type { SessionStore } from '../../ports/session-store.js'
import type { Principal } from '../../ports/transport.js'
import type { Passwords } from '../passwords/passwords.js'
import { AuthenticatedPrincipal } from '../principal/principal.js'
import { encodeUserId } from '../users/user-id.js'
import type { Users } from '../users/users.js'

/** How long an elevation lasts and what guessing costs. */
export interface SudoPolicy {
  /** Seconds of elevation. Default 300. */
  readonly windowSeconds: number
  /** Wrong passwords before the lock. Default 3. */
  readonly maxAttempts: number
  /** Seconds of the lock, and of the window in which attempts count. Default 900. */
  readonly lockoutSeconds: number
}

/** Sudo mode: a session that has just proved its password again. */
export interface Sudo {
  /**
   * Elevates the request's session when the password is right; returns the end of the elevation.
   * @throws SudoRequiredError (403) for principals that are not sessions, or with sudo off; WrongPasswordError (401);
   * LockedOutError (429)
   */
  elevate(request: AnyRequest, password: string): Promise<Date>
}

interface Dependencies {
  readonly users: Users
  readonly passwords: Passwords
  readonly counters: CounterStore
  readonly sessions: SessionStore
  readonly emit: Emit
  readonly key: Buffer
  readonly principalOf: (request: FastifyRequest) => Principal | null
}

export function createSudo(policy: SudoPolicy | false, services: Dependencies): Sudo {
  const { users, passwords, counters, sessions, emit, key, principalOf } = services

  return {
    async elevate(request, password) {
      if (typeof password !== 'string') throw new BadRequestError('The password must be a string')
      const principal = principalOf(request)
      if (!principal) throw new UnauthenticatedError()
      const session = AuthenticatedPrincipal.sessionOf(principal)
      if (!session || policy === false) throw new SudoRequiredError()
      const { tag, record } = session

      const lane = {
        key: `sudo:${shortHmac(key, encodeUserId(principal.userId))}`,
        maxAttempts: policy.maxAttempts,
        windowMs: policy.lockoutSeconds * 1000,
        lockMs: policy.lockoutSeconds * 1000,
        maxLockMs: policy.lockoutSeconds * 1000,
      }
      const [attempt] = await orUnavailable(counters.attempt([lane]))
      if (!attempt || attempt.retryMs > 0)
        throw retryAfter(new LockedOutError(), (attempt?.retryMs ?? 1000) / 1000)

      const { ok } = await passwords.check(users.hashOf(principal.user), password)
      if (!ok) {
        if (attempt.count >= policy.maxAttempts) {
          await orUnavailable(sessions.update(tag, record.handle, { sudoUntilMs: 0 }))
          AuthenticatedPrincipal.patchSession(principal, { sudoUntilMs: 0 })
        }
        throw new WrongPasswordError()
      }
      await orUnavailable(counters.forgive([lane.key]))
      const sudoUntilMs = Date.now() + policy.windowSeconds * 1000
      // False when the session was ended meanwhile: an ended one is never elevated.
      if (!(await orUnavailable(sessions.update(tag, record.handle, { sudoUntilMs })))) {
        throw new UnauthenticatedError()
      }
      AuthenticatedPrincipal.patchSession(principal, { sudoUntilMs })
      const until = new Date(sudoUntilMs)
      await emit('onAfterSudo', { user: principal.user, until }, request)
      return until
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
