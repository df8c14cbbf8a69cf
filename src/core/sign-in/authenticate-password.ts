import { BadCredentialsError, BadRequestError, OverloadedError } from '../../errors.js'
import { type CrudAuthHooks, type Emit, type LoginFailure, runBefore } from '../../events.js'
import type { Rehash } from '../credentials/rehash.js'
import type { Identity } from '../identity/identity.js'
import type { Passwords } from '../passwords/passwords.js'
import type { Row, Users } from '../users/users.js'
import type { LoginContext } from './known-device.js'
import type { CountAttempt, CountedAttempt } from './lockout.js'

/** Result of a successful password check. */
interface Authenticated {
  readonly user: Row
  /** Settle it once the session or the tokens exist, see `CompleteSignIn`. */
  readonly attempt: CountedAttempt
}

/**
 * Verifies identifier and password. Every failure does the same work, against user enumeration by
 * timing.
 */
export type Authenticate = (
  identifier: string,
  password: string,
  context: LoginContext,
) => Promise<Authenticated>

interface Dependencies {
  readonly users: Users
  readonly identity: Identity
  readonly passwords: Passwords
  readonly rehash: Rehash
  readonly countAttempt: CountAttempt
  readonly hooks: CrudAuthHooks
  readonly emit: Emit
}

export function createPasswordAuthentication({
  users,
  identity,
  passwords,
  rehash,
  countAttempt,
  hooks,
  emit,
}: Dependencies): Authenticate {
  const failureOf = (user: Row | null, ok: boolean): LoginFailure | null => {
    if (!user) return 'unknown_identifier'
    if (!passwords.isUsable(users.hashOf(user))) return 'no_password'
    if (!ok) return 'wrong_password'
    return users.isActive(user) ? null : 'inactive'
  }

  return async (identifier, password, context) => {
    const { request } = context
    if (typeof identifier !== 'string' || typeof password !== 'string') {
      throw new BadRequestError('The identifier and the password must be strings')
    }
    const found = await identity.find(identifier)
    const attempt = await countAttempt(context, identifier, found)
    const isActive = found !== null && users.isActive(found)
    const { ok, outdated } = await passwords
      .check(found ? users.hashOf(found) : null, password, isActive)
      .catch(async (error) => {
        // No password was checked, so the attempt does not count.
        if (error instanceof OverloadedError) await attempt.giveBack()
        throw error
      })
    const reason = failureOf(found, ok)
    if (reason !== null || !found) {
      await emit('onLoginFailed', { identifier, reason: reason ?? 'unknown_identifier' }, request)
      throw new BadCredentialsError()
    }
    const user = outdated ? await rehash(found, password) : found
    if (!user || !users.isActive(user)) throw new BadCredentialsError()
    await runBefore(() => hooks.onBeforeLogin?.(users.publicView(user), { request }))
    return { user, attempt }
  }
}
