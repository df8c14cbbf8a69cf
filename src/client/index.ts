import type { Static } from '@sinclair/typebox'
import type { AuthorizeUrl, ChangeEmail, VerifyMfa } from '../../schemas/index.js'
import { AuthError } from './auth-error.js'
import { browser } from './browser.js'
import { readLanding, readLinkToken } from './landing.js'
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
  Passkey,
  PasskeyOffer,
  PasskeyProof,
  PasskeySignIn,
  RecoveryRequest,
  RegisteredAccount,
  Registration,
  RevokedDevices,
  SecondFactor,
  Setup,
  SignedIn,
  SignInAnswer,
  SignInWithOptions,
  Verified,
} from './types.js'
import { prove } from './webauthn.js'

export { AuthError } from './auth-error.js'
export type { Landing } from './landing.js'
export type * from './types.js'

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
  const fire = (name: string) => events.dispatchEvent(new Event(name))
  const changed = () => fire('change')
  const { url, send, call, keep, refreshToken } = createRequests(options, {
    changed,
    signedOut() {
      fire('signedout')
      options.onSignedOut?.()
      changed()
    },
  })
  const get = <T>(path: string) => call<T>('GET', path)
  const post = <T = Message>(path: string, body?: object, kind?: CallKind) =>
    call<T>('POST', path, body, kind)
  /** For routes that anyone can call. */
  const tell = <T = Message>(path: string, body: object) => post<T>(path, body, 'public')
  const confirmAt = (path: string) => (token: string) => tell<ConfirmedToken>(path, { token })
  const remove = <T>(path: string) => call<T>('DELETE', path)
  const segment = encodeURIComponent

  const signedIn = async <T>(body: T, credentials: unknown = body): Promise<T> => {
    await keep(credentials)
    changed()
    return body
  }
  const signedOut = <T>(body: T) => signedIn(body, null)
  /** For calls whose 401 only says that nobody is signed in. */
  const unless401 =
    <T>(result: T) =>
    (error: unknown): T => {
      if (error instanceof AuthError && error.status === 401) return result
      throw error
    }

  const accept = async (answer: SignInAnswer): Promise<SignedIn | MfaRequired> => {
    if (!('mfa_required' in answer)) return signedIn(answer)
    const { challenge, expires_in, setup } = answer
    return { mfaRequired: true, challenge, expiresIn: expires_in, setup }
  }
  const verify = async (body: object) => signedIn(await tell<Verified>('mfa/verify', body))
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
      call<Account & Fields>('GET', 'me', undefined, 'asks').catch(unless401(null)),
    register: (body: Registration) => tell<RegisteredAccount>('register', body),
    /** Signs in with a password. The result may ask for a second factor. */
    login: async (body: LoginBody): Promise<SignedIn | MfaRequired> =>
      // Both routes ignore the members of the other.
      accept(await tell<SignInAnswer>(isBearer ? 'token' : 'login', body)),
    /** Finishes a sign-in at a route of the app: takes its body, which `completeLogin` has made. */
    accept,
    /** Signs out. Succeeds if nobody is signed in. */
    async logout(): Promise<Message> {
      const refresh_token = await refreshToken()
      const body = refresh_token ? { refresh_token } : undefined
      return post('logout', body, isBearer ? 'public' : 'leaves')
        .catch(unless401({ detail: 'Nobody is signed in' }))
        .then(signedOut)
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
      confirmVerification: confirmAt('email/verify-confirm'),
      requestReset: (body: RecoveryRequest) => tell('password/reset-request', body),
      confirmReset: (token: string, new_password: string) =>
        tell<ConfirmedToken>('password/reset-confirm', { token, new_password }),
      requestEmailChange: (body: Static<typeof ChangeEmail>) => post('email/change-request', body),
      confirmEmailChange: confirmAt('email/change-confirm'),
      revertEmailChange: confirmAt('email/change-revert'),
    },
    /**
     * Reads the token of a link in an email from the address bar, and removes it there. Follow the
     * `redirect_to` of the confirmation.
     */
    readLinkToken,

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
        const { authorize_url } = await post<Static<typeof AuthorizeUrl>>(
          `oauth/${segment(provider)}/link`,
          { redirect_to: redirectTo },
        )
        browser.location?.assign(authorize_url)
      },
      unlink: (provider: string) => remove<Message>(`oauth/${segment(provider)}`),
      accounts: () => get<Link[]>('oauth/accounts'),
      /** Reads what a sign-in with a provider has left in the address bar, and removes it there. */
      readLanding,
    },

    passkeys: {
      /** Whether the browser has passkeys. False in Node, and in pages without HTTPS. */
      isSupported: (): boolean => !!browser.PublicKeyCredential,
      /** Whether `signIn({ conditional: true })` works here. */
      isConditionalSupported: async (): Promise<boolean> =>
        !!(await browser.PublicKeyCredential?.isConditionalMediationAvailable?.()),
      /**
       * Adds a passkey to the account of the signed-in user.
       * @throws DOMException of the browser: `NotAllowedError` if the user cancels,
       * `InvalidStateError` if the device has a passkey of the account
       */
      async register(name?: string): Promise<Passkey> {
        const offer = await post<PasskeyOffer>('passkeys/register/options', { name })
        return post<Passkey>('passkeys/register/verify', {
          ...(await prove('create', offer)),
          name,
        })
      },
      /**
       * Signs in with a passkey. The result may ask for a second factor, like that of `login`.
       * @throws DOMException of the browser: `NotAllowedError` if the user cancels, `AbortError`
       */
      async signIn({
        rememberMe,
        scope,
        transport = options.transport ?? 'session',
        conditional,
        signal,
      }: PasskeySignIn = {}): Promise<SignedIn | MfaRequired> {
        const offer = await tell<PasskeyOffer>('passkeys/login/options', {})
        const mediation = conditional ? 'conditional' : undefined
        const proof = await prove('get', offer, { mediation, signal })
        const body = { ...proof, transport, remember_me: rememberMe, scope }
        return accept(await tell<SignInAnswer>('passkeys/login/verify', body))
      },
      list: () => get<Passkey[]>('passkeys'),
      rename: (id: string, name: string) =>
        call<Passkey>('PATCH', `passkeys/${segment(id)}`, { name }),
      remove: (id: string) => remove<Message>(`passkeys/${segment(id)}`),
      /** Has a passkey confirm an offer of your own route, such as that for sudo mode. */
      assert: (offer: PasskeyOffer): Promise<PasskeyProof> => prove('get', offer),
    },

    mfa: {
      /** What a challenge asks for. */
      challenge: (challenge: string) => tell<Challenge>('mfa/challenge', { challenge }),
      /** Finishes a sign-in with a code. */
      verify: (body: Static<typeof VerifyMfa>) => verify(body),
      /** Finishes a sign-in with a passkey. */
      async verifyPasskey({
        challenge,
        remember_device,
      }: Pick<Static<typeof VerifyMfa>, 'challenge' | 'remember_device'>) {
        const offer = await tell<PasskeyOffer>('mfa/passkey/options', { challenge })
        return verify({ challenge, ...(await prove('get', offer)), remember_device })
      },
      status: () => get<SecondFactor>('mfa'),
      setup: (password?: string) => post<Setup>('mfa/totp/setup', { password }),
      confirm: (code: string) => post<Codes>('mfa/totp/confirm', { code }),
      disable: (code: string) => post('mfa/totp/disable', { code }),
      regenerateRecoveryCodes: (code: string) =>
        post<Codes>('mfa/recovery-codes/regenerate', { code }),
    },
  })
}
