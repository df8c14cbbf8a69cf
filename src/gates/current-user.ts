import type { FastifyRequest } from 'fastify'
import { readMethods } from '../core/principal/methods.js'
import {
  ForbiddenError,
  InsufficientScopeError,
  InternalError,
  MfaRequiredError,
  NotVerifiedError,
  UnauthenticatedError,
} from '../errors.js'
import {
  checkBoolean,
  checkFunction,
  checkObject,
  checkStrings,
  describe,
  fail,
} from '../lib/option-checks.js'
import type { AnyGate } from '../ports/fastify.js'
import type { Principal } from '../ports/transport.js'
import { authenticate, setPrincipal, stateOf } from './authenticate.js'
import { createGate } from './gate.js'

/** Options of `currentUser()`. */
export interface CurrentUserOptions {
  /**
   * Lets anonymous requests pass. `request.maybePrincipal` is then null.
   * @defaultValue `false`
   */
  readonly optional?: boolean | undefined
  /**
   * Lets only superusers pass.
   * @defaultValue `false`
   */
  readonly superuser?: boolean | undefined
  /**
   * Lets only accounts pass whose recovery field is verified (or whose email is, where there is no
   * recovery field).
   * @defaultValue `false`
   */
  readonly verified?: boolean | undefined
  /**
   * Lets only principals pass whose sign-in had two factors: `principal.amr` includes `mfa`.
   * @defaultValue `false`
   */
  readonly mfa?: boolean | undefined
  /**
   * Scopes that the principal must have, all of them.
   * @defaultValue `[]`
   */
  readonly scopes?: readonly string[] | undefined
  /**
   * Accepts credentials of this transport, or of these, only.
   * @defaultValue all transports
   */
  readonly transport?: string | readonly string[] | undefined
  /**
   * Your own rule: `(principal, request) => boolean`. Only `true` passes. Errors that it throws are
   * returned to the client.
   * @defaultValue none
   */
  readonly check?:
    | ((principal: Principal, request: FastifyRequest) => boolean | Promise<boolean>)
    | undefined
}

const optionNames = ['optional', 'superuser', 'verified', 'mfa', 'scopes', 'transport', 'check']

async function judge(
  principal: Principal,
  options: CurrentUserOptions,
  request: FastifyRequest,
): Promise<void> {
  if (options.superuser && !principal.isSuperuser) throw new ForbiddenError()
  if (options.verified) {
    const verified =
      stateOf(request).recovery === null ? principal.emailVerified : principal.recoveryVerified
    if (!verified) throw new NotVerifiedError()
  }
  if (options.mfa && !readMethods(principal.amr).includes('mfa')) throw new MfaRequiredError()
  if (options.scopes && !principal.hasScopes(...options.scopes)) throw new InsufficientScopeError()
  if (options.check && (await options.check(principal, request)) !== true)
    throw new ForbiddenError()
}

/**
 * Builds a hook that lets authenticated requests pass and sets `request.principal`. Use it as
 * `onRequest`, `preValidation` or `preHandler`. It finds the configuration through
 * `request.server`, and fails closed on an instance without the plugin.
 * @throws CRUDAUTH_CONFIG at once for invalid options
 * @example
 * app.get('/dashboard', { preHandler: currentUser() }, async ({ principal }) => ({
 *   id: principal.userId,
 * }))
 * app.get('/reports', { preHandler: currentUser({ scopes: ['reports:read'] }) }, handler)
 */
export function currentUser(options: CurrentUserOptions = {}): AnyGate {
  checkObject('currentUser', options, optionNames)
  const optional = checkBoolean('currentUser.optional', options.optional, false)
  const superuser = checkBoolean('currentUser.superuser', options.superuser, false)
  const verified = checkBoolean('currentUser.verified', options.verified, false)
  const mfa = checkBoolean('currentUser.mfa', options.mfa, false)
  const scopes = checkStrings('currentUser.scopes', options.scopes, [])
  const check = checkFunction('currentUser.check', options.check)
  const transports = options.transport === undefined ? undefined : [options.transport].flat()
  const isName = (name: unknown) => typeof name === 'string' && name !== ''
  if (transports && (transports.length === 0 || !transports.every(isName))) {
    fail(
      `"currentUser.transport" must be the name of a transport, or several, got ${describe(options.transport)}`,
    )
  }
  const rules = { superuser, verified, mfa, scopes, ...(check && { check }) }
  const forbids = superuser || verified || mfa || scopes.length > 0 || check !== undefined

  return createGate('currentUser', { optional, transports, scopes, forbids }, async (request) => {
    const known = stateOf(request).transports
    const unknown = transports?.find((name) => !known.some((transport) => transport.name === name))
    if (unknown !== undefined) {
      throw new InternalError(
        `The gate of this route asks for the transport "${unknown}", which is not configured`,
      )
    }
    const principal = await authenticate(request, transports)
    if (principal) {
      if (forbids) await judge(principal, rules, request)
      setPrincipal(request, principal)
    } else if (!optional) throw new UnauthenticatedError()
  })
}
