import type { FastifyInstance, RouteOptions } from 'fastify'
import { ErrorBody } from '../../schemas/common.js'
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

/** Swagger reads JSON Schema only; what another type provider brings (a Zod object) is its own transform's business. */
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

const errorResponses = (errors: Readonly<Record<number, string>>) =>
  Object.fromEntries(
    Object.entries(errors).map(([status, description]) => [status, { ...ErrorBody, description }]),
  )

/** Documents the plugin's routes, and the app's wherever one of the gates guards them. */
export function documentRoutes(
  app: FastifyInstance,
  transports: readonly Transport[],
  csrf: boolean,
): void {
  const schemes = schemesOf(transports, csrf)

  const securityOf = (names: readonly string[], unsafe: boolean): Security[] =>
    names
      .filter((name) => schemes[name])
      .map((name) =>
        name === 'session' && unsafe && schemes.csrf ? { session: [], csrf: [] } : { [name]: [] },
      )

  const describe = (route: RouteOptions, schema: Schema, documented: Schema): Transform => {
    const previous = (route.config as { swaggerTransform?: Transform } | undefined)
      ?.swaggerTransform
    return (input) => {
      const { openapiObject } = input
      if (openapiObject) {
        openapiObject.components ??= {}
        openapiObject.components.securitySchemes = {
          ...schemes,
          ...openapiObject.components.securitySchemes,
        }
      }
      const inner = previous ? previous(input) : { schema: input.schema ?? schema }
      // Swagger documents a 200 of its own accord only where a route documents no answer at all.
      const own = (inner.schema?.response as Schema | undefined) ?? {
        200: { description: 'Default Response' },
      }
      const response = { ...(documented.response as Schema), ...own }
      return {
        ...inner,
        url: inner.url ?? input.url,
        schema: { ...documented, ...inner.schema, response },
      }
    }
  }

  let unseen = false
  app.addHook('onRoute', function documentRoute(route) {
    const docs = (route.config as { [kRouteDocs]?: RouteDocs } | undefined)?.[kRouteDocs]
    if (docs && !app.hasDecorator('swagger')) unseen = true
    const gates = docs ? [] : gatesOf(route)
    const schema = route.schema as Schema | undefined
    if (!docs && (gates.length === 0 || !isPlain(schema))) return
    const methods = [route.method].flat()
    const unsafe = methods.some((method) => !['GET', 'HEAD', 'OPTIONS'].includes(method))
    const all = transports.map(({ name }) => name)

    let documented: Schema
    if (docs) {
      const names = docs.auth === 'session' ? ['session'] : all
      documented = {
        security: docs.auth === 'none' ? [] : securityOf(names, unsafe && docs.csrf !== false),
        response: errorResponses({ ...(unsafe && bodyErrors), ...docs.errors }),
        ...(docs.form && { consumes: ['application/x-www-form-urlencoded', 'application/json'] }),
      }
    } else {
      const narrowed = gates.find(({ transport }) => transport !== undefined)?.transport
      const asked = narrowed === undefined ? all : [narrowed]
      const security = securityOf(asked, unsafe)
      const open = gates.every(({ optional }) => optional)
      const forbids =
        gates.some((gate) => gate.forbids) || security.some((needed) => 'csrf' in needed)
      documented = {
        security: open ? [...security, {}] : security,
        response: errorResponses({
          ...(open ? {} : { 401: 'Nobody is signed in' }),
          // A cookie that was tampered with is none; a token, or what else a transport of the app's takes, is refused.
          ...(open && asked.some((name) => name !== 'session')
            ? { 401: 'The credential was tampered with' }
            : {}),
          ...(forbids
            ? { 403: 'Not allowed for this principal, or the CSRF token is missing or wrong' }
            : {}),
        }),
      }
    }
    // Replaced, never changed in place: apps share schema and config objects between routes.
    const config: object = {
      ...route.config,
      swaggerTransform: describe(route, schema ?? {}, documented),
    }
    route.config = config as NonNullable<typeof route.config>
  })

  app.addHook('onReady', async function checkSwaggerOrder() {
    if (unseen && app.hasDecorator('swagger')) {
      app.log.warn(
        'fastify-crudauth: @fastify/swagger was registered after it, so the OpenAPI document lacks its routes; register it first',
      )
    }
  })
}
