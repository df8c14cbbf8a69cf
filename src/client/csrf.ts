import { bodyOf, text } from './auth-error.js'
import { browser } from './browser.js'

/** The CSRF token of the session. */
interface CsrfToken {
  /** From the cookie, else from the last response that had it, else once from `/csrf/refresh`. */
  get(): Promise<string | null>
  /** Asks the server for a token. Concurrent calls share one request. */
  renew(): Promise<string | null>
  /** Remembers the token of a sign-in. The cookie of another origin can't be read. */
  keep(body: unknown): void
}

/** Outages and rate limits, after which it makes sense to ask again. */
const isPassing = (status: number) => status === 429 || status >= 500

const tokenIn = (body: unknown) => text((body as { csrf_token?: unknown } | null)?.csrf_token)

export function createCsrfToken(
  cookie: string,
  isSameOrigin: boolean,
  refresh: () => Promise<Response>,
): CsrfToken {
  let kept: string | null = null
  // After that a request without a token is refused, if it needs one, and asks again.
  let isKnown = false
  let pending: Promise<string | null> | undefined
  // The last one wins: browsers send and list the most specific cookie first, and ours has no path.
  const readCookie = () =>
    isSameOrigin
      ? browser.document?.cookie
          .split('; ')
          .findLast((pair) => pair.startsWith(`${cookie}=`))
          ?.slice(cookie.length + 1)
      : null

  const renew = () => {
    pending ??= refresh()
      .then(async (response) => {
        // Not mounted, or signed out: the request goes without a token, and its response says why.
        kept = response.ok ? tokenIn(await bodyOf(response)) : null
        isKnown = !isPassing(response.status)
        return kept
      })
      .finally(() => {
        pending = undefined
      })
    return pending
  }

  return {
    get: async () => readCookie() ?? kept ?? (isKnown ? null : renew()),
    renew,
    keep(body) {
      kept = tokenIn(body)
      isKnown = true
    },
  }
}
