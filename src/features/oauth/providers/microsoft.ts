import { describe, fail } from '../../../lib/option-checks.js'
import type { MappedProfile, OAuthProvider } from '../../../ports/oauth-provider.js'
import {
  type ClientSecret,
  checkBuilder,
  commonOf,
  type OidcEndpoints,
  oidcNames,
  type ProviderOptions,
  secretInBody,
} from './options.js'

/** Options of `microsoft()`. */
export interface MicrosoftOptions extends ProviderOptions, OidcEndpoints, ClientSecret {
  /**
   * Who may sign in: a tenant id (GUID), `organizations` (work and school accounts), `consumers`
   * (personal accounts) or `common` (both).
   * @defaultValue `common`
   */
  readonly tenant?: string | undefined
  /**
   * Issuer of a national cloud.
   * @defaultValue that of the tenant at `https://login.microsoftonline.com`
   */
  readonly issuer?: string | undefined
}

const guid = /^[\da-f]{8}-[\da-f]{4}-[\da-f]{4}-[\da-f]{4}-[\da-f]{12}$/

/** The tenant of personal accounts. */
const personal = '9188040d-6c67-4c5b-b112-36a304b66dad'

const allows: Readonly<Record<string, (tenant: string) => boolean>> = {
  common: () => true,
  organizations: (tenant) => tenant !== personal,
  consumers: (tenant) => tenant === personal,
}

const mapProfile = (claims: Readonly<Record<string, unknown>>): MappedProfile => ({
  id: claims.sub,
  email: claims.email,
  // Admins of a tenant can set `email` to any address. Only this optional claim says that the owner
  // of the address's domain vouches for it.
  emailVerified: claims.xms_edov,
  name: claims.name,
})

/**
 * Sign in with Microsoft (Entra ID and personal accounts), through OpenID Connect. Scopes: `openid
 * email profile`. An address counts as verified only with the optional claim `xms_edov`, which the
 * app registration must request.
 * @throws CRUDAUTH_CONFIG
 * @see https://learn.microsoft.com/entra/identity-platform/v2-protocols-oidc
 * @example
 * oauth: { baseUrl, providers: { microsoft: microsoft({ clientId, clientSecret }) } }
 */
export function microsoft(options: MicrosoftOptions): OAuthProvider {
  checkBuilder('microsoft', options, [...oidcNames, 'clientSecret', 'tenant'])
  const { tenant = 'common' } = options
  const isShared = typeof tenant === 'string' && Object.hasOwn(allows, tenant)
  if (!isShared && !(typeof tenant === 'string' && guid.test(tenant))) {
    fail(
      `"microsoft.tenant" must be "common", "organizations", "consumers" or a tenant's id (a GUID in lower case), got ${describe(tenant)}`,
    )
  }
  const at = 'https://login.microsoftonline.com'
  // Shared endpoints publish a template as their issuer. Tokens name the tenant of the account.
  const issuer = options.issuer ?? `${at}/${isShared ? '{tenantid}' : tenant}/v2.0`
  const issuerOf = ({ tid }: Readonly<Record<string, unknown>>): string | null =>
    typeof tid === 'string' && guid.test(tid) && allows[tenant]?.(tid)
      ? issuer.replace('{tenantid}', tid)
      : null
  return Object.freeze({
    protocol: 'oidc',
    metadataUrl:
      options.issuer === undefined
        ? `${at}/${tenant}/v2.0/.well-known/openid-configuration`
        : undefined,
    scopes: ['openid', 'email', 'profile'],
    clientAuthentication: secretInBody('microsoft', options),
    // Only the ID token has the optional claims of the app registration.
    useUserinfo: false,
    mapProfile,
    ...commonOf(options),
    issuer,
    issuerOf: issuer.includes('{tenantid}') ? issuerOf : undefined,
  } satisfies OAuthProvider)
}
