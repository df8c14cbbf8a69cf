import { checkObject, describe, fail } from '../../../lib/option-checks.js'
import type {
  ClientAuthentication,
  MappedProfile,
  OAuthProvider,
  ProfileExtras,
} from '../../../ports/oauth-provider.js'

/** Options of every provider. */
export interface ProviderOptions {
  /** Client id that the provider gave you. */
  readonly clientId: string
  /**
   * Replaces the default scopes of the provider.
   * @defaultValue the provider's
   */
  readonly scopes?: readonly string[] | undefined
  /**
   * Further parameters of the authorization request, such as `{ prompt: 'select_account' }`.
   * Protocol parameters are refused. What `max_age`, `acr_values` and `hd` ask for is verified in
   * the ID token.
   * @defaultValue `{}`
   */
  readonly authorizationParams?: Readonly<Record<string, string>> | undefined
  /**
   * Overrides the authorization endpoint.
   * @defaultValue the provider's
   */
  readonly authorizationEndpoint?: string | undefined
  /**
   * Overrides the token endpoint.
   * @defaultValue the provider's
   */
  readonly tokenEndpoint?: string | undefined
  /**
   * Overrides the userinfo endpoint.
   * @defaultValue the provider's
   */
  readonly userinfoEndpoint?: string | undefined
  /**
   * Allows http and private addresses, for development. Logs a warning.
   * @defaultValue `false`
   */
  readonly allowInsecure?: boolean | undefined
  /**
   * Maps claims to `{ id, email, emailVerified, name, username }` instead of the built-in mapping.
   * May be async; an error fails the sign-in.
   * @defaultValue the provider's
   */
  readonly mapProfile?:
    | ((
        claims: Readonly<Record<string, unknown>>,
        extras: ProfileExtras,
      ) => MappedProfile | Promise<MappedProfile>)
    | undefined
}

/** Further options of OpenID Connect providers. */
export interface OidcEndpoints {
  /**
   * URL of the provider metadata.
   * @defaultValue `/.well-known/openid-configuration` below the issuer
   */
  readonly metadataUrl?: string | undefined
  /**
   * URL of the signing keys.
   * @defaultValue from the metadata
   */
  readonly jwksUri?: string | undefined
}

/** A client that authenticates with a secret. */
export interface ClientSecret {
  /** Client secret that the provider gave you. */
  readonly clientSecret: string
}

/** How the app authenticates to the provider. */
export interface ClientCredentials {
  /**
   * Client secret. Authenticates with `client_secret_basic` unless `clientAuthentication` says
   * otherwise.
   * @defaultValue none
   */
  readonly clientSecret?: string | undefined
  /**
   * Private key, as PEM (PKCS #8) or `KeyObject`: RSA, P-256, P-384 or Ed25519. Authenticates with
   * `private_key_jwt` (RFC 7523).
   * @defaultValue none
   */
  readonly privateKey?:
    | (ClientAuthentication & { method: 'private_key_jwt' })['privateKey']
    | undefined
  /**
   * `kid` of the private key at the provider.
   * @defaultValue none
   */
  readonly keyId?: string | undefined
  /**
   * Client authentication method. `none`, for a public client, must be set explicitly.
   * @defaultValue `client_secret_basic`, or `private_key_jwt` with a key
   */
  readonly clientAuthentication?: ClientAuthentication['method'] | undefined
}

const common = [
  ...[
    'clientId',
    'scopes',
    'authorizationParams',
    'authorizationEndpoint',
    'tokenEndpoint',
    'userinfoEndpoint',
  ],
  'allowInsecure',
  'mapProfile',
]

/** Names of the options of OpenID Connect builders beyond the common ones. */
export const oidcNames = ['issuer', 'metadataUrl', 'jwksUri']

/** Names of the options of {@link ClientCredentials}. */
export const credentialNames = ['clientSecret', 'privateKey', 'keyId', 'clientAuthentication']

/** Checks the options of a builder. @throws CRUDAUTH_CONFIG */
export function checkBuilder(builder: string, options: object, names: readonly string[]): void {
  checkObject(builder, options, [...common, ...names])
}

/** Requires a non-empty string. @throws CRUDAUTH_CONFIG; the message doesn't contain the value */
export function needText(name: string, value: unknown): string {
  if (typeof value !== 'string' || value === '')
    fail(`"${name}" must be a non-empty string, got ${describe(value)}`)
  return value
}

/**
 * Members of a provider from its builder's options. Absent options are left out, so that they don't
 * override defaults.
 */
export function commonOf(
  options: ProviderOptions & OidcEndpoints,
): Partial<OAuthProvider> & Pick<OAuthProvider, 'clientId'> {
  const names = [...common, ...oidcNames] as (keyof typeof options)[]
  const given = names
    .filter((name) => options[name] !== undefined)
    .map((name) => [name, options[name]])
  return Object.fromEntries(given) as ReturnType<typeof commonOf>
}

/** Sends the client secret in the body, which all well-known providers accept. */
export const secretInBody = (
  builder: string,
  { clientSecret }: ClientSecret,
): ClientAuthentication => ({
  method: 'client_secret_post',
  clientSecret: needText(`${builder}.clientSecret`, clientSecret),
})

/** Derives the client authentication from the options. @throws CRUDAUTH_CONFIG */
export function authenticationOf(
  builder: string,
  options: ClientCredentials,
): ClientAuthentication {
  const { clientSecret, privateKey, keyId, clientAuthentication } = options
  if (keyId !== undefined) needText(`${builder}.keyId`, keyId)
  const method =
    clientAuthentication ?? (privateKey === undefined ? 'client_secret_basic' : 'private_key_jwt')
  const surplus =
    method === 'none'
      ? (clientSecret ?? privateKey)
      : method === 'private_key_jwt'
        ? clientSecret
        : privateKey
  if (surplus !== undefined)
    fail(`"${builder}" has credentials that "clientAuthentication" of "${method}" does not use`)
  switch (method) {
    case 'none':
      return { method }
    case 'private_key_jwt':
      if (privateKey === undefined) fail(`"${builder}.privateKey" is needed for "private_key_jwt"`)
      return { method, privateKey, keyId }
    case 'client_secret_basic':
    case 'client_secret_post':
      if (clientSecret === undefined) {
        fail(
          `"${builder}" needs "clientSecret" or "privateKey"; for a public client set "clientAuthentication" to "none"`,
        )
      }
      return { method, clientSecret: needText(`${builder}.clientSecret`, clientSecret) }
    default:
      return fail(
        `"${builder}.clientAuthentication" must be "client_secret_basic", "client_secret_post", "private_key_jwt" or "none", got ${describe(method)}`,
      )
  }
}
