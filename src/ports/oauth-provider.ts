import type { KeyObject } from 'node:crypto'

/** How the app proves to a provider's token endpoint that it is the registered client. */
export type ClientAuthentication =
  | {
      readonly method: 'client_secret_basic' | 'client_secret_post'
      /** The secret itself, or what makes it: asked once for each sign-in (Apple's secret is a JWT that ends soon). */
      readonly clientSecret: string | (() => string | Promise<string>)
    }
  | {
      readonly method: 'private_key_jwt'
      /** PEM (PKCS #8) or a `KeyObject`: RSA (RS256), P-256 (ES256), P-384 (ES384) or Ed25519 (EdDSA). */
      readonly privateKey: string | KeyObject
      /** `kid` of the assertion's header, for a provider that knows several keys of the client. */
      readonly keyId?: string | undefined
    }
  /** A public client: PKCE alone binds the code to this app. */
  | { readonly method: 'none' }

/** What a provider says about a user, as its `mapProfile` picks it out. Everything is checked afterwards. */
export interface MappedProfile {
  /**
   * The provider's immutable id of the account, never a login name or an address: those get new owners. Text, a whole number
   * or a bigint; a sign-in with anything else is refused. OpenID Connect: text only.
   */
  readonly id: unknown
  /** Anything but an address counts as none. */
  readonly email?: unknown
  /** Only `true`, 1, `"1"` and `"true"` count: who verifies an address may sign in to the account that has it. */
  readonly emailVerified?: unknown
  readonly name?: unknown
  readonly username?: unknown
}

/** What `mapProfile` is given beside the claims. */
export interface ProfileExtras {
  /** Body of `emailsEndpoint`, where the provider has one. */
  readonly emails?: unknown
  /**
   * Parsed `user` field of a posted callback (Apple sends the name there at the first sign-in). It went through the browser
   * unsigned: use it for a display name, never for an id or an address.
   */
  readonly user?: unknown
}

/** Who signed in, checked and in one shape for every provider. */
export interface OAuthProfile {
  /** The provider's immutable id as text: 1 to 255 characters. */
  readonly id: string
  readonly email: string | null
  /** Whether the provider vouches for `email`. False without one. */
  readonly emailVerified: boolean
  /** Name to show, at most 255 characters. */
  readonly name?: string
  /** Login name at the provider, at most 255 characters. It may change hands there. */
  readonly username?: string
  /**
   * The claims as the provider sent them: of the ID token and of userinfo for OpenID Connect, the body of userinfo otherwise.
   * Whole numbers too large for JavaScript are text.
   */
  readonly raw: Readonly<Record<string, unknown>>
}

/** What the provider issued. Handed on once and kept nowhere: who holds it acts for the user at the provider. */
export interface OAuthTokens {
  readonly accessToken: string
  readonly tokenType: string
  readonly refreshToken?: string
  readonly idToken?: string
  /** Lifetime of the access token in seconds, as the provider says. */
  readonly expiresInSeconds?: number
  /** Granted scopes, separated by spaces, where the provider says so. */
  readonly scope?: string
}

/**
 * One sign-in provider: where it is, who the app is there, and how its answer becomes a profile. The builders (`google()`,
 * `oidc()`, `oauth2()` and the others) create these; one written without a builder is checked the same way.
 */
export interface OAuthProvider {
  /** `oidc`: who signed in is what the signed ID token says. `oauth2`: what the userinfo endpoint says. */
  readonly protocol: 'oidc' | 'oauth2'
  /**
   * Issuer identifier. Required for OpenID Connect, where metadata, ID token and callback must name it; for plain OAuth 2.0
   * a callback that names an issuer (RFC 9207) must name this one.
   */
  readonly issuer?: string | undefined
  /** Whether a callback without `iss` is refused. Default: what the provider's metadata announces. */
  readonly requireIss?: boolean | undefined
  /**
   * The issuer that an ID token with these claims must name, where it is not `issuer` itself (Microsoft's names the tenant of
   * the account); null refuses. The claims are not verified yet.
   */
  readonly issuerOf?: ((claims: Readonly<Record<string, unknown>>) => string | null) | undefined
  /** Where the metadata are. Default: `/.well-known/openid-configuration` below the issuer. */
  readonly metadataUrl?: string | undefined
  /** Overrides the metadata, like the endpoints below. With this, `tokenEndpoint` and `jwksUri` no metadata are fetched. */
  readonly authorizationEndpoint?: string | undefined
  readonly tokenEndpoint?: string | undefined
  readonly jwksUri?: string | undefined
  /** Required for plain OAuth 2.0. */
  readonly userinfoEndpoint?: string | undefined
  /** OpenID Connect: whether to ask userinfo, where there is one, beside the ID token. Default true. */
  readonly useUserinfo?: boolean | undefined
  /** A further resource that lists the user's addresses (GitHub). */
  readonly emailsEndpoint?: string | undefined
  readonly clientId: string
  readonly clientAuthentication: ClientAuthentication
  readonly scopes: readonly string[]
  /** Further parameters of the authorization request, such as `prompt`; those of the protocol itself are refused. */
  readonly authorizationParams?: Readonly<Record<string, string>> | undefined
  /** `form_post`: the provider posts the callback. Default `query`. */
  readonly responseMode?: 'query' | 'form_post' | undefined
  /** For development: allows http and private addresses. Default false. */
  readonly allowInsecure?: boolean | undefined
  /** Picks the profile out of the claims. Whatever it throws fails the sign-in. */
  mapProfile(
    claims: Readonly<Record<string, unknown>>,
    extras: ProfileExtras,
  ): MappedProfile | Promise<MappedProfile>
}
