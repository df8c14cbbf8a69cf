import { AuthError, errorOf } from './auth-error.js'
import { createAccessTokens, memoryTokens, tokenBodyOf } from './bearer.js'
import { browser } from './browser.js'
import { createCsrfToken } from './csrf.js'
import type { AuthClientOptions } from './types.js'

/** Sends requests with the credentials of the user. */
export interface Requests {
  /** URL of a route of the plugin. */
  url(path: string): URL
  /**
   * Like `fetch`, with credentials. Renews them once where the response says that they have
   * expired.
   */
  send(input: string | URL, init?: RequestInit): Promise<Response>
  /**
   * Calls a route of the plugin. Returns the parsed body.
   * @param asks whether it only asks who is signed in, so that nobody is no news
   * @throws AuthError
   */
  call<T>(method: string, path: string, body?: object, asks?: boolean): Promise<T>
  /** Keeps the credentials of a sign-in, or forgets those that have ended. */
  keep(body: unknown): Promise<void>
}

/** Codes of a 401 that end the sign-in. A wrong password is 401, too. */
const ended = ['CRUDAUTH_UNAUTHENTICATED', 'CRUDAUTH_INVALID_TOKEN']
const needsSudo = ['CRUDAUTH_SUDO_REQUIRED', 'CRUDAUTH_FRESH_SIGN_IN_REQUIRED']

interface Listeners {
  /** A request has found that the sign-in has ended. */
  signedOut(): void
  /** Another tab has signed in or out. */
  changed(): void
}

export function createRequests(options: AuthClientOptions, listeners: Listeners): Requests {
  const fetch = options.fetch ?? globalThis.fetch.bind(globalThis)
  const base = new URL(options.baseUrl.replace(/\/?$/, '/'), browser.location?.href)
  const isBearer = options.transport === 'bearer'
  const url = (path: string) => new URL(path.replace(/^\//, ''), base)

  const post = (path: string, body?: object) =>
    fetch(url(path), {
      method: 'POST',
      credentials: 'include',
      ...(body && {
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(body),
      }),
    })

  const csrf = createCsrfToken(
    options.csrfCookie ?? 'csrf_token',
    base.origin === browser.location?.origin,
    () => post('csrf/refresh'),
  )
  const tokens = createAccessTokens(
    `crudauth ${base.href}`,
    options.tokens ?? memoryTokens(),
    (refreshToken) =>
      post('refresh', refreshToken === undefined ? undefined : { refresh_token: refreshToken }),
    listeners.changed,
  )

  const attempt = async (target: URL, init: RequestInit) => {
    const headers = new Headers(init.headers)
    const isOurs = target.origin === base.origin
    const used = isOurs && isBearer ? await tokens.current() : null
    if (used) headers.set('authorization', `Bearer ${used.accessToken}`)
    const isSafe = /^(?:get|head|options)$/i.test(init.method ?? 'get')
    const token = isOurs && !isBearer && !isSafe ? await csrf.get() : null
    if (token !== null) headers.set('x-csrf-token', token)
    const response = await fetch(target, {
      ...init,
      headers,
      ...(isOurs && { credentials: 'include' }),
    })
    return { response, used, isOurs }
  }

  /** Null until a response says it. */
  let isSignedIn: boolean | null = null
  const end = (asks: boolean) => {
    const isNews = isSignedIn ?? !asks
    isSignedIn = false
    if (isNews) listeners.signedOut()
  }

  const send = async (input: string | URL, init: RequestInit = {}, asks = false) => {
    // The body of a stream can be sent once only.
    const repeats = !(init.body instanceof ReadableStream)
    const target = new URL(input, new URL('/', base))
    let { response, used, isOurs } = await attempt(target, init)
    if (isOurs && response.ok && (used || asks)) isSignedIn = true
    if (!isOurs || response.ok) return response
    if (response.status !== 401 && response.status !== 403) return response
    let error = await errorOf(response)
    const again = async () => {
      ;({ response, used } = await attempt(target, init))
      error = await errorOf(response)
    }
    const { code } = error
    if (repeats && code === 'CRUDAUTH_CSRF' && (await csrf.renew()) !== null) await again()
    else if (used && ended.includes(String(code))) {
      const next = await tokens.replace(used)
      // They could not be replaced now, which doesn't end the sign-in.
      if (next?.accessToken === used.accessToken) return response
      if (next && repeats) await again()
    }
    if (needsSudo.includes(String(error.code)) && repeats) {
      if ((await options.onSudoRequired?.(error)) === true) await again()
    }
    if (response.status === 401 && ended.includes(String(error.code))) end(asks)
    return response
  }

  return {
    url,
    send: (input, init) => send(input, init),
    async call<T>(method: string, path: string, body?: object, asks?: boolean) {
      const init = {
        method,
        ...(body && {
          headers: { 'content-type': 'application/json' },
          body: JSON.stringify(body),
        }),
      }
      const response = await send(url(path), init, asks)
      if (!response.ok) throw await errorOf(response)
      const answer: unknown = await response.json().catch(() => null)
      // A captive portal or a proxy may answer with a page of its own.
      if (answer === null)
        throw new AuthError('The response is not JSON', response.status, null, null)
      return answer as T
    },
    async keep(body) {
      isSignedIn = body !== null
      if (isBearer) await tokens.keep(tokenBodyOf(body))
      else csrf.keep((body as { csrf_token?: unknown } | null)?.csrf_token)
    },
  }
}
