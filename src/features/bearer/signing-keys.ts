import { createPrivateKey, createPublicKey, type KeyObject } from 'node:crypto'
import { createSigner, createVerifier } from 'fast-jwt'
import { sha256 } from '../../crypto/digest.js'
import type { PurposeKeys } from '../../crypto/keys.js'
import { checkObject, describe, fail } from '../../lib/option-checks.js'

/**
 * An asymmetric key for access tokens. The first key with a private half signs; all of them verify.
 */
export interface TokenKey {
  /** Key id, in the header of a token and in the JWK Set. */
  readonly kid: string
  readonly alg: 'EdDSA' | 'ES256' | 'RS256'
  /** PEM or a `KeyObject`. */
  readonly privateKey?: string | KeyObject
  /** PEM or a `KeyObject`. Sufficient for a key that only verifies. */
  readonly publicKey?: string | KeyObject
}

/** A public key as a JWK (RFC 7517). */
export type PublicJwk = Readonly<Record<string, unknown>>

/** Configured claims that all access tokens share. */
export interface TokenClaims {
  readonly issuer?: string | undefined
  readonly audience?: string | undefined
}

/** Signs and verifies JWTs of one type (RFC 7519, RFC 8725). */
export interface TokenKeys {
  /** @throws CRUDAUTH_CONFIG if no key has a private half */
  readonly needSigner: () => (payload: object) => string
  /**
   * Returns the claims of a token that one of the keys has signed, even if it has expired, or null.
   * The header must be byte for byte one that the signer writes. Algorithm, key and type come from
   * the configuration, never from the token.
   */
  verify(token: string): Record<string, unknown> | null
  /** The public keys of the JWK Set; empty for secrets. */
  readonly publicKeys: readonly PublicJwk[]
}

/** `typ` of access tokens (RFC 9068). */
const type = 'at+jwt'

interface ImportedKey {
  readonly header: string
  readonly sign: ((payload: object) => string) | null
  readonly verify: (token: string) => unknown
}

function make(
  kid: string,
  algorithm: 'HS256' | TokenKey['alg'],
  secret: string | Buffer | null,
  verifyKey: string | Buffer,
  { issuer, audience }: TokenClaims,
): ImportedKey {
  const header = { alg: algorithm, typ: type, kid }
  const sign = secret === null ? null : createSigner({ key: secret, algorithm, header })
  const verify = createVerifier({
    key: verifyKey,
    algorithms: [algorithm],
    checkTyp: type,
    cache: false,
    // The caller checks the expiry: an expired token has ended, but it isn't forged.
    ignoreExpiration: true,
    requiredClaims: [
      'sub',
      'iat',
      'exp',
      'jti',
      'ver',
      'typ',
      ...(issuer ? ['iss'] : []),
      ...(audience ? ['aud'] : []),
    ],
    ...(issuer && { allowedIss: issuer }),
    ...(audience && { allowedAud: audience }),
  })
  return { header: Buffer.from(JSON.stringify(header)).toString('base64url'), sign, verify }
}

/**
 * Whether the token is byte for byte what a signer writes for these claims. Base64url decoders
 * accept several spellings of a signature, and `JSON.parse` takes the last of two duplicate claims.
 */
function isCanonical(token: string, claims: object): boolean {
  const [, payload, signature = ''] = token.split('.')
  return (
    Buffer.from(signature, 'base64url').toString('base64url') === signature &&
    Buffer.from(JSON.stringify(claims)).toString('base64url') === payload
  )
}

function keyring(imported: readonly ImportedKey[], publicKeys: readonly PublicJwk[]): TokenKeys {
  const byHeader = new Map(imported.map((half) => [half.header, half]))
  const sign = imported.find((half) => half.sign !== null)?.sign
  return {
    needSigner: () =>
      sign ?? fail('"keys" of bearerTransport has no private key, so no token can be issued here'),
    verify(token) {
      const half = byHeader.get(token.slice(0, token.indexOf('.')))
      if (!half) return null
      try {
        const claims = half.verify(token)
        if (typeof claims !== 'object' || claims === null || Array.isArray(claims)) return null
        return isCanonical(token, claims) ? (claims as Record<string, unknown>) : null
      } catch {
        return null
      }
    },
    publicKeys,
  }
}

/** HS256 keys derived from the app's secrets. The first one signs; all of them verify. */
export const secretKeys = (keys: PurposeKeys, claims: TokenClaims): TokenKeys =>
  keyring(
    keys.map((key) =>
      make(sha256(`kid ${key.toString('base64')}`).slice(0, 11), 'HS256', key, key, claims),
    ),
    [],
  )

const curves = { EdDSA: ['ed25519'], ES256: ['ec'], RS256: ['rsa'] } as const
const minRsaBits = 2048

function importKey(
  name: string,
  { kid, alg, privateKey, publicKey }: TokenKey,
  claims: TokenClaims,
): { half: ImportedKey; jwk: PublicJwk } {
  const read = <T>(option: string, load: () => T): T => {
    try {
      return load()
    } catch {
      return fail(`"${name}.${option}" is not a readable key; pass it as PEM or a KeyObject`)
    }
  }
  if (privateKey === undefined && publicKey === undefined)
    fail(`"${name}" needs a "privateKey" or a "publicKey"`)
  const secret =
    privateKey === undefined
      ? null
      : read('privateKey', () =>
          typeof privateKey === 'string' ? createPrivateKey(privateKey) : privateKey,
        )
  const open =
    publicKey === undefined
      ? read('privateKey', () => createPublicKey(secret as KeyObject))
      : read('publicKey', () =>
          typeof publicKey === 'string' ? createPublicKey(publicKey) : publicKey,
        )
  if (open?.type !== 'public') fail(`"${name}.publicKey" must be a public key`)
  if (secret !== null && secret?.type !== 'private')
    fail(`"${name}.privateKey" must be a private key`)
  const kind = open.asymmetricKeyType
  const details = open.asymmetricKeyDetails
  if (
    !(curves[alg] as readonly (string | undefined)[]).includes(kind) ||
    (alg === 'ES256' && details?.namedCurve !== 'prime256v1') ||
    (alg === 'RS256' && (details?.modulusLength ?? 0) < minRsaBits)
  ) {
    fail(
      `"${name}" is not a key for ${alg}: EdDSA takes Ed25519, ES256 takes P-256, RS256 takes RSA of at least ${minRsaBits} bits`,
    )
  }
  if (secret !== null && !createPublicKey(secret).equals(open))
    fail(`"${name}": "privateKey" and "publicKey" do not belong together`)
  const pem = (key: KeyObject, encoding: 'pkcs8' | 'spki') =>
    key.export({ format: 'pem', type: encoding as 'spki' }) as string
  const half = make(kid, alg, secret && pem(secret, 'pkcs8'), pem(open, 'spki'), claims)
  return { half, jwk: { ...open.export({ format: 'jwk' }), kid, alg, use: 'sig' } }
}

/** Checks the `keys` option and imports the keys. @throws CRUDAUTH_CONFIG */
export function asymmetricKeys(option: unknown, claims: TokenClaims): TokenKeys {
  if (!Array.isArray(option) || option.length === 0) {
    fail(
      `"bearerTransport.keys" must be an array of { kid, alg, privateKey | publicKey }, got ${describe(option)}`,
    )
  }
  const kids = new Set<string>()
  const imported = option.map((key: TokenKey, index) => {
    const name = `bearerTransport.keys[${index}]`
    checkObject(name, key, ['kid', 'alg', 'privateKey', 'publicKey'])
    if (typeof key.kid !== 'string' || !/^[\w.~-]{1,64}$/.test(key.kid))
      fail(`"${name}.kid" must be 1 to 64 letters, digits or "._~-"`)
    if (kids.has(key.kid)) fail(`"${name}.kid" is used twice; give each key its own`)
    if (!Object.hasOwn(curves, key.alg))
      fail(`"${name}.alg" must be "EdDSA", "ES256" or "RS256", got ${describe(key.alg)}`)
    kids.add(key.kid)
    return importKey(name, key, claims)
  })
  return keyring(
    imported.map(({ half }) => half),
    imported.map(({ jwk }) => jwk),
  )
}
