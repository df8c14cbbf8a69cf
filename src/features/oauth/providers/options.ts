import { checkObject, describe, fail } from '../../../lib/option-checks.js'
import type {
  ClientAuthentication,
  MappedProfile,
  OAuthProvider,
  ProfileExtras,
} from '../../../ports/oauth-provider.js'

/** What every builder takes. */
export interface ProviderOptions {
  /** The id that the provider gave the app. */
  readonly clientId: string
  /** Replaces the provider's default scopes. */
  readonly scopes?: readonly string[] | undefined
  /** Further parameters of the authorization request, such as `{ prompt: 'select_account' }`. */
  readonly authorizationParams?: Readonly<Record<string, string>> | undefined
  readonly authorizationEndpoint?: string | undefined
  readonly tokenEndpoint?: string | undefined
  readonly userinfoEndpoint?: string | undefined
  /** For development: allows http and private addresses. Default false. */
  readonly allowInsecure?: boolean | undefined
  /** Picks the profile out of the provider's claims instead of the builder. Whatever it throws fails the sign-in. */
  readonly mapProfile?:
    | ((
        claims: Readonly<Record<string, unknown>>,
        extras: ProfileExtras,
      ) => MappedProfile | Promise<MappedProfile>)
    | undefined
}

/** What the builders of OpenID Connect providers take beside. */
export interface OidcEndpoints {
  /** Default: `/.well-known/openid-configuration` below the issuer. */
  readonly metadataUrl?: string | undefined
  readonly jwksUri?: string | undefined
}

/** A client that proves itself by a secret. */
export interface ClientSecret {
  readonly clientSecret: string
}

/** How the app proves to any provider that it is the client. */
export interface ClientCredentials {
  /** With it, `clientAuthentication` is `client_secret_basic` by default. */
  readonly clientSecret?: string | undefined
  /** PEM (PKCS #8) or a `KeyObject`. With it, `clientAuthentication` is `private_key_jwt`. */
  readonly privateKey?:
    | (ClientAuthentication & { method: 'private_key_jwt' })['privateKey']
    | undefined
  /** `kid` of the private key at the provider. */
  readonly keyId?: string | undefined
  /** `none` is for a client without credentials, and must be said: a secret that is merely missing is a mistake. */
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

/** A text that must be there. @throws CRUDAUTH_CONFIG, without the text */
export function needText(name: string, value: unknown): string {
  if (typeof value !== 'string' || value === '')
    fail(`"${name}" must be a non-empty string, got ${describe(value)}`)
  return value
}

/** The members of a provider that its builder's options say. Absent ones stay out, so that they leave defaults alone. */
export function commonOf(
  options: ProviderOptions & OidcEndpoints,
): Partial<OAuthProvider> & Pick<OAuthProvider, 'clientId'> {
  const names = [...common, ...oidcNames] as (keyof typeof options)[]
  const given = names
    .filter((name) => options[name] !== undefined)
    .map((name) => [name, options[name]])
  return Object.fromEntries(given) as ReturnType<typeof commonOf>
}

/** The secret in the body, which all the well-known providers take. */
export const secretInBody = (
  builder: string,
  { clientSecret }: ClientSecret,
): ClientAuthentication => ({
  method: 'client_secret_post',
  clientSecret: needText(`${builder}.clientSecret`, clientSecret),
})

/** The client authentication that the options mean. @throws CRUDAUTH_CONFIG */
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
