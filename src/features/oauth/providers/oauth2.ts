import type { OAuthProvider } from '../../../ports/oauth-provider.js'
import {
  authenticationOf,
  type ClientCredentials,
  checkBuilder,
  commonOf,
  credentialNames,
  type ProviderOptions,
} from './options.js'

/** Options of `oauth2()`. */
export interface OAuth2Options extends ProviderOptions, ClientCredentials {
  /** Authorization endpoint. */
  readonly authorizationEndpoint: string
  /** Token endpoint. */
  readonly tokenEndpoint: string
  /** Endpoint that returns the owner of an access token as a JSON object. */
  readonly userinfoEndpoint: string
  /**
   * A second resource. `mapProfile` gets its body as `extras.emails`.
   * @defaultValue none
   */
  readonly emailsEndpoint?: string | undefined
  /**
   * Issuer that a callback must name if it names one (RFC 9207).
   * @defaultValue none
   */
  readonly issuer?: string | undefined
  /**
   * Whether a callback without `iss` is refused.
   * @defaultValue `false`
   */
  readonly requireIss?: boolean | undefined
  /** Maps the userinfo response to `{ id, email, emailVerified, name, username }`. */
  readonly mapProfile: NonNullable<ProviderOptions['mapProfile']>
}

/**
 * Any OAuth 2.0 provider with a userinfo endpoint. For OpenID Connect providers use `oidc()`, which
 * verifies more.
 * @throws CRUDAUTH_CONFIG
 * @example
 * oauth2({
 *   clientId,
 *   clientSecret,
 *   authorizationEndpoint: 'https://forge.example/authorize',
 *   tokenEndpoint: 'https://forge.example/token',
 *   userinfoEndpoint: 'https://forge.example/me',
 *   mapProfile: (me) => ({ id: String(me.id), email: me.email, emailVerified: me.verified === true }),
 * })
 */
export function oauth2(options: OAuth2Options): OAuthProvider {
  checkBuilder('oauth2', options, [...credentialNames, 'emailsEndpoint', 'issuer', 'requireIss'])
  return Object.freeze({
    protocol: 'oauth2',
    scopes: [],
    clientAuthentication: authenticationOf('oauth2', options),
    emailsEndpoint: options.emailsEndpoint,
    requireIss: options.requireIss,
    mapProfile: options.mapProfile,
    ...commonOf(options),
  } satisfies OAuthProvider)
}
