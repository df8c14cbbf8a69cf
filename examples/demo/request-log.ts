import { randomBytes } from 'node:crypto'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { redact, redactUrl } from './redact.js'

/** A request and its response, without secrets. Bodies of requests are never kept. */
interface LoggedRequest {
  readonly id: number
  readonly at: string
  readonly method: string
  readonly url: string
  readonly status: number
  readonly milliseconds: number
  /** Code of an error. */
  readonly code: string | null
  /** The JSON that was sent. Null for redirects and pages. */
  readonly body: unknown
}

const maxRequests = 100
const maxBrowsers = 50
/** Longer responses are not shown. In characters. */
const maxBody = 8192

/** Finds the id of the browser, which the pages have set. API clients have none. */
function browserOf(request: FastifyRequest, cookie: string): string | undefined {
  const pairs = request.headers.cookie?.split('; ') ?? []
  return pairs.find((pair) => pair.startsWith(`${cookie}=`))?.slice(cookie.length + 1)
}

function bodyOf(reply: FastifyReply, payload: unknown): unknown {
  const isJson = String(reply.getHeader('content-type')).startsWith('application/json')
  if (!isJson || typeof payload !== 'string' || payload === '') return null
  if (payload.length > maxBody) return 'This response is too long to be shown.'
  return redact(JSON.parse(payload))
}

/** Pages, their files and the polls of pages are no part of the API, and are not recorded. */
const isApi = ({ is404, routeOptions }: FastifyRequest): boolean =>
  !is404 && (routeOptions.schema as { hide?: boolean } | undefined)?.hide !== true

/**
 * Records the requests of each browser, and serves them to the page "Requests". They are in the
 * memory of this process. Call it before other routes are added.
 */
export function addRequestLog(app: FastifyInstance, secureCookies: boolean): void {
  const cookie = `${secureCookies ? '__Host-' : ''}demo_browser`
  const attributes = `Path=/; HttpOnly; SameSite=Lax${secureCookies ? '; Secure' : ''}`
  const browsers = new Map<string, LoggedRequest[]>()
  let lastId = 0

  const record = (browser: string, entry: LoggedRequest) => {
    const entries = browsers.get(browser) ?? []
    entries.unshift(entry)
    entries.splice(maxRequests)
    // Moved to the end, so that the first one is the browser that was away for longest.
    browsers.delete(browser)
    browsers.set(browser, entries)
    const [oldest] = browsers.keys()
    if (browsers.size > maxBrowsers && oldest !== undefined) browsers.delete(oldest)
  }

  app.addHook('onSend', async function recordRequest(request, reply, payload) {
    const browser = browserOf(request, cookie)
    const isPage = String(reply.getHeader('content-type')).startsWith('text/html')
    if (browser === undefined && isPage)
      reply.header(
        'set-cookie',
        `${cookie}=${randomBytes(16).toString('base64url')}; ${attributes}`,
      )
    if (browser === undefined || !isApi(request)) return
    const body = bodyOf(reply, payload)
    const { code } = (body ?? {}) as { code?: unknown }
    lastId += 1
    record(browser, {
      id: lastId,
      at: new Date().toISOString(),
      method: request.method,
      url: redactUrl(request.url),
      status: reply.statusCode,
      milliseconds: Math.round(reply.elapsedTime),
      code: typeof code === 'string' && reply.statusCode >= 400 ? code : null,
      body,
    })
  })

  app.register(async function requestLog(scope) {
    scope.addHook('onRequest', async function noStore(_request, reply) {
      reply.header('cache-control', 'no-store')
    })
    const options = { schema: { hide: true }, logLevel: 'warn' } as const
    scope.get('/requests/log', options, async (request) => {
      return browsers.get(browserOf(request, cookie) ?? '') ?? []
    })
    scope.delete('/requests/log', options, async (request) => {
      browsers.delete(browserOf(request, cookie) ?? '')
      return []
    })
  })
}
