import type { Static } from '@sinclair/typebox'
import type { AuthorizeUrl, ChangeEmail, VerifyMfa } from '../../schemas/index.js'
import { AuthError } from './auth-error.js'
import { browser } from './browser.js'
import { type Landing, readLanding, readLinkToken } from './landing.js'
import { type CallKind, createRequests } from './request.js'
import type {
  Account,
  AuthClientOptions,
  Challenge,
  Codes,
  ConfirmedToken,
  Device,
  Link,
  LoginBody,
  Message,
  MfaRequired,
  RegisteredAccount,
  RevokedDevices,
  SecondFactor,
  Setup,
  SignedIn,
  SignInAnswer,
  Verified,
} from './types.js'

export { AuthError } from './auth-error.js'
export type { Landing } from './landing.js'
export type {
  Account,
  AuthClientOptions,
  AuthErrorCode,
  AuthFailure,
  Challenge,
  Codes,
  ConfirmedToken,
  Device,
  Link,
  LoginBody,
  Message,
  MfaRequired,
  RegisteredAccount,
  RevokedDevices,
  SecondFactor,
  Setup,
  SignedIn,
  SignInAnswer,
  StoredTokens,
  TokenStore,
  Verified,
} from './types.js'

/** Values of the recovery field, such as `{ email }`, and where the page goes on. */
export interface RecoveryRequest {
  readonly [field: string]: string | undefined
  readonly redirect_to?: string | undefined
}

/** Body of `register`: login fields, password, and `registration.extraFields`. */
export interface Registration {
  readonly email?: string | undefined
  readonly username?: string | undefined
  readonly password: string
  readonly [field: string]: unknown
}

/**
 * The client of the plugin's routes. Methods throw `AuthError` for error responses, and what
 * `fetch` throws without a response. Bodies have the names of the wire.
 */
export type AuthClient = ReturnType<typeof createAuthClient>

/**
 * Creates a client for a front end or for Node. It sends CSRF and access tokens, renews them, and
 * shares that work between requests and tabs. It is an event target: `change` fires after every
 * sign-in and sign-out, `signedout` when a request finds that the sign-in has ended.
 * @example
 * const auth = createAuthClient({ baseUrl: '/auth' })
 * const result = await auth.login({ username, password })
 * if ('mfaRequired' in result) await auth.mfa.verify({ challenge: result.challenge, code })
 * await auth.fetch('/api/notes', { method: 'POST', body: JSON.stringify(note) })
 */
export function createAuthClient(options: AuthClientOptions) {
  const isBearer = options.transport === 'bearer'
  const events = new EventTarget()
  const changed = () => events.dispatchEvent(new Event('change'))
  const { url, send, call, keep, refreshToken } = createRequests(options, {
    changed,
    signedOut() {
      events.dispatchEvent(new Event('signedout'))
      options.onSignedOut?.()
      changed()
    },
  })
  const get = <T>(path: string) => call<T>('GET', path)
  const post = <T = Message>(path: string, body?: object, kind?: CallKind) =>
    call<T>('POST', path, body, kind)
  /** For routes that anyone can call. */
  const tell = <T = Message>(path: string, body: object) => post<T>(path, body, 'public')
  const remove = <T>(path: string) => call<T>('DELETE', path)
  const segment = encodeURIComponent

  const signedIn = async <T>(body: T): Promise<T> => {
    await keep(body)
    changed()
    return body
  }
  const signedOut = async <T>(body: T): Promise<T> => {
    await keep(null)
    changed()
    return body
  }

  const accept = async (answer: SignInAnswer): Promise<SignedIn | MfaRequired> => {
    if (!('mfa_required' in answer)) return signedIn(answer)
    const { challenge, expires_in, setup } = answer
    return { mfaRequired: true, challenge, expiresIn: expires_in, setup }
  }
  const passwordSet = (body: Message) => (isBearer ? signedOut(body) : body)

  return Object.assign(events, {
    /**
     * Like `fetch`, with the CSRF or access token, which are renewed once where they have expired.
     * Paths resolve against the origin of `baseUrl`. Requests to other origins get no credentials.
     */
    fetch: (path: string | URL, init?: RequestInit): Promise<Response> => send(path, init),

    /**
     * The signed-in user, or null.
     * @typeParam Fields the `account.publicFields` of the app
     */
    me: <Fields extends object = object>(): Promise<(Account & Fields) | null> =>
      call<Account & Fields>('GET', 'me', undefined, 'asks').catch((error: unknown) => {
        if (error instanceof AuthError && error.status === 401) return null
        throw error
      }),
    register: (body: Registration) => tell<RegisteredAccount>('register', body),
    /** Signs in with a password. The result may ask for a second factor. */
    login: async ({ scope, ...body }: LoginBody): Promise<SignedIn | MfaRequired> =>
      accept(
        isBearer
          ? await tell<SignInAnswer>('token', {
              username: body.username,
              password: body.password,
              ...(scope !== undefined && { scope }),
            })
          : await tell<SignInAnswer>('login', body),
      ),
    /** Finishes a sign-in at a route of the app: takes its body, which `completeLogin` has made. */
    accept: (answer: SignInAnswer) => accept(answer),
    /** Signs out. Succeeds if nobody is signed in. */
    async logout(): Promise<Message> {
      const refresh_token = await refreshToken()
      const [body, kind] = isBearer
        ? ([refresh_token && { refresh_token }, 'public'] as const)
        : ([undefined, 'leaves'] as const)
      return post('logout', body || undefined, kind).then(signedOut, (error: unknown) => {
        if (error instanceof AuthError && error.status === 401)
          return signedOut({ detail: 'Nobody is signed in' })
        throw error
      })
    },
    /** Ends all other sessions and all tokens. With `bearer` this is a sign-out. */
    changePassword: async (current_password: string, new_password: string) =>
      passwordSet(await post('change-password', { current_password, new_password })),
    /** Sets the first password of an account that has none. Ends what `changePassword` ends. */
    setPassword: async (new_password: string) =>
      passwordSet(await post('set-password', { new_password })),

    sessions: {
      list: () => get<Device[]>('sessions'),
      revoke: (id: string) => remove<Message>(`sessions/${segment(id)}`),
      /** Ends all sessions and tokens, except the present session with `keepCurrent`. */
      async revokeAll({ keepCurrent = false } = {}) {
        const revoked = await post<RevokedDevices>(`logout-all?keep_current=${keepCurrent}`)
        return keepCurrent ? revoked : signedOut(revoked)
      },
    },

    recovery: {
      requestVerification: (body: RecoveryRequest) => tell('email/verify-request', body),
      confirmVerification: (token: string) =>
        tell<ConfirmedToken>('email/verify-confirm', { token }),
      requestReset: (body: RecoveryRequest) => tell('password/reset-request', body),
      confirmReset: (token: string, new_password: string) =>
        tell<ConfirmedToken>('password/reset-confirm', { token, new_password }),
      requestEmailChange: (body: Static<typeof ChangeEmail>) => post('email/change-request', body),
      confirmEmailChange: (token: string) =>
        tell<ConfirmedToken>('email/change-confirm', { token }),
      revertEmailChange: (token: string) => tell<ConfirmedToken>('email/change-revert', { token }),
    },
    /**
     * Reads the token of a link in an email from the address bar, and removes it there. Follow the
     * `redirect_to` of the confirmation.
     */
    readLinkToken: (): string | null => readLinkToken(),

    oauth: {
      /** Leaves the page for the sign-in with a provider. */
      signInWith(provider: string, { redirectTo, rememberMe }: SignInWithOptions = {}): void {
        const target = url(`oauth/${segment(provider)}/authorize`)
        if (redirectTo !== undefined) target.searchParams.set('redirect_to', redirectTo)
        if (rememberMe) target.searchParams.set('remember_me', 'true')
        browser.location?.assign(target.href)
      },
      /** Leaves the page to link a provider to the signed-in account. */
      async link(provider: string, redirectTo?: string): Promise<void> {
        const body = redirectTo === undefined ? {} : { redirect_to: redirectTo }
        const { authorize_url } = await post<Static<typeof AuthorizeUrl>>(
          `oauth/${segment(provider)}/link`,
          body,
        )
        browser.location?.assign(authorize_url)
      },
      unlink: (provider: string) => remove<Message>(`oauth/${segment(provider)}`),
      accounts: () => get<Link[]>('oauth/accounts'),
      /** Reads what a sign-in with a provider has left in the address bar, and removes it there. */
      readLanding: (): Landing => readLanding(),
    },

    mfa: {
      /** What a challenge asks for. */
      challenge: (challenge: string) => tell<Challenge>('mfa/challenge', { challenge }),
      /** Finishes a sign-in with a code. */
      verify: async (body: Static<typeof VerifyMfa>) =>
        signedIn(await tell<Verified>('mfa/verify', body)),
      status: () => get<SecondFactor>('mfa'),
      setup: (password?: string) => post<Setup>('mfa/totp/setup', { password }),
      confirm: (code: string) => post<Codes>('mfa/totp/confirm', { code }),
      disable: (code: string) => post('mfa/totp/disable', { code }),
      regenerateRecoveryCodes: (code: string) =>
        post<Codes>('mfa/recovery-codes/regenerate', { code }),
    },
  })
}

/** Options of `oauth.signInWith`. */
export interface SignInWithOptions {
  /** Path of the same origin to land on. */
  readonly redirectTo?: string | undefined
  readonly rememberMe?: boolean | undefined
}
