import { browser } from './browser.js'
import type { StoredTokens, TokenStore } from './types.js'

/** Response body of `/token` and `/refresh`. */
interface TokenBody {
  readonly access_token: string
  readonly expires_in: number
  readonly refresh_token?: string | undefined
}

/** Access tokens, refreshed once for all requests and tabs. */
export interface AccessTokens {
  /** The present tokens. Refreshes those that are about to expire. */
  current(): Promise<StoredTokens | null>
  /**
   * Replaces tokens that the server has refused. Does nothing if another request or tab has
   * replaced them. Null if the refresh token is no longer valid.
   */
  replace(refused: StoredTokens | null): Promise<StoredTokens | null>
  keep(body: TokenBody | null): Promise<void>
}

/** Refreshed so many milliseconds before they expire that slow requests arrive in time. */
const marginMs = (seconds: number) => Math.min(10_000, seconds * 100)
/** How long the result of another tab may take after its lock is free. */
const messageMs = 200

/** Keeps tokens in the memory of the page. */
export function memoryTokens(): TokenStore {
  let tokens: StoredTokens | null = null
  return {
    get: () => tokens,
    set(next) {
      tokens = next
    },
  }
}

const isBody = (body: unknown): body is TokenBody =>
  typeof (body as Partial<TokenBody> | null)?.access_token === 'string'

export const tokenBodyOf = (body: unknown): TokenBody | null => (isBody(body) ? body : null)

/**
 * @param name of the lock and the channel that tabs share
 * @param refresh posts to `/refresh`
 * @param changedElsewhere called when another tab has signed in or out
 */
export function createAccessTokens(
  name: string,
  store: TokenStore,
  refresh: (refreshToken: string | undefined) => Promise<Response>,
  changedElsewhere: () => void,
): AccessTokens {
  // After a reload there may be a refresh cookie. Once the server has said no, don't ask again.
  let isSignedOut = false
  // Only in pages. Clients in one process of Node may be of different users.
  const channel = browser.document && browser.BroadcastChannel && new browser.BroadcastChannel(name)
  let heard: (() => void) | undefined
  if (channel)
    channel.onmessage = async ({ data }) => {
      const tokens = data as StoredTokens | null
      const isOther = (tokens === null) !== ((await store.get()) === null)
      isSignedOut = tokens === null
      await store.set(tokens)
      heard?.()
      if (isOther) changedElsewhere()
    }

  const set = async (tokens: StoredTokens | null) => {
    isSignedOut = tokens === null
    await store.set(tokens)
    channel?.postMessage(tokens)
  }
  const keep = async (body: TokenBody | null) =>
    set(
      body && {
        accessToken: body.access_token,
        // By the clock of this device, which may differ from that of the server.
        expiresAtMs: Date.now() + body.expires_in * 1000 - marginMs(body.expires_in),
        ...(body.refresh_token !== undefined && { refreshToken: body.refresh_token }),
      },
    )

  const isOther = (tokens: StoredTokens | null, refused: StoredTokens | null) =>
    tokens !== null && tokens.accessToken !== refused?.accessToken

  /** Runs in one tab at a time. */
  const refreshUnlessReplaced = async (refused: StoredTokens | null) => {
    const known = await store.get()
    if (isOther(known, refused)) return known
    const response = await refresh(known?.refreshToken)
    if (response.ok) await keep((await response.json()) as TokenBody)
    // Only a clear answer ends the sign-in. After an outage the tokens stay.
    else if (response.status === 400 || response.status === 401) await set(null)
    else return known
    return store.get()
  }

  const locked = async (refused: StoredTokens | null): Promise<StoredTokens | null> => {
    const locks = browser.navigator?.locks
    if (!locks) return refreshUnlessReplaced(refused)
    const first = await locks.request(name, { ifAvailable: true }, async (lock) =>
      lock ? { tokens: await refreshUnlessReplaced(refused) } : null,
    )
    if (first) return first.tokens
    // Another tab is refreshing. Its message may arrive after its lock is free.
    const message = new Promise<void>((resolve) => {
      heard = resolve
    })
    return locks.request(name, {}, async () => {
      if (!isOther(await store.get(), refused))
        await Promise.race([message, new Promise((resolve) => setTimeout(resolve, messageMs))])
      return refreshUnlessReplaced(refused)
    })
  }

  let pending: Promise<StoredTokens | null> | undefined
  const replace = async (refused: StoredTokens | null) => {
    const known = await store.get()
    if (isOther(known, refused)) return known
    pending ??= locked(refused).finally(() => {
      pending = undefined
    })
    return pending
  }

  return {
    keep,
    replace,
    async current() {
      const tokens = await store.get()
      if (tokens ? tokens.expiresAtMs > Date.now() : isSignedOut) return tokens
      return replace(tokens)
    },
  }
}
