import type {
  FastifyBaseLogger,
  FastifyInstance,
  FastifyRequest,
  FastifyTypeProvider,
  RawReplyDefaultExpression,
  RawRequestDefaultExpression,
  RawServerBase,
} from 'fastify'
import { kRequestAuth, principalOf } from '../core/principal/request-principal.js'
import type { AuthToolbox } from '../core/toolbox.js'
import { InternalError } from '../errors.js'
import { fail } from '../lib/option-checks.js'
import type { Gate } from '../ports/fastify.js'
import type { SessionStore } from '../ports/session-store.js'
import type { Principal } from '../ports/transport.js'
import { type AuthState, kAuthState } from './authenticate.js'
import { type CurrentUserOptions, currentUser } from './current-user.js'
import { requireFresh, requireSudo } from './require-sudo.js'

/** Avoids `auth` and `rateLimit`, the decorators of @fastify/auth and @fastify/rate-limit. */
const decorators = [
  'crudAuth',
  'currentUser',
  'requireSudo',
  'requireFresh',
  'sessionStore',
] as const

/** @throws CRUDAUTH_CONFIG if another plugin has one of the decorators */
export function checkDecorators(app: FastifyInstance): void {
  if (app.hasDecorator(kAuthState as unknown as string)) {
    fail(
      'crudAuth is registered twice on one instance or below itself; register it once, or in sibling contexts',
    )
  }
  const taken = [
    ...decorators.filter((name) => app.hasDecorator(name)),
    ...['principal', 'maybePrincipal'].filter((name) => app.hasRequestDecorator(name)),
  ]
  if (taken.length > 0) {
    fail(
      `another plugin has the decorator "${taken[0]}" already; register it in a context of its own, beside crudAuth or below it`,
    )
  }
}

interface Decorations {
  readonly authState: AuthState
  readonly sessionStore: SessionStore
  readonly toolbox: AuthToolbox
}

/** Decorates the app and its requests. The types are below. */
export function decorate(
  app: FastifyInstance,
  { authState, sessionStore, toolbox }: Decorations,
): void {
  app.decorate(kAuthState as unknown as string, authState)
  app.decorateRequest(kRequestAuth as unknown as string, null)
  app.decorateRequest('principal', {
    getter() {
      const principal = principalOf(this as FastifyRequest)
      if (principal) return principal
      throw new InternalError(
        'request.principal was read without a gate; add onRequest: app.currentUser()',
      )
    },
  })
  app.decorateRequest('maybePrincipal', {
    getter() {
      return principalOf(this as FastifyRequest)
    },
  })
  app.decorate('currentUser', currentUser as never)
  app.decorate('requireSudo', requireSudo as never)
  app.decorate('requireFresh', requireFresh as never)
  app.decorate('sessionStore', sessionStore)
  app.decorate('crudAuth', toolbox)
}

declare module 'fastify' {
  interface FastifyRequest {
    /**
     * The authenticated principal.
     * @throws CRUDAUTH_INTERNAL if no gate has authenticated the request
     */
    readonly principal: Principal
    /** The authenticated principal, or null. For routes with an optional gate. */
    readonly maybePrincipal: Principal | null
  }

  interface FastifyInstance<
    RawServer extends RawServerBase,
    RawRequest extends RawRequestDefaultExpression<RawServer>,
    RawReply extends RawReplyDefaultExpression<RawServer>,
    Logger extends FastifyBaseLogger,
    TypeProvider extends FastifyTypeProvider,
  > {
    /**
     * Builds a hook that lets authenticated requests pass.
     * @throws CRUDAUTH_CONFIG for invalid options
     */
    currentUser(
      options?: CurrentUserOptions,
    ): Gate<RawServer, RawRequest, RawReply, Logger, TypeProvider>
    /** A hook that lets only sessions in sudo mode pass. */
    requireSudo: Gate<RawServer, RawRequest, RawReply, Logger, TypeProvider>
    /** A hook that lets only users pass who signed in within `freshSeconds` or are in sudo mode. */
    requireFresh: Gate<RawServer, RawRequest, RawReply, Logger, TypeProvider>
    /** The session store in use. */
    readonly sessionStore: SessionStore
    /** The toolbox for your own routes. */
    readonly crudAuth: AuthToolbox
  }
}
