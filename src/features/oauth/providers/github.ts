import type { MappedProfile, OAuthProvider, ProfileExtras } from '../../../ports/oauth-provider.js'
import { isObject } from '../protocol/json.js'
import {
  type ClientSecret,
  checkBuilder,
  commonOf,
  type ProviderOptions,
  secretInBody,
} from './options.js'

/** Options of `github()`. */
export interface GithubOptions extends ProviderOptions, ClientSecret {
  /**
   * Overrides the endpoint with the email addresses.
   * @defaultValue `https://api.github.com/user/emails`
   */
  readonly emailsEndpoint?: string | undefined
}

/**
 * The address that is both primary and verified. The address in the profile is the public one, if
 * any, and may be unverified.
 */
function primaryOf(emails: unknown): string | null {
  const list: unknown[] = Array.isArray(emails) ? emails : []
  const primary = list.find(
    (entry) => isObject(entry) && entry.primary === true && entry.verified === true,
  )
  return isObject(primary) && typeof primary.email === 'string' ? primary.email : null
}

function mapProfile(
  claims: Readonly<Record<string, unknown>>,
  { emails }: ProfileExtras,
): MappedProfile {
  const email = primaryOf(emails)
  // `login` can be given up and taken by somebody else; the numeric id can't.
  return {
    id: claims.id,
    email,
    emailVerified: email !== null,
    name: claims.name,
    username: claims.login,
  }
}

/**
 * Sign in with GitHub, through OAuth 2.0. Scopes: `read:user user:email`. For GitHub Enterprise
 * Server, override all four endpoints.
 * @throws CRUDAUTH_CONFIG
 * @see https://docs.github.com/apps/oauth-apps/building-oauth-apps/authorizing-oauth-apps
 * @example
 * oauth: { baseUrl, providers: { github: github({ clientId, clientSecret }) } }
 */
export function github(options: GithubOptions): OAuthProvider {
  checkBuilder('github', options, ['clientSecret', 'emailsEndpoint'])
  return Object.freeze({
    protocol: 'oauth2',
    authorizationEndpoint: 'https://github.com/login/oauth/authorize',
    tokenEndpoint: 'https://github.com/login/oauth/access_token',
    userinfoEndpoint: 'https://api.github.com/user',
    emailsEndpoint: options.emailsEndpoint ?? 'https://api.github.com/user/emails',
    scopes: ['read:user', 'user:email'],
    clientAuthentication: secretInBody('github', options),
    mapProfile,
    ...commonOf(options),
  } satisfies OAuthProvider)
}
