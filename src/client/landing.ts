import { browser } from './browser.js'

/** What a URL of the front end says. */
export interface Landing {
  /** Why a sign-in with a provider failed, such as `oauth_failed`. */
  readonly error: string | null
  /** Challenge of the second factor, after a sign-in with a provider. */
  readonly challenge: string | null
}

const replace = (url: URL) => browser.history?.replaceState(browser.history.state, '', url.href)

const here = () => (browser.location ? new URL(browser.location.href) : null)

/**
 * Reads the token of a link in an email, and removes it from the address bar, so that it stays
 * neither in the history nor in a `Referer` header. Null without one. Also removes `redirect_to`,
 * because anyone can write that: follow the one in the response (open redirect).
 */
export function readLinkToken(): string | null {
  const url = here()
  const token = url?.searchParams.get('token')
  if (!url || !token) return null
  for (const name of ['token', 'redirect_to']) url.searchParams.delete(name)
  replace(url)
  return token
}

/**
 * Reads what a sign-in with a provider has left in the URL, and removes it from the address bar.
 */
export function readLanding(): Landing {
  const url = here()
  const error = url?.searchParams.get('error') ?? null
  const [part = '', challenge = null] = /[#&?]mfa_challenge=([\w-]+)/.exec(url?.hash ?? '') ?? []
  if (url && (error ?? challenge) !== null) {
    url.searchParams.delete('error')
    url.hash = url.hash.replace(part, '')
    replace(url)
  }
  return { error, challenge }
}
