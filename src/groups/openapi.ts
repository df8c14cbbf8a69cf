import type { FastifyInstance, RouteOptions } from 'fastify'
import { ErrorBody } from '../../schemas/common.js'
import { NotFoundError } from '../errors.js'
import { type GateInfo, gateInfo } from '../gates/gate.js'
import type { SecurityScheme, Transport } from '../ports/transport.js'

/** How a route of the plugin authenticates, and its error responses. */
export interface RouteDocs {
  readonly auth: 'none' | 'any' | 'session'
  /** False if a session needs no CSRF header. Default true. */
  readonly csrf?: boolean
  /** Descriptions by status code. */
  readonly errors: Readonly<Record<number, string>>
  /** Whether the body may be a form or JSON. */
  readonly form?: boolean
  /** Whether the body is ignored and therefore not documented. */
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

/** The security schemes of the transports by name, and `csrf` if sessions need the header. */
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

/**
 * Whether a schema consists of plain objects. Our responses are JSON Schema, which an app's
 * transform for other schemas (Zod objects, classes) may not accept.
 */
const isPlain = (schema: Schema | undefined): boolean =>
  Object.values(schema ?? {}).every(
    (part) =>
      typeof part !== 'object' ||
      part === null ||
      Array.isArray(part) ||
      Object.getPrototypeOf(part) === Object.prototype,
  )

/**
 * Responses to an unacceptable body, on every route of the plugin with an unsafe method, whether or
 * not it expects a body.
 */
const bodyErrors = {
  400: 'Malformed body (FST_ERR_VALIDATION)',
  413: 'Body above 16 KiB (FST_ERR_CTP_BODY_TOO_LARGE)',
  415: 'Neither JSON nor a form (FST_ERR_CTP_INVALID_MEDIA_TYPE)',
}

/**
 * Responses of Fastify's router for a path with a parameter. The route isn't reached, so they lack
 * `no-store`.
 */
const parameterErrors = {
  400: 'Malformed percent-encoding (FST_ERR_BAD_URL)',
  414: 'A parameter of more than 100 characters (FST_ERR_MAX_PARAM_LENGTH)',
}

const errorResponses = (errors: Readonly<Record<number, string>>) =>
  Object.fromEntries(
    Object.entries(errors).map(([status, description]) => [status, { ...ErrorBody, description }]),
  )

/**
 * Documents the plugin's routes, and the routes of the app that have a gate.
 * @param hasRoutes whether any routes of the plugin are mounted
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

  const addSchemes = (openapiObject: OpenapiObject | undefined) => {
    if (!openapiObject) return
    openapiObject.components ??= {}
    openapiObject.components.securitySchemes = {
      ...schemes,
      ...openapiObject.components.securitySchemes,
    }
  }

  /** The transform of the plugin's routes. The app's own may not be for JSON Schema. */
  const describe =
    (route: RouteOptions, documented: Schema, hidesBody: boolean): Transform =>
    (input) => {
      addSchemes(input.openapiObject)
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

  /** Documents a route of the app by its gates. */
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
        // An invalid session cookie counts as absent. Invalid credentials of other transports are
        // refused.
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

  let mountedWithoutSwagger = false
  let broughtSchemes = false
  /**
   * Adds the schemes to the document before the first route that refers to one. @fastify/swagger
   * passes its document only to transforms, and the app keeps its own. The schemes therefore come
   * with a hidden route.
   */
  const registerSchemesRoute = () => {
    if (broughtSchemes) return
    broughtSchemes = true
    const swaggerTransform = ({ openapiObject, schema, url }: TransformInput) => {
      addSchemes(openapiObject)
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
  /**
   * Routes of the app, documented after Fastify has compiled their schemas: what we add must not
   * affect validation.
   */
  const waiting: { route: RouteOptions; documented: Schema }[] = []
  app.addHook('onRoute', function documentRoute(route) {
    const docs = (route.config as { [kRouteDocs]?: RouteDocs } | undefined)?.[kRouteDocs]
    const hasSwagger = app.hasDecorator('swagger')
    const gates = docs ? [] : gatesOf(route)
    if (docs && hasSwagger) broughtSchemes = true
    if (docs && !hasSwagger) mountedWithoutSwagger = true
    if (!docs && gates.length === 0) return
    const methods = [route.method].flat()
    const unsafe = methods.some((method) => !['GET', 'HEAD', 'OPTIONS'].includes(method))
    const all = transports.map(({ name }) => name)
    if (docs) {
      documentOwn(route, docs, unsafe, all)
      return
    }
    waiting.push({ route, documented: guarded(gates, unsafe, all) })
    if (hasSwagger) registerSchemesRoute()
  })
  if (!hasRoutes && app.hasDecorator('swagger')) registerSchemesRoute()

  app.addHook('onReady', async function documentGuarded() {
    for (const { route, documented } of waiting) {
      const schema = (route.schema ?? {}) as Schema
      // @fastify/swagger adds a 200 only to a route that documents no response at all.
      const own = (schema.response as Schema | undefined) ?? {
        200: { description: 'Default Response' },
      }
      const response = { ...(documented.response as Schema), ...own }
      // Replaced, never mutated, because apps share schemas between routes.
      route.schema = isPlain(schema)
        ? { ...documented, ...schema, response }
        : ({
            ...(documented.security ? { security: documented.security } : {}),
            ...schema,
          } as object)
    }
    if (mountedWithoutSwagger && app.hasDecorator('swagger')) {
      app.log.warn(
        'fastify-crudauth: @fastify/swagger was registered after it, so the OpenAPI document lacks the routes of this plugin; register it first',
      )
    }
  })
}
