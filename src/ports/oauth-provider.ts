import type { KeyObject } from 'node:crypto'

/** How the app proves to a provider's token endpoint that it is the registered client. */
export type ClientAuthentication =
  | {
      readonly method: 'client_secret_basic' | 'client_secret_post'
      /**
       * The secret, or a function called once per sign-in (Apple's secret is a short-lived JWT).
       */
      readonly clientSecret: string | (() => string | Promise<string>)
    }
  | {
      readonly method: 'private_key_jwt'
      /**
       * PEM (PKCS #8) or a `KeyObject`: RSA (RS256), P-256 (ES256), P-384 (ES384) or Ed25519
       * (EdDSA).
       */
      readonly privateKey: string | KeyObject
      /** `kid` header of the assertion, if several keys of the client are registered. */
      readonly keyId?: string | undefined
    }
  /** A public client: PKCE alone binds the code to this app. */
  | { readonly method: 'none' }

/** The user at a provider, as returned by `mapProfile`. Validated afterwards. */
export interface MappedProfile {
  /**
   * Immutable id of the account at the provider. Never a login name or an address: those can pass
   * to a new owner. A string, a whole number or a bigint; with OpenID Connect a string.
   */
  readonly id: unknown
  /** Anything but a valid address counts as absent. */
  readonly email?: unknown
  /**
   * Only `true`, 1, `"1"` and `"true"` count. A verified address signs in to the account that has
   * it.
   */
  readonly emailVerified?: unknown
  readonly name?: unknown
  readonly username?: unknown
}

/** Second argument of `mapProfile`: data besides the claims. */
export interface ProfileExtras {
  /** Response of `emailsEndpoint`, if the provider has one. */
  readonly emails?: unknown
  /**
   * Parsed `user` field of a posted callback (Apple sends the name there at the first sign-in).
   * Unsigned, from the browser: use it for a display name only.
   */
  readonly user?: unknown
}

/** The user at a provider, validated, in one format for every provider. */
export interface OAuthProfile {
  /** Immutable id at the provider, 1 to 255 characters. */
  readonly id: string
  readonly email: string | null
  /** Whether the provider has verified `email`. False without one. */
  readonly emailVerified: boolean
  /** Display name, at most 255 characters. */
  readonly name?: string
  /** Login name at the provider, at most 255 characters. It may pass to a new owner there. */
  readonly username?: string
  /**
   * The claims as sent: of the ID token and userinfo for OpenID Connect, otherwise the userinfo
   * response. Whole numbers too large for JavaScript are text.
   */
  readonly raw: Readonly<Record<string, unknown>>
}

/**
 * Tokens of the provider. Passed to your hook once and never stored: whoever has them can act as
 * the user at the provider.
 */
export interface OAuthTokens {
  readonly accessToken: string
  readonly tokenType: string
  readonly refreshToken?: string
  readonly idToken?: string
  /** Lifetime of the access token in seconds, as stated by the provider. */
  readonly expiresInSeconds?: number
  /** Granted scopes, separated by spaces, if the provider states them. */
  readonly scope?: string
}

/**
 * A provider: its endpoints, how the app authenticates to it, and how its claims become a profile.
 * Builders (`google()`, `oidc()`, `oauth2()` and others) create these. A provider that you write
 * yourself is checked in the same way.
 */
export interface OAuthProvider {
  /** `oidc`: the signed ID token identifies the user. `oauth2`: the userinfo endpoint does. */
  readonly protocol: 'oidc' | 'oauth2'
  /**
   * Issuer identifier. Required for OpenID Connect. For OAuth 2.0, a callback that names an issuer
   * (RFC 9207) must name this one.
   */
  readonly issuer?: string | undefined
  /** Whether a callback without `iss` is refused. Default: as the provider's metadata announces. */
  readonly requireIss?: boolean | undefined
  /**
   * Issuer that an ID token with these claims must name, if it is not `issuer` (Microsoft names the
   * tenant); null refuses. The claims are not verified yet.
   */
  readonly issuerOf?: ((claims: Readonly<Record<string, unknown>>) => string | null) | undefined
  /** URL of the metadata. Default: `/.well-known/openid-configuration` below the issuer. */
  readonly metadataUrl?: string | undefined
  /**
   * Overrides the metadata, like the endpoints below. With this, `tokenEndpoint` and `jwksUri`, no
   * metadata are fetched.
   */
  readonly authorizationEndpoint?: string | undefined
  readonly tokenEndpoint?: string | undefined
  readonly jwksUri?: string | undefined
  /** Required for OAuth 2.0. */
  readonly userinfoEndpoint?: string | undefined
  /**
   * OpenID Connect: whether to call userinfo in addition to the ID token, where there is one.
   * Default true.
   */
  readonly useUserinfo?: boolean | undefined
  /** Endpoint with the email addresses, if the userinfo has none (GitHub). */
  readonly emailsEndpoint?: string | undefined
  readonly clientId: string
  readonly clientAuthentication: ClientAuthentication
  readonly scopes: readonly string[]
  /**
   * Further parameters of the authorization request, such as `prompt`. Protocol parameters are
   * refused.
   */
  readonly authorizationParams?: Readonly<Record<string, string>> | undefined
  /** `form_post`: the provider posts the callback. Default `query`. */
  readonly responseMode?: 'query' | 'form_post' | undefined
  /** For development: allows http and private addresses. Default false. */
  readonly allowInsecure?: boolean | undefined
  /** Maps claims to a profile. An error fails the sign-in. */
  mapProfile(
    claims: Readonly<Record<string, unknown>>,
    extras: ProfileExtras,
  ): MappedProfile | Promise<MappedProfile>
}
