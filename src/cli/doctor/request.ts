import type { FastifyInstance } from 'fastify'
import { isLoopback, isSecure } from './cookies.js'
import type { Registration } from './registrations.js'
import { nameOf, type Report } from './report.js'

/** Headers that proxies add. Fastify sends none of them. */
const proxyHeaders = [
  'via',
  'server',
  'x-served-by',
  'cf-ray',
  'x-amz-cf-id',
  'x-amzn-trace-id',
  'x-vercel-id',
  'fly-request-id',
  'x-cache',
]

/** What shows that a proxy is in front of the app. */
function proxySeen(app: FastifyInstance, url: URL, headers: Headers): string | undefined {
  const header = proxyHeaders.find((name) => headers.has(name))
  if (header !== undefined) return `its header "${header}"`
  return url.protocol === 'https:' && !app.initialConfig.https
    ? 'https ends before the app'
    : undefined
}

const addressOf = (url: URL, { mountPath }: Registration): URL => {
  const address = new URL(url)
  address.search = ''
  address.hash = ''
  address.pathname = `${url.pathname.replace(/\/$/, '')}${mountPath}/me`
  return address
}

function checkPlainHttp(report: Report, url: URL, response: Response, secure: boolean): void {
  if (url.protocol !== 'http:') return
  const location = response.headers.get('location') ?? ''
  if (/^https:/.test(location)) {
    report.add(
      'warn',
      `${url.origin} redirects to https. Check that address: --url ${url.origin.replace('http:', 'https:')}`,
    )
    return
  }
  if (isLoopback(url.hostname)) {
    if (secure)
      report.add(
        'warn',
        `Safari refuses Secure cookies over ${url.origin}; other browsers accept them on localhost. Use https, or "cookies: { secure: false }" in development.`,
      )
    return
  }
  report.add(
    'fix',
    secure
      ? `Browsers refuse the cookies over ${url.origin}, because they are Secure: signing in works, and the next request is anonymous. Serve the app over https.`
      : `${url.origin} is not encrypted. Serve the app over https.`,
  )
}

/**
 * Sends one request without credentials to the public address of the app.
 * @returns what shows that a proxy is in front of it
 */
export async function checkRequest(
  report: Report,
  registration: Registration,
  url: URL,
): Promise<string | undefined> {
  const { app, options } = registration
  const address = addressOf(url, registration)
  let response: Response
  let body: string
  try {
    response = await fetch(address, { redirect: 'manual', signal: AbortSignal.timeout(10_000) })
    body = (await response.text()).slice(0, 10_000)
  } catch (error) {
    report.add(
      'fix',
      `${address.origin} doesn't answer (${nameOf(error)}). Check the address, and that the app runs there.`,
    )
    return undefined
  }
  checkPlainHttp(report, url, response, isSecure(registration))
  const isOurs = response.status === 401 && body.includes('CRUDAUTH_')
  const isRedirect = response.status >= 300 && response.status < 400
  const hasRoute = options.routes === undefined || options.routes === true
  if (isOurs) report.add('ok', `GET ${address.href} answers as it should.`)
  else if (!isRedirect && hasRoute)
    report.add(
      'fix',
      `GET ${address.href} answered ${response.status} instead of 401 CRUDAUTH_UNAUTHENTICATED. Check "prefix", the path that the proxy passes on, and that this version of the app runs there.`,
    )
  return proxySeen(app, url, response.headers)
}
