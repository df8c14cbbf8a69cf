import type { FastifyRequest } from 'fastify'
import {
  ForbiddenError,
  InsufficientScopeError,
  InternalError,
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

/** Whom a gate lets pass. */
export interface CurrentUserOptions {
  /** Lets anonymous requests pass too; `request.maybePrincipal` is then null. Default false. */
  readonly optional?: boolean | undefined
  /** Superusers only. Default false. */
  readonly superuser?: boolean | undefined
  /** Only accounts whose recovery factor (or email, where there is none) is verified. Default false. */
  readonly verified?: boolean | undefined
  /** Every one of these scopes is needed. Default none. */
  readonly scopes?: readonly string[] | undefined
  /** Consults this transport alone. */
  readonly transport?: string | undefined
  /** The app's own rule: only `true` lets pass; what it throws is answered. */
  readonly check?:
    | ((principal: Principal, request: FastifyRequest) => boolean | Promise<boolean>)
    | undefined
}

const known = ['optional', 'superuser', 'verified', 'scopes', 'transport', 'check']

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
  if (options.scopes && !principal.hasScopes(...options.scopes)) throw new InsufficientScopeError()
  if (options.check && (await options.check(principal, request)) !== true)
    throw new ForbiddenError()
}

/**
 * Builds a hook that lets authenticated requests pass and sets `request.principal`: for `onRequest`, `preValidation` or
 * `preHandler`. It finds its state through `request.server`, so it refuses wherever the plugin is missing.
 * @throws CRUDAUTH_CONFIG at once on options that are none
 * @example
 * app.get('/dashboard', { preHandler: currentUser() }, async ({ principal }) => ({ id: principal.userId }))
 * app.get('/reports', { preHandler: currentUser({ scopes: ['reports:read'] }) }, handler)
 */
export function currentUser(options: CurrentUserOptions = {}): AnyGate {
  checkObject('currentUser', options, known)
  const optional = checkBoolean('currentUser.optional', options.optional, false)
  const superuser = checkBoolean('currentUser.superuser', options.superuser, false)
  const verified = checkBoolean('currentUser.verified', options.verified, false)
  const scopes = checkStrings('currentUser.scopes', options.scopes, [])
  const check = checkFunction('currentUser.check', options.check)
  const { transport } = options
  if (transport !== undefined && (typeof transport !== 'string' || transport === '')) {
    fail(`"currentUser.transport" must be the name of a transport, got ${describe(transport)}`)
  }
  const rules = { superuser, verified, scopes, ...(check && { check }) }
  const forbids = superuser || verified || scopes.length > 0 || check !== undefined

  return createGate('currentUser', { optional, transport, scopes, forbids }, async (request) => {
    if (
      transport !== undefined &&
      !stateOf(request).transports.some(({ name }) => name === transport)
    ) {
      throw new InternalError(
        `The gate of this route asks for the transport "${transport}", which is not configured`,
      )
    }
    const principal = await authenticate(request, transport)
    if (principal) {
      if (forbids) await judge(principal, rules, request)
      setPrincipal(request, principal)
    } else if (!optional) throw new UnauthenticatedError()
  })
}
