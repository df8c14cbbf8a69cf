import type { OAuthProvider } from '../../../ports/oauth-provider.js'
import {
  authenticationOf,
  type ClientCredentials,
  checkBuilder,
  commonOf,
  credentialNames,
  type ProviderOptions,
} from './options.js'

/** Options of {@link oauth2}. */
export interface OAuth2Options extends ProviderOptions, ClientCredentials {
  readonly authorizationEndpoint: string
  readonly tokenEndpoint: string
  /** Says who the holder of an access token is, as a JSON object. */
  readonly userinfoEndpoint: string
  /** A second resource, whose body `mapProfile` finds in `extras.emails`. */
  readonly emailsEndpoint?: string | undefined
  /** Must be named by a callback that names an issuer (RFC 9207). */
  readonly issuer?: string | undefined
  /** Whether a callback without `iss` is refused. Default false. */
  readonly requireIss?: boolean | undefined
  readonly mapProfile: NonNullable<ProviderOptions['mapProfile']>
}

/**
 * Any OAuth 2.0 provider that says who its users are. For one with OpenID Connect use `oidc()`, which verifies more.
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
