import type { KeyObject } from 'node:crypto'
import { fail } from '../../../lib/option-checks.js'
import type { MappedProfile, OAuthProvider, ProfileExtras } from '../../../ports/oauth-provider.js'
import { isObject } from '../protocol/json.js'
import { readPrivateKey } from '../protocol/private-key.js'
import {
  checkBuilder,
  commonOf,
  needText,
  type OidcEndpoints,
  oidcNames,
  type ProviderOptions,
} from './options.js'

/** Options of `apple()`. */
export interface AppleOptions extends ProviderOptions, OidcEndpoints {
  /** Identifier of the Services ID. */
  readonly clientId: string
  /** Ten-character id of your team. */
  readonly teamId: string
  /** Ten-character id of the key. */
  readonly keyId: string
  /**
   * Contents of the `.p8` file of the key, or a `KeyObject`. It signs the client secret, a JWT that
   * is renewed automatically.
   */
  readonly privateKey: string | KeyObject
  /**
   * Overrides the issuer.
   * @defaultValue `https://appleid.apple.com`
   */
  readonly issuer?: string | undefined
}

const secretSeconds = 600
/** Secrets are reused for half of their lifetime, so at least the other half remains. */
const reuseMs = (secretSeconds * 1000) / 2

function secretMaker(
  { clientId, teamId, keyId, privateKey }: AppleOptions,
  audience: string,
): () => Promise<string> {
  const key = readPrivateKey('apple.privateKey', privateKey)
  if (key.asymmetricKeyDetails?.namedCurve !== 'prime256v1')
    fail('"apple.privateKey" must be a key on P-256, as Apple issues them')
  const claims = {
    kid: needText('apple.keyId', keyId),
    iss: needText('apple.teamId', teamId),
    sub: clientId,
    aud: audience,
  }
  const pem = key.export({ format: 'pem', type: 'pkcs8' }) as string
  let signing: Promise<(payload: object) => string> | undefined
  // Loaded on demand: apps without Apple don't need it.
  const signer = async () => {
    const { createSigner } = await import('fast-jwt')
    return createSigner({
      ...claims,
      key: pem,
      algorithm: 'ES256',
      expiresIn: secretSeconds * 1000,
    })
  }
  let made: { clientSecret: string; atMs: number } | undefined
  return async () => {
    signing ??= signer()
    const sign = await signing
    const atMs = Date.now()
    // If the clock is set back, the secret must not be reused forever.
    if (!made || Math.abs(atMs - made.atMs) > reuseMs) made = { clientSecret: sign({}), atMs }
    return made.clientSecret
  }
}

function nameOf(user: unknown): string | undefined {
  const name = isObject(user) && isObject(user.name) ? user.name : {}
  const parts = [name.firstName, name.lastName].filter(
    (part) => typeof part === 'string' && part !== '',
  )
  return parts.length > 0 ? parts.join(' ') : undefined
}

const mapProfile = (
  claims: Readonly<Record<string, unknown>>,
  { user }: ProfileExtras,
): MappedProfile => ({
  id: claims.sub,
  email: claims.email,
  // Apple documents a boolean or a string.
  emailVerified: claims.email_verified === true || claims.email_verified === 'true',
  name: nameOf(user),
})

/**
 * Sign in with Apple, through OpenID Connect. Scopes: `name email`, for which Apple posts the
 * callback. Apple sends the name only with the first sign-in.
 * @throws CRUDAUTH_CONFIG
 * @see https://developer.apple.com/documentation/signinwithapplerestapi
 * @example
 * oauth: { baseUrl, providers: { apple: apple({ clientId, teamId, keyId, privateKey }) } }
 */
export function apple(options: AppleOptions): OAuthProvider {
  checkBuilder('apple', options, [...oidcNames, 'teamId', 'keyId', 'privateKey'])
  const issuer = options.issuer ?? 'https://appleid.apple.com'
  return Object.freeze({
    protocol: 'oidc',
    scopes: ['name', 'email'],
    responseMode: 'form_post',
    clientAuthentication: {
      method: 'client_secret_post',
      clientSecret: secretMaker(options, issuer),
    },
    // Apple has no userinfo endpoint.
    useUserinfo: options.userinfoEndpoint !== undefined,
    mapProfile,
    ...commonOf(options),
    issuer,
  } satisfies OAuthProvider)
}
