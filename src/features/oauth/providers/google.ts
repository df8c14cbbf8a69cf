import { checkFunction, fail } from '../../../lib/option-checks.js'
import type { MappedProfile, OAuthProvider } from '../../../ports/oauth-provider.js'
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

/** Options of `google()`. */
export interface GoogleOptions extends ProviderOptions, OidcEndpoints, ClientSecret {
  /**
   * Overrides the issuer.
   * @defaultValue `https://accounts.google.com`
   */
  readonly issuer?: string | undefined
  /**
   * Which addresses count as verified. `authoritative`: those that Google hosts (gmail.com, and
   * Workspace accounts with the claim `hd`). `verified`: every address that Google verified once;
   * it may have a new owner since.
   * @defaultValue `authoritative`
   * @see https://developers.google.com/identity/siwg/backend-auth
   */
  readonly trustEmail?: 'authoritative' | 'verified' | undefined
}

const isHosted = ({ hd }: Readonly<Record<string, unknown>>, email: unknown): boolean =>
  (typeof hd === 'string' && hd !== '') ||
  (typeof email === 'string' && email.toLowerCase().endsWith('@gmail.com'))

/** Treats an address as unverified unless Google is authoritative for it. */
const onlyHosted = (
  claims: Readonly<Record<string, unknown>>,
  profile: MappedProfile,
): MappedProfile =>
  isHosted(claims, profile.email) ? profile : { ...profile, emailVerified: false }

/**
 * Sign in with Google, through OpenID Connect. Scopes: `openid email profile`.
 * @throws CRUDAUTH_CONFIG
 * @see https://developers.google.com/identity/openid-connect/openid-connect
 * @example
 * oauth: { baseUrl, providers: { google: google({ clientId, clientSecret }) } }
 */
export function google(options: GoogleOptions): OAuthProvider {
  checkBuilder('google', options, [...oidcNames, 'clientSecret', 'trustEmail'])
  const { trustEmail = 'authoritative', mapProfile = standardProfile } = options
  if (trustEmail !== 'authoritative' && trustEmail !== 'verified')
    fail('"google.trustEmail" must be "authoritative" or "verified"')
  checkFunction('google.mapProfile', mapProfile)
  return Object.freeze({
    protocol: 'oidc',
    issuer: 'https://accounts.google.com',
    scopes: ['openid', 'email', 'profile'],
    clientAuthentication: secretInBody('google', options),
    // The ID token has all claims.
    useUserinfo: false,
    ...commonOf(options),
    mapProfile:
      trustEmail === 'verified'
        ? mapProfile
        : async (claims, extras) => onlyHosted(claims, await mapProfile(claims, extras)),
  } satisfies OAuthProvider)
}
