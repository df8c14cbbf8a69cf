import { AuthError, bodyOf, errorOf } from './auth-error.js'
import { createAccessTokens, memoryTokens, RefreshFailed } from './bearer.js'
import { browser } from './browser.js'
import { createCsrfToken } from './csrf.js'
import type { AuthClientOptions, AuthFailure } from './types.js'

/**
 * What a call is about: `public` routes get no credentials, `asks` only asks who is signed in, and
 * `leaves` signs out. For the last two, "nobody is signed in" is an expected response.
 */
export type CallKind = 'guarded' | 'public' | 'asks' | 'leaves'

/** Sends requests with the credentials of the user. */
interface Requests {
  /** URL of a route of the plugin. */
  url(path: string): URL
  /**
   * Like `fetch`, with credentials. Renews them once where the response says that they have
   * expired.
   */
  send(input: string | URL, init?: RequestInit): Promise<Response>
  /**
   * Calls a route of the plugin. Returns the parsed body.
   * @throws AuthError
   */
  call<T>(method: string, path: string, body?: object, kind?: CallKind): Promise<T>
  /** Keeps the credentials in the response of a sign-in, or forgets those that have ended. */
  keep(body: unknown): Promise<void>
  /** The refresh token, where requests carry it. */
  refreshToken(): Promise<string | undefined> | undefined
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

/** Streams can be sent once only. */
const isStream = (body: unknown) =>
  Symbol.asyncIterator in Object(body) || 'getReader' in Object(body)

export function createRequests(options: AuthClientOptions, listeners: Listeners): Requests {
  const fetch = options.fetch ?? globalThis.fetch.bind(globalThis)
  const base = new URL(options.baseUrl.replace(/\/?$/, '/'), browser.location?.href)
  const isBearer = options.transport === 'bearer'
  const url = (path: string) => new URL(path, base)

  const request = (
    method: string,
    path: string,
    body?: object,
    kind?: CallKind,
  ): Promise<Response> => {
    const json = body && {
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    }
    return send(url(path), { method, ...json }, kind)
  }

  const csrf = createCsrfToken(
    options.csrfCookie ?? 'csrf_token',
    base.origin === browser.location?.origin,
    () => request('POST', 'csrf/refresh', undefined, 'public'),
  )
  /** Null until a response says it. */
  let isSignedIn: boolean | null = null
  /** Counts sign-ins and sign-outs, so that a late response says nothing about the present one. */
  let changes = 0
  const askRefresh = (refreshToken: string | undefined) => {
    const body = refreshToken ? { refresh_token: refreshToken } : undefined
    const ask = () => request('POST', 'refresh', body, 'public')
    // If the response got lost, the same token has the same result, but only for some seconds.
    return ask().catch(ask)
  }
  const changedElsewhere = (isNowSignedIn: boolean) => {
    isSignedIn = isNowSignedIn
    changes++
    listeners.changed()
  }
  /** Null with sessions. */
  const tokens = isBearer
    ? createAccessTokens(
        `crudauth ${base.href}`,
        options.tokens ?? memoryTokens(),
        askRefresh,
        changedElsewhere,
      )
    : null

  const keep = async (body: unknown) => {
    isSignedIn = body !== null
    changes++
    await (tokens ?? csrf).keep(body)
  }

  const end = async (kind: CallKind) => {
    const isNews = kind !== 'leaves' && (isSignedIn ?? kind !== 'asks')
    isSignedIn = false
    changes++
    if (tokens) await tokens.forget()
    else csrf.keep(null)
    if (isNews) listeners.signedOut()
  }

  /** One question for all requests that need it. */
  let sudo: Promise<unknown> | undefined
  const confirms = (error: AuthFailure) => {
    // Set before the callback runs, because its requests look at it.
    // Without a callback the error stays, which isn't true.
    sudo ??= Promise.resolve(error)
      .then(options.onSudoRequired)
      .finally(() => {
        sudo = undefined
      })
    return sudo
  }

  const sendWithCredentials = async (target: URL, init: RequestInit, kind: CallKind) => {
    const before = changes
    // The requests that `onSudoRequired` makes must not wait for it.
    const isInSudo = sudo !== undefined
    const repeats = !isStream(init.body)
    const isSafe = /^(get|head|options)$/i.test(init.method ?? 'get')

    const attempt = async (csrfToken?: string) => {
      const headers = new Headers(init.headers)
      const used = tokens ? await tokens.current() : null
      if (used) headers.set('authorization', `Bearer ${used.accessToken}`)
      const token = tokens || isSafe ? null : (csrfToken ?? (await csrf.get()))
      if (token !== null) headers.set('x-csrf-token', token)
      const response = await fetch(target, { ...init, headers, credentials: 'include' })
      const error = [401, 403].includes(response.status) ? await errorOf(response) : null
      return { response, used, error, code: String(error?.code) }
    }

    let last = await attempt()
    if (last.code === 'CRUDAUTH_CSRF') {
      const token = await csrf.renew()
      if (token !== null && repeats) last = await attempt(token)
    } else if (last.used && ended.includes(last.code)) {
      const next = await tokens?.replace(last.used)
      if (next && repeats) last = await attempt()
    }
    if (last.error && needsSudo.includes(last.code) && repeats && !isInSudo) {
      if ((await confirms(last.error)) === true) last = await attempt()
    }
    if (changes === before) {
      if (last.response.ok && (last.used || kind === 'asks')) isSignedIn = true
      if (last.response.status === 401 && ended.includes(last.code)) await end(kind)
    }
    return last.response
  }

  const send = async (input: string | URL, init: RequestInit = {}, kind: CallKind = 'guarded') => {
    const target = new URL(input, base.origin)
    if (target.origin !== base.origin) return fetch(target, init)
    if (kind === 'public') return fetch(target, { ...init, credentials: 'include' })
    return sendWithCredentials(target, init, kind).catch((error: unknown) => {
      if (error instanceof RefreshFailed) return error.response.clone()
      throw error
    })
  }

  return {
    url,
    keep,
    send,
    refreshToken: () => tokens?.refreshToken(),
    async call<T>(method: string, path: string, body?: object, kind?: CallKind) {
      const response = await request(method, path, body, kind)
      if (!response.ok) throw await errorOf(response)
      const answer = await bodyOf(response)
      // A captive portal or a proxy may answer with a page of its own.
      if (answer === null) throw new AuthError('The response is not JSON', response.status)
      return answer as T
    },
  }
}
