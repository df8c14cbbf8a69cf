import { AuthError, bodyOf } from './auth-error.js'
import { browser } from './browser.js'
import type { StoredTokens, TokenStore } from './types.js'

/** Response body of `/token` and `/refresh`. */
interface TokenBody {
  readonly access_token: string
  readonly expires_in: number
  readonly refresh_token?: string | undefined
}

/** Access tokens, refreshed once for all requests and tabs. */
interface AccessTokens {
  /**
   * The present tokens. Refreshes those that are about to expire.
   * @throws RefreshFailed without tokens, if the server can't say whether the user is signed in
   */
  current(): Promise<StoredTokens | null>
  /**
   * Replaces tokens that the server has refused. Does nothing if another request or tab has
   * replaced them. Null if the refresh token is no longer valid.
   * @throws RefreshFailed
   */
  replace(refused: StoredTokens | null): Promise<StoredTokens | null>
  /** Keeps the tokens of a sign-in, or forgets them after a sign-out. */
  keep(body: unknown): Promise<void>
  /** Forgets tokens that have ended. A tab that knew none has no news for the others. */
  forget(): Promise<void>
  /** Of the store. Undefined where it is in a cookie. */
  refreshToken(): Promise<string | undefined>
}

/** A response of `/refresh` that doesn't end the sign-in, such as 503. */
export class RefreshFailed extends Error {
  readonly response: Response
  constructor(response: Response) {
    super()
    this.response = response
  }
}

/** What tabs tell each other. */
interface Message {
  readonly tokens: StoredTokens | null
  /** Whether somebody has signed in or out, or else the tokens are refreshed ones. */
  readonly isChange: boolean
}

/** Refreshed so many milliseconds before they expire that slow requests arrive in time. */
const marginMs = (seconds: number) => Math.min(10_000, seconds * 100)
/** How long the result of another tab may take after its lock is free. */
const messageMs = 200
/** The refresh token isn't valid, or the app has no refresh tokens. */
const ended = [400, 401, 404]

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

function tokensIn(body: unknown): StoredTokens | null {
  const { access_token, expires_in, refresh_token } = (body ?? {}) as Partial<TokenBody>
  if (!access_token || !expires_in) return null
  return {
    accessToken: access_token,
    // By the clock of this device, which may differ from that of the server.
    expiresAtMs: Date.now() + expires_in * 1000 - marginMs(expires_in),
    refreshToken: refresh_token,
  }
}

const isOther = (tokens: StoredTokens | null, refused: StoredTokens | null) =>
  tokens !== null && tokens.accessToken !== refused?.accessToken

/**
 * @param name of the lock and the channel that tabs share
 * @param refresh posts to `/refresh`
 * @param changedElsewhere called when another tab has signed in or out
 */
export function createAccessTokens(
  name: string,
  store: TokenStore,
  refresh: (refreshToken: string | undefined) => Promise<Response>,
  changedElsewhere: (isSignedIn: boolean) => void,
): AccessTokens {
  // After a reload there may be a refresh cookie. Once the server has said no, don't ask again.
  let isSignedOut = false
  /** Counts changes, so that a late response of `/refresh` doesn't undo a sign-in or a sign-out. */
  let changes = 0
  // Only in pages. Clients in one process of Node may be of different users.
  const channel = browser.document && browser.BroadcastChannel && new browser.BroadcastChannel(name)
  let heard: (() => void) | undefined
  if (channel)
    channel.onmessage = async ({ data }) => {
      const { tokens, isChange } = data as Message
      isSignedOut = tokens === null
      changes++
      await store.set(tokens)
      heard?.()
      if (isChange) changedElsewhere(!isSignedOut)
    }

  const set = async (tokens: StoredTokens | null, isChange: boolean) => {
    isSignedOut = tokens === null
    changes++
    await store.set(tokens)
    channel?.postMessage({ tokens, isChange } satisfies Message)
  }

  const forget = async () => {
    isSignedOut = true
    if (await store.get()) await set(null, true)
  }

  /** Runs in one tab at a time. */
  const refreshUnlessReplaced = async (refused: StoredTokens | null) => {
    const known = await store.get()
    if (isOther(known, refused)) return known
    const before = changes
    const response = await refresh(known?.refreshToken)
    const tokens = response.ok ? tokensIn(await bodyOf(response)) : null
    if (changes !== before) return store.get()
    if (tokens) await set(tokens, false)
    else if (response.ok) throw new AuthError('The response has no tokens', response.status)
    else if (!ended.includes(response.status)) throw new RefreshFailed(response)
    else await forget()
    return tokens
  }

  const locked = async (refused: StoredTokens | null): Promise<StoredTokens | null> => {
    const locks = channel && browser.navigator?.locks
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
    keep: (body) => set(tokensIn(body), true),
    forget,
    replace,
    refreshToken: async () => (await store.get())?.refreshToken,
    async current() {
      const tokens = await store.get()
      if (tokens ? tokens.expiresAtMs > Date.now() : isSignedOut) return tokens
      return replace(tokens).catch((error: unknown) => {
        // They may be valid for some seconds, or for longer by the clock of the server.
        if (tokens) return tokens
        throw error
      })
    },
  }
}
