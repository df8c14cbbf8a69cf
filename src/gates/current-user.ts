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
  /** Consults this transport alone, or these. */
  readonly transport?: string | readonly string[] | undefined
  /** The app's own rule: only `true` lets pass; what it throws is answered. */
  readonly check?:
    | ((principal: Principal, request: FastifyRequest) => boolean | Promise<boolean>)
    | undefined
}

const optionNames = ['optional', 'superuser', 'verified', 'scopes', 'transport', 'check']

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
  checkObject('currentUser', options, optionNames)
  const optional = checkBoolean('currentUser.optional', options.optional, false)
  const superuser = checkBoolean('currentUser.superuser', options.superuser, false)
  const verified = checkBoolean('currentUser.verified', options.verified, false)
  const scopes = checkStrings('currentUser.scopes', options.scopes, [])
  const check = checkFunction('currentUser.check', options.check)
  const transports = options.transport === undefined ? undefined : [options.transport].flat()
  const isName = (name: unknown) => typeof name === 'string' && name !== ''
  if (transports && (transports.length === 0 || !transports.every(isName))) {
    fail(
      `"currentUser.transport" must be the name of a transport, or several, got ${describe(options.transport)}`,
    )
  }
  const rules = { superuser, verified, scopes, ...(check && { check }) }
  const forbids = superuser || verified || scopes.length > 0 || check !== undefined

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
