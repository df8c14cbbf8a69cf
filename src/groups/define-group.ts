import type {
  FastifyInstance,
  FastifyPluginAsync,
  FastifyReply,
  FastifyRequest,
  FastifySerializerCompiler,
  RouteOptions,
} from 'fastify'
import fp from 'fastify-plugin'
import { InternalError, NotFoundError } from '../errors.js'
import { kAuthState, kPublicRoute } from '../gates/authenticate.js'
import { carryHeaders } from '../gates/gate.js'
import type { AnyGate } from '../ports/fastify.js'
import { acceptMultipart, maxBodyBytes, useOwnParsers } from './body-parsers.js'
import { kRouteDocs, type RouteDocs } from './openapi.js'

/** Strict, whatever Ajv options the app uses: nothing is coerced, filled in or removed. */
const ajvOptions = {
  customOptions: {
    coerceTypes: false,
    useDefaults: false,
    removeAdditional: false,
    allErrors: false,
    strictTypes: false,
  },
} as const

/**
 * The compilers, shared by the groups of one registration of the plugin. They are imported when the
 * first group is mounted, because that takes as long as importing the rest of the plugin. Fastify
 * has loaded the same packages by then.
 */
const compilers = new WeakMap<object, ReturnType<typeof loadCompilers>>()

async function loadCompilers() {
  const [ajv, fjs] = await Promise.all([
    import('@fastify/ajv-compiler'),
    import('@fastify/fast-json-stringify-compiler'),
  ])
  return {
    validator: ajv.default()({}, ajvOptions),
    serializer: fjs.default()({}, {}) as FastifySerializerCompiler<unknown>,
  }
}

function compilersOf(app: FastifyInstance): ReturnType<typeof loadCompilers> {
  const registration = (app as unknown as { [kAuthState]?: object })[kAuthState] ?? app
  const known = compilers.get(registration) ?? loadCompilers()
  compilers.set(registration, known)
  return known
}

/** A route of the plugin. */
export interface OwnRoute {
  readonly method: 'GET' | 'POST' | 'PATCH' | 'DELETE'
  readonly url: string
  readonly schema: Readonly<Record<string, unknown>>
  readonly docs: RouteDocs
  /** Public, or authenticates by itself. A gate of the whole app lets it pass. */
  readonly isPublic?: boolean
  /** The query contains secrets. It isn't logged, and there is no HEAD route. */
  readonly hasSecretQuery?: boolean
  /** Also accepts `multipart/form-data`. Only for public routes. */
  readonly takesMultipart?: boolean
  /** Run in `onRequest`, in order, before the body is read. */
  readonly before: readonly AnyGate[]
  // biome-ignore lint/suspicious/noExplicitAny: the schema decides what the handler reads
  readonly handler: (request: FastifyRequest<any>, reply: FastifyReply) => unknown
}

/**
 * Whether the client may see the error. Any other becomes a 500 with its cause in the log. So does
 * an `InternalError`, whose message tells developers what their app has done wrong.
 */
function isExpected(error: unknown): boolean {
  const status = (error as { statusCode?: unknown } | null)?.statusCode
  return (
    typeof status === 'number' && status >= 400 && status < 600 && !(error instanceof InternalError)
  )
}

function failed(request: FastifyRequest, reply: FastifyReply, error: unknown): never {
  carryHeaders(request, reply, error)
  throw isExpected(error) ? error : new InternalError('Something went wrong', { cause: error })
}

/** The payload of the handler, before hooks of the app can replace it. */
const kAnswer = Symbol('crudauth.answer')
type Answered = FastifyReply & { [kAnswer]?: unknown }

function withErrorHandling<H extends (request: never, reply: FastifyReply) => unknown>(
  handler: H,
): H {
  return (async (request: FastifyRequest, reply: FastifyReply) => {
    try {
      const answer = await handler(request as never, reply)
      if (typeof answer === 'object') (reply as Answered)[kAnswer] = answer
      return answer
    } catch (error) {
      return failed(request, reply, error)
    }
  }) as unknown as H
}

/** Like Fastify's serializer for logged requests, but without the query. */
const requestWithoutQuery = (request: FastifyRequest) => ({
  method: request.method,
  url: request.url?.split(/[?;]/, 1)[0],
  host: request.host,
  remoteAddress: request.ip,
  remotePort: request.socket?.remotePort,
})

function addRoute(app: FastifyInstance, route: OwnRoute): void {
  const options: RouteOptions = {
    method: route.method,
    url: route.url,
    schema: route.schema,
    bodyLimit: maxBodyBytes,
    config: {
      [kRouteDocs]: route.docs,
      ...(route.isPublic ? { [kPublicRoute]: true } : {}),
    } as object,
    onRequest: route.before.map((gate) => withErrorHandling(gate)),
    handler: withErrorHandling(route.handler),
    ...(route.hasSecretQuery && {
      logSerializers: { req: requestWithoutQuery },
      exposeHeadRoute: false,
    }),
  }
  app.route(options)
}

/** Marks a reply whose serializer we have set. */
const kSerialized = Symbol('crudauth.serialized')
type Serialized = FastifyReply & { [kSerialized]?: true }

/**
 * Adds routes for other methods and subpaths of a URL whose query contains secrets. Otherwise the
 * app's 404 handler would respond, and the query would be logged.
 */
function addFallbackRoutes(app: FastifyInstance, url: string, methods: ReadonlySet<string>): void {
  const cover = (method: string[], path: string) =>
    app.route({
      method: method as RouteOptions['method'],
      url: path,
      // `hide` is an option of @fastify/swagger.
      schema: { hide: true } as object,
      config: { [kPublicRoute]: true } as object,
      logSerializers: { req: requestWithoutQuery },
      exposeHeadRoute: false,
      handler: withErrorHandling(async () => {
        throw new NotFoundError()
      }),
    })
  // Includes methods that the app has added.
  cover(
    app.supportedMethods.filter((method) => !methods.has(method)),
    url,
  )
  cover(app.supportedMethods, `${url}/*`)
}

/**
 * Turns a group of routes into an encapsulated plugin with its own parsers, validator and
 * serializer, and with `Cache-Control: no-store` by default. It can be mounted under any prefix,
 * below an instance that has the plugin.
 */
export function defineGroup(
  name: string,
  routesOf: (app: FastifyInstance) => readonly OwnRoute[],
): FastifyPluginAsync {
  const group: FastifyPluginAsync = async (app) => {
    await useOwnParsers(app)
    const { validator, serializer } = await compilersOf(app)
    app.setValidatorCompiler(validator)
    app.setSerializerCompiler(serializer)
    app.addHook('onRequest', function noStore(_request, reply, done) {
      reply.header('cache-control', 'no-store')
      done()
    })
    // Restores the serializer of our schema if the app has set one for all replies.
    app.addHook('preSerialization', function ownSerializer(_request, reply, payload, done) {
      const serialize = reply.getSerializationFunction(String(reply.statusCode))
      // A hook of the app has replaced the payload, so our schema no longer fits. Our own fields in
      // it were picked by name and need no filter.
      if (serialize && payload !== (reply as Answered)[kAnswer]) {
        reply.serializer(JSON.stringify)
        ;(reply as Serialized)[kSerialized] = true
      } else if (serialize) {
        reply.serializer(serialize as (payload: unknown) => string)
        ;(reply as Serialized)[kSerialized] = true
      }
      done(null, payload)
    })
    // If a hook of the app throws later, our serializer doesn't fit the body of the error.
    app.addHook('onError', function appsSerializer(_request, reply, _error, done) {
      if ((reply as Serialized)[kSerialized]) reply.serializer(null as never)
      done()
    })
    const routes = routesOf(app)
    const asPublic = (add: (scope: FastifyInstance) => void) =>
      app.register(async function publicRoute(scope) {
        scope.decorate(kPublicRoute as unknown as string, true)
        add(scope)
      })
    for (const route of routes) {
      if (route.isPublic) {
        asPublic((scope) => {
          if (route.takesMultipart) acceptMultipart(scope)
          addRoute(scope, route)
        })
      } else addRoute(app, route)
    }
    const secret = routes.filter(({ hasSecretQuery }) => hasSecretQuery)
    for (const url of new Set(secret.map(({ url }) => url))) {
      const methods = new Set(
        secret.filter((route) => route.url === url).map(({ method }) => method),
      )
      asPublic((scope) => addFallbackRoutes(scope, url, methods))
    }
  }
  return fp(group, {
    fastify: '5.x',
    name: `fastify-crudauth-${name}`,
    encapsulate: true,
    dependencies: ['fastify-crudauth'],
  })
}
