import type { CookieOptions } from '../../http/cookies.js'
import type { Registration } from './registrations.js'
import type { Report } from './report.js'

/** The cookie options of the session transport, which override the shared ones. */
function cookiesOf({ options }: Registration): CookieOptions {
  const transports = Array.isArray(options.transports) ? options.transports : []
  const session = transports.find((transport) => transport?.name === 'session') as
    | { options?: { cookies?: CookieOptions } }
    | undefined
  return { ...options.cookies, ...session?.options?.cookies }
}

/** Whether cookies are sent with https only. */
export const isSecure = (registration: Registration): boolean =>
  cookiesOf(registration).secure !== false

export const isLoopback = (host: string): boolean =>
  /^(?:localhost|.*\.localhost|127\.\d+\.\d+\.\d+|\[::1\])$/i.test(host)

/** The last two labels: enough to tell apart what surely is another site. */
const siteOf = (host: string): string => host.split('.').slice(-2).join('.').toLowerCase()

function checkTrustedOrigins(report: Report, { options }: Registration, url: URL): void {
  const origins = Array.isArray(options.trustedOrigins) ? options.trustedOrigins : []
  for (const origin of origins) {
    if (typeof origin !== 'string' || !URL.canParse(origin)) continue
    const other = new URL(origin)
    if (!/^https?:$/.test(other.protocol) || siteOf(other.hostname) === siteOf(url.hostname))
      continue
    report.add(
      'warn',
      `Pages of ${other.origin} are on another site than ${url.host}, so browsers don't send them the cookies of the session (SameSite). Put both under one domain, or use bearer tokens there.`,
    )
  }
}

/**
 * Compares the cookie options with the routes, and with the public address.
 * @param isProduction whether the app runs with `NODE_ENV=production`
 */
export function checkCookies(
  report: Report,
  registration: Registration,
  url: URL | undefined,
  isProduction: boolean,
): void {
  const { path = '/', domain } = cookiesOf(registration)
  const { mountPath } = registration
  let fits = true
  const fix = (text: string) => {
    fits = false
    report.add('fix', text)
  }
  if (!isSecure(registration)) {
    const isPublic = isProduction || (url !== undefined && !isLoopback(url.hostname))
    report.add(
      isPublic ? 'fix' : 'warn',
      `"cookies.secure" is off, so anyone on the network can read the session cookie. ${isPublic ? 'Remove the option, and serve the app over https.' : 'Use it for development only.'}`,
    )
  }
  if (typeof path === 'string' && path !== '/') {
    const folder = path.replace(/\/$/, '')
    if (mountPath !== folder && !mountPath.startsWith(`${folder}/`))
      fix(
        `"cookies.path" is "${path}", but the routes are under "${mountPath || '/'}", so browsers never send the cookies back to them. Remove "cookies.path", or use the same path.`,
      )
  }
  if (typeof domain === 'string' && url !== undefined) {
    const bare = domain.replace(/^\./, '').toLowerCase()
    const host = url.hostname.toLowerCase()
    if (host !== bare && !host.endsWith(`.${bare}`))
      fix(
        `"cookies.domain" is "${domain}", and browsers refuse that from ${host}. Remove it, or name a parent domain of ${host}.`,
      )
  }
  if (url !== undefined) checkTrustedOrigins(report, registration, url)
  if (fits && isSecure(registration)) report.add('ok', 'The cookie settings fit.')
}
