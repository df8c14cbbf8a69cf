import type { FastifyRequest } from 'fastify'
import { CrossSiteError } from '../errors.js'
import { checkStrings, fail } from '../lib/option-checks.js'

/** The origin in its one spelling; null for what is none, `null` included. */
function parseOrigin(text: string): URL | null {
  try {
    const url = new URL(text)
    return (url.protocol === 'https:' || url.protocol === 'http:') && url.host !== '' ? url : null
  } catch {
    return null
  }
}

function isOwn(origin: URL, request: FastifyRequest): boolean {
  const own = parseOrigin(`${origin.protocol}//${request.host}`)
  if (!own || own.host !== origin.host) return false
  // Behind a proxy that ends TLS the app may believe that it is asked over http; the other way round is another site.
  return origin.protocol === 'https:' || request.protocol === 'http'
}

/**
 * Whether a browser says that a page of a foreign site posts. A client that sends neither `Origin` nor `Sec-Fetch-Site` is no
 * browser of today.
 * @param trusted origins in the spelling of `URL.origin`
 */
export function isCrossSite(request: FastifyRequest, trusted: ReadonlySet<string>): boolean {
  const { origin } = request.headers
  if (origin === undefined) return request.headers['sec-fetch-site'] === 'cross-site'
  const url = parseOrigin(origin)
  return !url || !(trusted.has(url.origin) || isOwn(url, request))
}

/** Refuses a browser's cross-site post, so that no foreign page signs anybody in to an account of its choice. */
export function refuseCrossSite(request: FastifyRequest, trusted: ReadonlySet<string>): void {
  if (isCrossSite(request, trusted)) throw new CrossSiteError()
}

export function resolveOrigins(value: unknown): ReadonlySet<string> {
  const origins = checkStrings('trustedOrigins', value, [])
  return new Set(
    origins.map((text) => {
      const url = parseOrigin(text)
      if (
        !url ||
        text.includes('*') ||
        url.pathname !== '/' ||
        url.search !== '' ||
        url.hash !== '' ||
        url.username !== ''
      ) {
        fail(
          `"trustedOrigins" takes origins such as "https://app.example.com", without path or wildcard; got "${text}"`,
        )
      }
      return url.origin
    }),
  )
}
