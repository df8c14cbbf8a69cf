import { browser } from './browser.js'

/** The CSRF token of the session. */
export interface CsrfToken {
  /** From the cookie, else from the last response that had it, else from `/csrf/refresh`. */
  get(): Promise<string | null>
  /** Asks the server for a token. Concurrent calls share one request. */
  renew(): Promise<string | null>
  /** Remembers the token of a sign-in. The cookie of another origin can't be read. */
  keep(token: unknown): void
}

export function createCsrfToken(
  cookie: string,
  isSameOrigin: boolean,
  refresh: () => Promise<Response>,
): CsrfToken {
  let kept: string | null = null
  let pending: Promise<string | null> | undefined
  // The last one wins: browsers send and list the most specific cookie first, and ours has no path.
  const readCookie = () =>
    isSameOrigin
      ? (browser.document?.cookie
          .split('; ')
          .filter((pair) => pair.startsWith(`${cookie}=`))
          .at(-1)
          ?.slice(cookie.length + 1) ?? null)
      : null

  const renew = () => {
    pending ??= refresh()
      .then(async (response) => {
        // Not mounted, or signed out: the request goes without a token, and its response says why.
        kept = response.ok ? ((await response.json()) as { csrf_token: string }).csrf_token : null
        return kept
      })
      .finally(() => {
        pending = undefined
      })
    return pending
  }

  return {
    get: async () => readCookie() ?? kept ?? renew(),
    renew,
    keep(token) {
      kept = typeof token === 'string' ? token : null
    },
  }
}
