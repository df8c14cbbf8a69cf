import type {
  ContextConfigDefault,
  FastifyBaseLogger,
  FastifyReply,
  FastifyRequest,
  FastifySchema,
  FastifyTypeProvider,
  FastifyTypeProviderDefault,
  preHandlerAsyncHookHandler,
  RawReplyDefaultExpression,
  RawRequestDefaultExpression,
  RawServerBase,
  RawServerDefault,
  RouteGenericInterface,
} from 'fastify'

/**
 * Types of the app, added by declaration merging. `user` types `request.principal.user` and the
 * users in hooks.
 * @example
 * declare module 'fastify-crudauth' {
 *   interface Register { user: MyRow }
 * }
 */
// biome-ignore lint/suspicious/noEmptyInterface: merged by the app
export interface Register {}

/** A user row, as the store returns it. Typed by `Register`. */
export type RegisteredUser = Register extends { user: infer User } ? User : Record<string, unknown>

/** A hook for `onRequest`, `preValidation` and `preHandler` of any route on any Fastify server. */
export type Gate<
  RawServer extends RawServerBase = RawServerDefault,
  RawRequest extends
    RawRequestDefaultExpression<RawServer> = RawRequestDefaultExpression<RawServer>,
  RawReply extends RawReplyDefaultExpression<RawServer> = RawReplyDefaultExpression<RawServer>,
  Logger extends FastifyBaseLogger = FastifyBaseLogger,
  TypeProvider extends FastifyTypeProvider = FastifyTypeProviderDefault,
  RouteGeneric extends RouteGenericInterface = RouteGenericInterface,
  ContextConfig = ContextConfigDefault,
  SchemaCompiler extends FastifySchema = FastifySchema,
> = preHandlerAsyncHookHandler<
  RawServer,
  RawRequest,
  RawReply,
  RouteGeneric,
  ContextConfig,
  SchemaCompiler,
  TypeProvider,
  Logger
>

/** A request of any Fastify server, HTTP/1 or HTTP/2, and of any route. */
// biome-ignore lint/suspicious/noExplicitAny: the type parameters are the app's
export type AnyRequest = FastifyRequest<any, any, any, any, any, any, any>

/** A reply of any Fastify server and of any route. */
// biome-ignore lint/suspicious/noExplicitAny: the type parameters are the app's
export type AnyReply = FastifyReply<any, any, any, any, any, any, any>

/** A gate for any Fastify server and any route. */
// biome-ignore lint/suspicious/noExplicitAny: a narrower type would take part in the inference of the route's own types
export type AnyGate = (request: any, reply: any) => Promise<void>
