import AjvCompiler from '@fastify/ajv-compiler'
import FjsCompiler from '@fastify/fast-json-stringify-compiler'
import type {
  FastifyInstance,
  FastifyPluginAsync,
  FastifyReply,
  FastifyRequest,
  FastifySerializerCompiler,
  RouteOptions,
} from 'fastify'
import fp from 'fastify-plugin'
import { InternalError } from '../errors.js'
import type { AnyGate } from '../fastify.js'
import { kPublicRoute } from '../gates/authenticate.js'
import { carryHeaders } from '../gates/gate.js'
import { maxBodyBytes, useOwnParsers } from './body-parsers.js'
import { kRouteDocs, type RouteDocs } from './openapi.js'

/** Strict whatever the app gave Fastify: nothing is coerced, filled in or dropped. */
const ajvOptions = {
  customOptions: { coerceTypes: false, useDefaults: false, removeAdditional: false, allErrors: false, strictTypes: false },
} as const

/** One route of the plugin's own. */
export interface OwnRoute {
  readonly method: 'GET' | 'POST' | 'DELETE'
  readonly url: string
  readonly schema: Readonly<Record<string, unknown>>
  readonly docs: RouteDocs
  /** For everybody, or authenticates by itself: a gate of the whole app leaves it open. */
  readonly isPublic?: boolean
  /** Run in `onRequest`, in order, before the body is read. */
  readonly before: readonly AnyGate[]
  // biome-ignore lint/suspicious/noExplicitAny: the schema decides what the handler reads
  readonly handler: (request: FastifyRequest<any>, reply: FastifyReply) => Promise<unknown>
}

/** An error that nobody expected says nothing to the client; the log has its cause. */
function isExpected(error: unknown): boolean {
  const status = (error as { statusCode?: unknown } | null)?.statusCode
  return typeof status === 'number' && status >= 400 && status < 600
}

function answering<H extends (request: never, reply: FastifyReply) => Promise<unknown>>(handler: H): H {
  return (async (request: never, reply: FastifyReply) => {
    try {
      return await handler(request, reply)
    } catch (error) {
      carryHeaders(request, reply, error)
      throw isExpected(error) ? error : new InternalError('Something went wrong', { cause: error })
    }
  }) as H
}

function addRoute(app: FastifyInstance, route: OwnRoute): void {
  const options: RouteOptions = {
    method: route.method,
    url: route.url,
    schema: route.schema,
    bodyLimit: maxBodyBytes,
    config: { [kRouteDocs]: route.docs, ...(route.isPublic ? { [kPublicRoute]: true } : {}) } as object,
    onRequest: route.before.map((gate) => answering(gate)),
    handler: answering(route.handler),
  }
  app.route(options)
}

/**
 * Makes an encapsulated plugin of a group of routes: own parsers, validator and serializer, `no-store` on every answer. It
 * can be mounted by hand under any prefix, below an instance that has the plugin.
 */
export function defineGroup(name: string, routesOf: (app: FastifyInstance) => readonly OwnRoute[]): FastifyPluginAsync {
  const group: FastifyPluginAsync = async (app) => {
    useOwnParsers(app)
    app.setValidatorCompiler(AjvCompiler()({}, ajvOptions))
    app.setSerializerCompiler(FjsCompiler()({}, {}) as FastifySerializerCompiler<unknown>)
    app.addHook('onRequest', function noStore(_request, reply, done) {
      reply.header('cache-control', 'no-store')
      done()
    })
    // Puts our schema back in charge where the app has set a serializer for all replies.
    app.addHook('preSerialization', function ownSerializer(_request, reply, payload, done) {
      const serialize = reply.getSerializationFunction(String(reply.statusCode))
      if (serialize) reply.serializer(serialize as (payload: unknown) => string)
      done(null, payload)
    })
    for (const route of routesOf(app)) addRoute(app, route)
  }
  return fp(group, { fastify: '5.x', name: `fastify-crudauth-${name}`, encapsulate: true, dependencies: ['fastify-crudauth'] })
}
