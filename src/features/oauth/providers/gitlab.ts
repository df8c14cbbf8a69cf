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

/** Options of `gitlab()`. */
export interface GitlabOptions extends ProviderOptions, OidcEndpoints, ClientSecret {
  /**
   * URL of your own GitLab.
   * @defaultValue `https://gitlab.com`
   */
  readonly issuer?: string | undefined
}

/**
 * Sign in with GitLab, through OpenID Connect. Scopes: `openid email profile`.
 * @throws CRUDAUTH_CONFIG
 * @see https://docs.gitlab.com/integration/openid_connect_provider
 * @example
 * oauth: { baseUrl, providers: { gitlab: gitlab({ clientId, clientSecret }) } }
 */
export function gitlab(options: GitlabOptions): OAuthProvider {
  checkBuilder('gitlab', options, [...oidcNames, 'clientSecret'])
  return Object.freeze({
    protocol: 'oidc',
    issuer: 'https://gitlab.com',
    scopes: ['openid', 'email', 'profile'],
    clientAuthentication: secretInBody('gitlab', options),
    mapProfile: standardProfile,
    ...commonOf(options),
  } satisfies OAuthProvider)
}
