import type { FastifyRequest } from 'fastify'
import { CrossSiteError } from '../errors.js'
import { checkStrings, fail } from '../lib/option-checks.js'

const originForm = /^([a-z][a-z0-9+.-]*):\/\/([^\s/?#@*]+)$/i

/** The origin in canonical form, of any scheme; null for anything else, and for the origin `null`. */
function canonicalOrigin(text: string): string | null {
  const [, scheme = '', host = ''] = originForm.exec(text) ?? []
  if (host === '') return null
  // Default ports and letters of other scripts are spelled by the URL parser, which knows the schemes of the web only.
  if (/^https?$/i.test(scheme)) return URL.canParse(text) ? new URL(text).origin : null
  return `${scheme}://${host}`.toLowerCase()
}

function isOwn(origin: string, request: FastifyRequest): boolean {
  const [scheme = ''] = origin.split(':', 1)
  if (canonicalOrigin(`${scheme}://${request.host}`) !== origin) return false
  // Behind a proxy that ends TLS the app may believe that it is asked over http; the other way round is another site.
  return scheme === 'https' || (scheme === 'http' && request.protocol === 'http')
}

/**
 * Whether a page of a foreign site posts. Browsers say so themselves (Fetch Metadata), whatever a proxy has made of `Host` and a
 * referrer policy of `Origin`. Where they do not, `Origin` is compared; a client that sends neither is no browser of today.
 * @param trusted origins as `resolveOrigins` spells them
 */
export function isCrossSite(request: FastifyRequest, trusted: ReadonlySet<string>): boolean {
  const { origin: text, 'sec-fetch-site': site } = request.headers
  if (site === 'same-origin' || site === 'none') return false
  if (site === undefined && text === undefined) return false
  const origin = text === undefined ? null : canonicalOrigin(text)
  if (origin === null) return true
  return !(trusted.has(origin) || (site === undefined && isOwn(origin, request)))
}

/** Refuses a browser's cross-site post, so that no foreign page signs anybody in to an account of its choice. */
export function refuseCrossSite(request: FastifyRequest, trusted: ReadonlySet<string>): void {
  if (isCrossSite(request, trusted)) throw new CrossSiteError()
}

/** Exact origins, of any scheme: apps in a shell of their own have `capacitor://localhost` and the like. */
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
