import type { FastifyRequest } from 'fastify'
import { CrossSiteError } from '../errors.js'
import { checkStrings, fail } from '../lib/option-checks.js'

const originForm = /^([a-z][a-z0-9+.-]*):\/\/([^\s/?#@*]+)$/i

/** The origin in canonical form, with any scheme. Null for any other text, including `null`. */
function canonicalOrigin(text: string): string | null {
  const [, scheme = '', host = ''] = originForm.exec(text) ?? []
  if (host === '') return null
  // The URL parser normalizes default ports and non-ASCII hosts, but only for http and https.
  if (/^https?$/i.test(scheme)) return URL.canParse(text) ? new URL(text).origin : null
  return `${scheme}://${host}`.toLowerCase()
}

function isOwn(origin: string, request: FastifyRequest): boolean {
  const [scheme = ''] = origin.split(':', 1)
  if (canonicalOrigin(`${scheme}://${request.host}`) !== origin) return false
  // Behind a proxy that terminates TLS, the app may see http for an https origin. The reverse case,
  // an http origin for an https request, is another site.
  return scheme === 'https' || (scheme === 'http' && request.protocol === 'http')
}

/**
 * Whether a request comes from a page of another site. Prefers `Sec-Fetch-Site` (Fetch Metadata),
 * because proxies may rewrite `Host` and referrer policies may remove `Origin`. Without that
 * header, compares `Origin` with the host. A client that sends neither isn't a current browser, and
 * passes.
 * @param trusted origins from `resolveOrigins`
 */
export function isCrossSite(request: FastifyRequest, trusted: ReadonlySet<string>): boolean {
  const { origin: text, 'sec-fetch-site': site } = request.headers
  if (site === 'same-origin' || site === 'none') return false
  if (site === undefined && text === undefined) return false
  const origin = text === undefined ? null : canonicalOrigin(text)
  if (origin === null) return true
  return !(trusted.has(origin) || (site === undefined && isOwn(origin, request)))
}

/**
 * Refuses cross-site requests of browsers, such as login CSRF.
 * @throws CrossSiteError
 */
export function refuseCrossSite(request: FastifyRequest, trusted: ReadonlySet<string>): void {
  if (isCrossSite(request, trusted)) throw new CrossSiteError()
}

/** Checks `trustedOrigins`. Any scheme is valid: mobile shells use `capacitor://localhost` etc. */
export function resolveOrigins(value: unknown): ReadonlySet<string> {
  const origins = checkStrings('trustedOrigins', value, [])
  return new Set(
    origins.map(
      (text) =>
        canonicalOrigin(text.replace(/\/$/, '')) ??
        fail(
          `"trustedOrigins" takes origins such as "https://app.example.com" or "capacitor://localhost", without path or wildcard; got "${text}"`,
        ),
    ),
  )
}
