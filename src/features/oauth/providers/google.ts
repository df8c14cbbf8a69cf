import type { OAuthProvider } from '../../../ports/oauth-provider.js'
import { standardProfile } from './claims.js'
import {
  type ClientSecret,
  checkBuilder,
  commonOf,
  type OidcEndpoints,
  oidcNames,
  type ProviderOptions,
  secretInBody,
} from './options.js'

/** Options of {@link google}. */
export interface GoogleOptions extends ProviderOptions, OidcEndpoints, ClientSecret {
  /** Default `https://accounts.google.com`. */
  readonly issuer?: string | undefined
}

/**
 * Sign in with Google, by OpenID Connect. Scopes: `openid email profile`.
 * @throws CRUDAUTH_CONFIG
 * @see https://developers.google.com/identity/openid-connect/openid-connect
 * @example
 * oauth: { baseUrl, providers: { google: google({ clientId, clientSecret }) } }
 */
export function google(options: GoogleOptions): OAuthProvider {
  checkBuilder('google', options, [...oidcNames, 'clientSecret'])
  return Object.freeze({
    protocol: 'oidc',
    issuer: 'https://accounts.google.com',
    scopes: ['openid', 'email', 'profile'],
    clientAuthentication: secretInBody('google', options),
    // All of it stands in the ID token.
    useUserinfo: false,
    mapProfile: standardProfile,
    ...commonOf(options),
  } satisfies OAuthProvider)
}
