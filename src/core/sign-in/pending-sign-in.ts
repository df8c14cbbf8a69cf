import type { AuthenticationMethod } from '../../ports/transport.js'
import type { SessionLocation } from '../sessions/sessions.js'

/** Options of `completeLogin`. */
export interface CompleteLoginOptions {
  /**
   * `session`, `bearer`, or a transport of your own that has `signIn`. Default: `session` if it is
   * configured, otherwise `bearer`.
   */
  readonly transport?: string | undefined
  /** Sessions: whether the session outlives the browser. Default false. */
  readonly rememberMe?: boolean | undefined
  /** Tokens: requested scopes, reduced to `grantableScopes`. Default `defaultScopes`. */
  readonly scopes?: readonly string[] | undefined
  /** Sessions: JSON of your own, at most 2 KiB. */
  readonly metadata?: Readonly<Record<string, unknown>> | undefined
  /**
   * How the user authenticated, for `principal.amr`. With `mfa` among them, no second factor is
   * asked for. Default none.
   * @throws CRUDAUTH_INTERNAL for unknown methods
   */
  readonly amr?: readonly AuthenticationMethod[] | undefined
}

/** Further options, for the plugin's own sign-ins only. */
export interface SignInContext {
  /** When the user authenticated at a provider. Default now. */
  readonly authenticatedAt?: Date | undefined
  /**
   * Where the session that started the sign-in is stored, for a browser that doesn't send its
   * cookie.
   */
  readonly startedIn?: SessionLocation | null | undefined
}

/** What the second factor must know of a sign-in to finish it later. */
export interface Continuation {
  /** The identifier as it was typed. Default: the user's own. */
  readonly identifier?: string | undefined
  /** After a sign-in at a provider: where the front end goes on, or null. */
  readonly redirectTo?: string | null | undefined
  /** Name of the body in `SignIns.bodies`. Default: what the transport answers. */
  readonly body?: string | undefined
  /** Work in `SignIns.afterwards` that must wait for the second factor. */
  readonly afterwards?: { readonly name: string; readonly data: object } | undefined
}

/** A sign-in whose first factor was verified. */
export type PendingSignIn = CompleteLoginOptions &
  SignInContext &
  Continuation & { readonly transport: string }
