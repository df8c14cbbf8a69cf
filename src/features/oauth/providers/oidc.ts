import { checkStrings } from '../../../lib/option-checks.js'
import type { OAuthProvider } from '../../../ports/oauth-provider.js'
import { standardProfile } from './claims.js'
import {
  authenticationOf,
  type ClientCredentials,
  checkBuilder,
  commonOf,
  credentialNames,
  needText,
  type OidcEndpoints,
  oidcNames,
  type ProviderOptions,
} from './options.js'

/** Options of `oidc()`. */
export interface OidcOptions extends ProviderOptions, OidcEndpoints, ClientCredentials {
  /**
   * Issuer identifier, exactly as the provider publishes it. Metadata, callbacks and ID tokens must
   * name it.
   */
  readonly issuer: string
  /**
   * Whether a callback without `iss` is refused (RFC 9207).
   * @defaultValue as the metadata announces
   */
  readonly requireIss?: boolean | undefined
  /**
   * Whether to call the userinfo endpoint in addition to the ID token, where there is one.
   * @defaultValue `true`
   */
  readonly useUserinfo?: boolean | undefined
}

/**
 * Any OpenID Connect provider, through discovery. Scopes: `openid email profile`; `openid` is added
 * if it is missing.
 * @throws CRUDAUTH_CONFIG
 * @example
 * oauth: { baseUrl, providers: { acme: oidc({ issuer: 'https://id.acme.example', clientId, clientSecret }) } }
 */
export function oidc(options: OidcOptions): OAuthProvider {
  checkBuilder('oidc', options, [...oidcNames, ...credentialNames, 'requireIss', 'useUserinfo'])
  const scopes = checkStrings('oidc.scopes', options.scopes, ['openid', 'email', 'profile'])
  return Object.freeze({
    protocol: 'oidc',
    clientAuthentication: authenticationOf('oidc', options),
    requireIss: options.requireIss,
    useUserinfo: options.useUserinfo,
    mapProfile: standardProfile,
    ...commonOf(options),
    issuer: needText('oidc.issuer', options.issuer),
    scopes: scopes.includes('openid') ? scopes : ['openid', ...scopes],
  } satisfies OAuthProvider)
}
