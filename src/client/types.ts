import type { Static } from '@sinclair/typebox'
import type {
  ChallengeInfo,
  Confirmed,
  Detail,
  LinkedAccounts,
  LoggedIn,
  Login,
  Me,
  MfaChallenge,
  MfaStatus,
  RecoveryCodes,
  Registered,
  Revoked,
  SessionList,
  TokenRequest,
  Tokens,
  TotpSetup,
  VerifiedProvider,
  VerifiedSession,
  VerifiedTokens,
} from '../../schemas/index.js'
import type {
  PasskeyAssertion,
  PasskeyOptions,
  Passkey as PasskeySchema,
} from '../../schemas/passkeys.js'
import type { CrudAuthErrorCode } from '../errors.js'

/** Codes of all errors: those of the plugin, and those of Fastify that its routes return. */
export type AuthErrorCode =
  | Exclude<CrudAuthErrorCode, 'CRUDAUTH_CONFIG'>
  | 'FST_ERR_VALIDATION'
  | 'FST_ERR_CTP_BODY_TOO_LARGE'
  | 'FST_ERR_CTP_INVALID_MEDIA_TYPE'
  | 'FST_ERR_CTP_INVALID_JSON_BODY'
  | 'FST_ERR_BAD_URL'
  | 'FST_ERR_MAX_PARAM_LENGTH'

/** Access token and, with `refresh: 'body'`, refresh token. */
export interface StoredTokens {
  readonly accessToken: string
  /** `Date.now()` milliseconds by the clock of this device. */
  readonly expiresAtMs: number
  /** Absent where the refresh token is in a cookie. */
  readonly refreshToken?: string | undefined
}

/** Where tokens are kept. Default: the memory of this page. */
export interface TokenStore {
  get(): StoredTokens | null | Promise<StoredTokens | null>
  set(tokens: StoredTokens | null): unknown
}

/** Options of `createAuthClient`. */
export interface AuthClientOptions {
  /**
   * Where the routes of the plugin are mounted: a path such as `/auth`, or a URL on another origin.
   * Node needs a URL.
   */
  readonly baseUrl: string
  /**
   * How requests are authenticated: by cookies, or by access tokens.
   * @defaultValue `session`
   */
  readonly transport?: 'session' | 'bearer' | undefined
  /**
   * Store of the tokens, for `bearer`. Not `localStorage`: every script of the page could read it.
   * @defaultValue memory
   */
  readonly tokens?: TokenStore | undefined
  /**
   * Name of the CSRF cookie.
   * @defaultValue `csrf_token`
   */
  readonly csrfCookie?: string | undefined
  /** Replaces `fetch`, in tests and in Node. */
  readonly fetch?: typeof globalThis.fetch | undefined
  /** Called when a request finds that the sign-in has ended. */
  readonly onSignedOut?: (() => void) | undefined
  /**
   * Called when a request needs sudo mode or a fresh sign-in. Ask for the password, post it to your
   * sudo route and return true: the request is then repeated once.
   */
  readonly onSudoRequired?: ((error: AuthFailure) => boolean | Promise<boolean>) | undefined
}

/** What `AuthError` says. */
export interface AuthFailure {
  readonly code: AuthErrorCode | null
  readonly status: number
  readonly retryAfter: number | null
  readonly message: string
}

/** A sign-in that needs a second factor. */
export interface MfaRequired {
  readonly mfaRequired: true
  readonly challenge: string
  /** Seconds. */
  readonly expiresIn: number
  /** For an account that must enroll first. */
  readonly setup?: Static<typeof TotpSetup> | undefined
}

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

/** Options of `oauth.signInWith`. */
export interface SignInWithOptions {
  /** Path of the same origin to land on. */
  readonly redirectTo?: string | undefined
  readonly rememberMe?: boolean | undefined
}

/** Options of `passkeys.signIn`. */
export interface PasskeySignIn {
  readonly rememberMe?: boolean | undefined
  /** Scopes of the access token, separated by spaces. */
  readonly scope?: string | undefined
  /**
   * Name of the transport that signs in.
   * @defaultValue that of the client
   */
  readonly transport?: string | undefined
  /** Offers passkeys in the autofill of a field, instead of a dialog. */
  readonly conditional?: boolean | undefined
  /** Ends the request. A page can have one at a time. */
  readonly signal?: AbortSignal | undefined
}

export type Account = Static<typeof Me>
export type SignedIn = Static<typeof LoggedIn> | Static<typeof Tokens>
/** Response of a sign-in on the wire. */
export type SignInAnswer = SignedIn | Static<typeof MfaChallenge>
export type Verified =
  | Static<typeof VerifiedSession>
  | Static<typeof VerifiedTokens>
  | Static<typeof VerifiedProvider>
export type LoginBody = Static<typeof Login> & Pick<Static<typeof TokenRequest>, 'scope'>
export type RegisteredAccount = Static<typeof Registered> | Static<typeof Detail>
export type Message = Static<typeof Detail>
export type ConfirmedToken = Static<typeof Confirmed>
export type Device = Static<typeof SessionList>[number]
export type RevokedDevices = Static<typeof Revoked>
export type Link = Static<typeof LinkedAccounts>[number]
export type SecondFactor = Static<typeof MfaStatus>
export type Challenge = Static<typeof ChallengeInfo>
export type Setup = Static<typeof TotpSetup>
export type Codes = Static<typeof RecoveryCodes>
export type Passkey = Static<typeof PasskeySchema>
/** Options for the browser, and the id of their challenge. */
export type PasskeyOffer = Static<typeof PasskeyOptions>
/** Body of a request that proves a passkey, such as that of your sudo route. */
export interface PasskeyProof {
  readonly challenge_id: string
  readonly response: Static<typeof PasskeyAssertion>
}
