import type { FastifyInstance, RouteOptions } from 'fastify'
import { ErrorBody } from '../../schemas/common.js'
import { NotFoundError } from '../errors.js'
import { type GateInfo, gateInfo } from '../gates/gate.js'
import type { SecurityScheme, Transport } from '../ports/transport.js'

/** How a route of the plugin's own authenticates, and what it can answer beside success. */
export interface RouteDocs {
  readonly auth: 'none' | 'any' | 'session'
  /** False where a session needs no CSRF header. Default true. */
  readonly csrf?: boolean
  /** Status to what it means. */
  readonly errors: Readonly<Record<number, string>>
  /** Whether the body may be a form as well as JSON. */
  readonly form?: boolean
  /** A body is tolerated and has no meaning: it is not documented. */
  readonly hidesBody?: boolean
}

export const kRouteDocs = Symbol('crudauth.docs')

type Schema = Record<string, unknown>
type Security = Readonly<Record<string, readonly string[]>>
interface OpenapiObject {
  components?: { securitySchemes?: Record<string, unknown> }
}
interface TransformInput {
  schema?: Schema
  url: string
  openapiObject?: OpenapiObject
}
type Transform = (input: TransformInput) => {
  schema?: Schema | undefined
  url?: string | undefined
}

const csrfScheme: SecurityScheme = { type: 'apiKey', in: 'header', name: 'X-CSRF-Token' }

/** The security schemes of the transports, by name, and `csrf` where sessions need the header. */
export function schemesOf(
  transports: readonly Transport[],
  csrf: boolean,
): Record<string, SecurityScheme> {
  const schemes: Record<string, SecurityScheme> = {}
  for (const { name, securityScheme } of transports)
    if (securityScheme) schemes[name] = securityScheme
  if (csrf && schemes.session) schemes.csrf = csrfScheme
  return schemes
}

const hookNames = ['onRequest', 'preParsing', 'preValidation', 'preHandler'] as const

function gatesOf(route: RouteOptions): GateInfo[] {
  return hookNames
    .flatMap((name) => route[name] as unknown)
    .map(gateInfo)
    .filter((info) => info !== undefined)
}

/** Our answers are JSON Schema, which a transform for something else (Zod objects, classes) may not take beside its own. */
const isPlain = (schema: Schema | undefined): boolean =>
  Object.values(schema ?? {}).every(
    (part) =>
      typeof part !== 'object' ||
      part === null ||
      Array.isArray(part) ||
      Object.getPrototypeOf(part) === Object.prototype,
  )

/** What every route of the plugin's own with an unsafe verb answers to a body that it does not take, whether it asks for one or not. */
const bodyErrors = {
  400: 'Malformed body (FST_ERR_VALIDATION)',
  413: 'Body above 16 KiB (FST_ERR_CTP_BODY_TOO_LARGE)',
  415: 'Neither JSON nor a form (FST_ERR_CTP_INVALID_MEDIA_TYPE)',
}

/** What the router answers before a route with a parameter in its path is reached: without `no-store`, and by Fastify alone. */
const parameterErrors = {
  400: 'Malformed percent-encoding (FST_ERR_BAD_URL)',
  414: 'A parameter of more than 100 characters (FST_ERR_MAX_PARAM_LENGTH)',
}

const errorResponses = (errors: Readonly<Record<number, string>>) =>
  Object.fromEntries(
    Object.entries(errors).map(([status, description]) => [status, { ...ErrorBody, description }]),
  )

/**
 * Documents the plugin's routes, and the app's wherever one of the gates guards them.
 * @param hasRoutes whether any of the plugin's own is mounted
 */
export function documentRoutes(
  app: FastifyInstance,
  transports: readonly Transport[],
  csrf: boolean,
  hasRoutes: boolean,
): void {
  const schemes = schemesOf(transports, csrf)

  const securityOf = (names: readonly string[], unsafe: boolean): Security[] =>
    names
      .filter((name) => schemes[name])
      .map((name) =>
        name === 'session' && unsafe && schemes.csrf ? { session: [], csrf: [] } : { [name]: [] },
      )

  const bringSchemes = (openapiObject: OpenapiObject | undefined) => {
    if (!openapiObject) return
    openapiObject.components ??= {}
    openapiObject.components.securitySchemes = {
      ...schemes,
      ...openapiObject.components.securitySchemes,
    }
  }

  /** A transform of the plugin's own routes, whatever the app's is for: theirs are JSON Schema. */
  const describe =
    (route: RouteOptions, documented: Schema, hidesBody: boolean): Transform =>
    (input) => {
      bringSchemes(input.openapiObject)
      const { body, ...schema } = (input.schema ?? route.schema ?? {}) as Schema
      const response = { ...(documented.response as Schema), ...(schema.response as Schema) }
      return {
        url: input.url,
        schema: { ...documented, ...schema, ...(body && !hidesBody ? { body } : {}), response },
      }
    }

  const documentOwn = (route: RouteOptions, docs: RouteDocs, unsafe: boolean, all: string[]) => {
    const names = docs.auth === 'session' ? ['session'] : all
    const hidesBody = docs.hidesBody === true
    const consumes = ['application/x-www-form-urlencoded', 'application/json']
    const documented = {
      security: docs.auth === 'none' ? [] : securityOf(names, unsafe && docs.csrf !== false),
      response: errorResponses({
        ...(unsafe && bodyErrors),
        ...(route.url.includes(':') && parameterErrors),
        ...docs.errors,
      }),
      ...(docs.form && !hidesBody && { consumes }),
    }
    const config: object = {
      ...route.config,
      swaggerTransform: describe(route, documented, hidesBody),
    }
    route.config = config as NonNullable<typeof route.config>
  }

  /** What the gates of an app's route say of it. */
  const guarded = (gates: readonly GateInfo[], unsafe: boolean, all: string[]) => {
    const limited = gates.some(({ limits }) => limits) ? { 429: 'Too many requests' } : {}
    const asking = gates.filter(({ limits }) => !limits)
    if (asking.length === 0) return { response: errorResponses(limited) }
    const asked = asking.find(({ transports }) => transports !== undefined)?.transports ?? all
    const security = securityOf(asked, unsafe)
    const open = asking.every(({ optional }) => optional)
    const forbids =
      asking.some((gate) => gate.forbids) || security.some((needed) => 'csrf' in needed)
    return {
      security: open ? [...security, {}] : security,
      response: errorResponses({
        ...(open ? {} : { 401: 'Nobody is signed in' }),
        // An invalid cookie counts as absent; an invalid token, or credential of a custom transport, is refused.
        ...(open && asked.some((name) => name !== 'session')
          ? { 401: 'The credential is invalid' }
          : {}),
        ...(forbids
          ? { 403: 'Not allowed for this principal, or the CSRF token is missing or wrong' }
          : {}),
        ...limited,
      }),
    }
  }

  let unseen = false
  let broughtSchemes = false
  /**
   * Puts the schemes into the document before the first route that names one. Swagger gives its document to a route's own
   * transform alone, and the app's routes are left theirs.
   */
  const bring = () => {
    if (broughtSchemes) return
    broughtSchemes = true
    const swaggerTransform = ({ openapiObject, schema, url }: TransformInput) => {
      bringSchemes(openapiObject)
      return { schema, url }
    }
    app.route({
      method: 'GET',
      url: '/crudauth-security-schemes',
      schema: { hide: true } as object,
      config: { swaggerTransform } as object,
      exposeHeadRoute: false,
      handler: async () => {
        throw new NotFoundError()
      },
    })
  }
  /** The app's routes are described when Fastify has compiled their schemas, which this must not change. */
  const waiting: { route: RouteOptions; documented: Schema }[] = []
  app.addHook('onRoute', function documentRoute(route) {
    const docs = (route.config as { [kRouteDocs]?: RouteDocs } | undefined)?.[kRouteDocs]
    const hasSwagger = app.hasDecorator('swagger')
    const gates = docs ? [] : gatesOf(route)
    if (docs && hasSwagger) broughtSchemes = true
    if (docs && !hasSwagger) unseen = true
    if (!docs && gates.length === 0) return
    const methods = [route.method].flat()
    const unsafe = methods.some((method) => !['GET', 'HEAD', 'OPTIONS'].includes(method))
    const all = transports.map(({ name }) => name)
    if (docs) {
      documentOwn(route, docs, unsafe, all)
      return
    }
    waiting.push({ route, documented: guarded(gates, unsafe, all) })
    if (hasSwagger) bring()
  })
  if (!hasRoutes && app.hasDecorator('swagger')) bring()

  app.addHook('onReady', async function documentGuarded() {
    for (const { route, documented } of waiting) {
      const schema = (route.schema ?? {}) as Schema
      // Swagger documents a 200 of its own accord only where a route documents no answer at all.
      const own = (schema.response as Schema | undefined) ?? {
        200: { description: 'Default Response' },
      }
      const response = { ...(documented.response as Schema), ...own }
      // Replaced, never changed in place: apps share schemas between routes.
      route.schema = isPlain(schema)
        ? { ...documented, ...schema, response }
        : ({
            ...(documented.security ? { security: documented.security } : {}),
            ...schema,
          } as object)
    }
    if (unseen && app.hasDecorator('swagger')) {
      app.log.warn(
        'fastify-crudauth: @fastify/swagger was registered after it, so the OpenAPI document lacks the routes of this plugin; register it first',
      )
    }
  })
}
