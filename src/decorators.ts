import type {
  FastifyBaseLogger,
  FastifyTypeProvider,
  RawReplyDefaultExpression,
  RawRequestDefaultExpression,
  RawServerBase,
} from 'fastify'
import type { Gate } from './fastify.js'
import type { CurrentUserOptions } from './gates/current-user.js'
import type { RateLimitKey, RateLimitOption } from './gates/rate-limit.js'
import type { SessionStore } from './ports/session-store.js'
import type { Principal } from './ports/transport.js'
import type { AuthToolbox } from './toolbox.js'

declare module 'fastify' {
  interface FastifyRequest {
    /** Who is asking. Reading it on a request that no gate has let pass as somebody throws `CRUDAUTH_INTERNAL`. */
    readonly principal: Principal
    /** Who is asking, or null: for routes with an optional gate. */
    readonly maybePrincipal: Principal | null
  }

  interface FastifyInstance<
    RawServer extends RawServerBase,
    RawRequest extends RawRequestDefaultExpression<RawServer>,
    RawReply extends RawReplyDefaultExpression<RawServer>,
    Logger extends FastifyBaseLogger,
    TypeProvider extends FastifyTypeProvider,
  > {
    /** Builds a hook that lets authenticated requests pass. @throws CRUDAUTH_CONFIG on options that are none */
    currentUser(options?: CurrentUserOptions): Gate<RawServer, RawRequest, RawReply, Logger, TypeProvider>
    /** A hook that lets pass only sessions that stand in sudo. */
    requireSudo: Gate<RawServer, RawRequest, RawReply, Logger, TypeProvider>
    /** A hook that lets pass only who signed in within `freshSeconds`, or stands in sudo. */
    requireFresh: Gate<RawServer, RawRequest, RawReply, Logger, TypeProvider>
    /**
     * Builds a hook that limits an action.
     * @param limit default: the one of that name in the `rateLimits` option
     * @throws CRUDAUTH_CONFIG when there is none
     */
    rateLimit(
      action: string,
      limit?: RateLimitOption,
      options?: { readonly key?: RateLimitKey },
    ): Gate<RawServer, RawRequest, RawReply, Logger, TypeProvider>
    /** The session store in use. */
    readonly sessionStore: SessionStore
    /** The toolbox for hand-written routes. */
    readonly auth: AuthToolbox
  }
}
