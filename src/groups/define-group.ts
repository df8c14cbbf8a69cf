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

/** Strict whatever the app gave Fastify: nothing is coerced, filled in or dropped. */
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
 * The compilers of the groups below one registration of the plugin. Loaded when the first group is mounted: Fastify has then
 * loaded its own copies of the same packages, which takes as long as loading the rest of this one.
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

/** One route of the plugin's own. */
export interface OwnRoute {
  readonly method: 'GET' | 'POST' | 'DELETE'
  readonly url: string
  readonly schema: Readonly<Record<string, unknown>>
  readonly docs: RouteDocs
  /** For everybody, or authenticates by itself: a gate of the whole app leaves it open. */
  readonly isPublic?: boolean
  /** The query holds secrets: it is not logged, and there is no HEAD. */
  readonly hasSecretQuery?: boolean
  /** Takes `multipart/form-data` too. Only for public routes. */
  readonly takesMultipart?: boolean
  /** Run in `onRequest`, in order, before the body is read. */
  readonly before: readonly AnyGate[]
  // biome-ignore lint/suspicious/noExplicitAny: the schema decides what the handler reads
  readonly handler: (request: FastifyRequest<any>, reply: FastifyReply) => unknown
}

/** An error that nobody expected says nothing to the client; the log has its cause. */
function isExpected(error: unknown): boolean {
  const status = (error as { statusCode?: unknown } | null)?.statusCode
  return typeof status === 'number' && status >= 400 && status < 600
}

function failed(request: FastifyRequest, reply: FastifyReply, error: unknown): never {
  carryHeaders(request, reply, error)
  throw isExpected(error) ? error : new InternalError('Something went wrong', { cause: error })
}

/** What the handler has answered, before hooks of the app's had a look at it. */
const kAnswer = Symbol('crudauth.answer')
type Answered = FastifyReply & { [kAnswer]?: unknown }

function answering<H extends (request: never, reply: FastifyReply) => unknown>(handler: H): H {
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

/** As Fastify logs a request, but for its query. */
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
    onRequest: route.before.map((gate) => answering(gate)),
    handler: answering(route.handler),
    ...(route.hasSecretQuery && {
      logSerializers: { req: requestWithoutQuery },
      exposeHeadRoute: false,
    }),
  }
  app.route(options)
}

/** Marks a reply that our schema serializes. */
const kSerialized = Symbol('crudauth.serialized')
type Serialized = FastifyReply & { [kSerialized]?: true }

/** What else may come to an address whose query holds secrets: without a route it would be the app's 404, which logs it. */
function coverSecretQuery(app: FastifyInstance, url: string, methods: ReadonlySet<string>): void {
  const cover = (method: string[], path: string) =>
    app.route({
      method: method as RouteOptions['method'],
      url: path,
      // A word of @fastify/swagger's.
      schema: { hide: true } as object,
      config: { [kPublicRoute]: true } as object,
      logSerializers: { req: requestWithoutQuery },
      exposeHeadRoute: false,
      handler: answering(async () => {
        throw new NotFoundError()
      }),
    })
  // Those that the app has added, too.
  cover(
    app.supportedMethods.filter((method) => !methods.has(method)),
    url,
  )
  cover(app.supportedMethods, `${url}/*`)
}

/**
 * Makes an encapsulated plugin of a group of routes: own parsers, validator and serializer, `no-store` on every answer. It
 * can be mounted under any prefix, below an instance that has the plugin.
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
    // Puts our schema back in charge where the app has set a serializer for all replies.
    app.addHook('preSerialization', function ownSerializer(_request, reply, payload, done) {
      const serialize = reply.getSerializationFunction(String(reply.statusCode))
      // A hook of the app's has wrapped it: what it holds of ours was picked by name, and its form is the app's business.
      if (serialize && payload !== (reply as Answered)[kAnswer]) {
        reply.serializer(JSON.stringify)
        ;(reply as Serialized)[kSerialized] = true
      } else if (serialize) {
        reply.serializer(serialize as (payload: unknown) => string)
        ;(reply as Serialized)[kSerialized] = true
      }
      done(null, payload)
    })
    // A hook of the app's that throws later on is answered by another body.
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
      asPublic((scope) => coverSecretQuery(scope, url, methods))
    }
  }
  return fp(group, {
    fastify: '5.x',
    name: `fastify-crudauth-${name}`,
    encapsulate: true,
    dependencies: ['fastify-crudauth'],
  })
}
