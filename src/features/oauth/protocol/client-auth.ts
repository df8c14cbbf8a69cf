import { type KeyObject, subtle } from 'node:crypto'
import * as oauth from 'oauth4webapi'
import { describe, fail } from '../../../lib/option-checks.js'
import type { ClientAuthentication } from '../../../ports/oauth-provider.js'
import { OAuthFailure } from './oauth-failure.js'
import { readPrivateKey } from './private-key.js'

interface Algorithm {
  /** JOSE name of the algorithm. */
  readonly alg: string
  readonly import: { name: string; namedCurve?: string; hash?: string }
}

function algorithmOf(name: string, key: KeyObject): Algorithm {
  const { asymmetricKeyType: type, asymmetricKeyDetails: details } = key
  if (type === 'rsa' && (details?.modulusLength ?? 0) >= 2048) {
    return { alg: 'RS256', import: { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256' } }
  }
  if (type === 'ec' && details?.namedCurve === 'prime256v1') {
    return { alg: 'ES256', import: { name: 'ECDSA', namedCurve: 'P-256' } }
  }
  if (type === 'ec' && details?.namedCurve === 'secp384r1') {
    return { alg: 'ES384', import: { name: 'ECDSA', namedCurve: 'P-384' } }
  }
  if (type === 'ed25519') return { alg: 'EdDSA', import: { name: 'Ed25519' } }
  return fail(
    `"${name}" must be an RSA key of at least 2048 bits or a key on P-256, P-384 or Ed25519`,
  )
}

function signed(
  name: string,
  { privateKey, keyId }: ClientAuthentication & { method: 'private_key_jwt' },
  audienceIsIssuer: boolean,
): oauth.ClientAuth {
  const key = readPrivateKey(`${name}.privateKey`, privateKey)
  const algorithm = algorithmOf(`${name}.privateKey`, key)
  const pkcs8 = key.export({ format: 'der', type: 'pkcs8' })
  // Imported at first use. A key that was read and has a supported algorithm can be imported; if it
  // can't be, every sign-in fails.
  let imported: Promise<oauth.CryptoKey> | undefined
  return async (as, client, body, headers) => {
    imported ??= subtle.importKey('pkcs8', pkcs8, algorithm.import, false, ['sign'])
    const options: oauth.ModifyAssertionOptions = {
      [oauth.modifyAssertion](header, payload) {
        // oauth4webapi uses the names of RFC 9864, which few servers know yet.
        header.alg = algorithm.alg
        // Without a fixed issuer, the older rule applies: the token endpoint is the audience.
        if (!audienceIsIssuer) payload.aud = as.token_endpoint
      },
    }
    const sign = oauth.PrivateKeyJwt(
      { key: await imported, ...(keyId !== undefined && { kid: keyId }) },
      options,
    )
    await sign(as, client, body, headers)
  }
}

async function askForSecret(make: () => string | Promise<string>): Promise<string> {
  try {
    const clientSecret: unknown = await make()
    if (typeof clientSecret === 'string' && clientSecret !== '') return clientSecret
  } catch {
    // Reported below. The cause is dropped, because it may contain secrets.
  }
  throw new OAuthFailure('bad_client')
}

/**
 * Checks the client authentication option, and creates the `ClientAuth` of oauth4webapi.
 * @param audienceIsIssuer whether the audience of assertions is the issuer, not the token endpoint
 * @throws CRUDAUTH_CONFIG
 */
export function clientAuthOf(
  name: string,
  option: ClientAuthentication,
  audienceIsIssuer: boolean,
): oauth.ClientAuth {
  switch (option?.method) {
    case 'none':
      return oauth.None()
    case 'private_key_jwt':
      if (option.keyId !== undefined && typeof option.keyId !== 'string') {
        fail(`"${name}.keyId" must be a string, got ${describe(option.keyId)}`)
      }
      return signed(name, option, audienceIsIssuer)
    case 'client_secret_basic':
    case 'client_secret_post': {
      const { clientSecret, method } = option
      const present =
        method === 'client_secret_basic' ? oauth.ClientSecretBasic : oauth.ClientSecretPost
      if (typeof clientSecret === 'function') {
        return async (...request) => {
          const made = await askForSecret(clientSecret)
          await present(made)(...request)
        }
      }
      if (typeof clientSecret !== 'string' || clientSecret === '') {
        fail(`"${name}.clientSecret" must be a non-empty string, got ${describe(clientSecret)}`)
      }
      return present(clientSecret)
    }
    default:
      return fail(
        `"${name}.method" must be "client_secret_basic", "client_secret_post", "private_key_jwt" or "none", got ${describe((option as { method?: unknown } | undefined)?.method)}`,
      )
  }
}
