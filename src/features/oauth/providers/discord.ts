import type { MappedProfile, OAuthProvider } from '../../../ports/oauth-provider.js'
import {
  type ClientSecret,
  checkBuilder,
  commonOf,
  type ProviderOptions,
  secretInBody,
} from './options.js'

/** Options of {@link discord}. */
export interface DiscordOptions extends ProviderOptions, ClientSecret {}

const mapProfile = (claims: Readonly<Record<string, unknown>>): MappedProfile => ({
  id: claims.id,
  email: claims.email,
  emailVerified: claims.verified,
  name: claims.global_name,
  username: claims.username,
})

/**
 * Sign in with Discord, through OAuth 2.0. Scopes: `identify email`.
 * @throws CRUDAUTH_CONFIG
 * @see https://discord.com/developers/docs/topics/oauth2
 * @example
 * oauth: { baseUrl, providers: { discord: discord({ clientId, clientSecret }) } }
 */
export function discord(options: DiscordOptions): OAuthProvider {
  checkBuilder('discord', options, ['clientSecret'])
  return Object.freeze({
    protocol: 'oauth2',
    authorizationEndpoint: 'https://discord.com/oauth2/authorize',
    tokenEndpoint: 'https://discord.com/api/oauth2/token',
    userinfoEndpoint: 'https://discord.com/api/users/@me',
    scopes: ['identify', 'email'],
    clientAuthentication: secretInBody('discord', options),
    mapProfile,
    ...commonOf(options),
  } satisfies OAuthProvider)
}
