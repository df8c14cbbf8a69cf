import { generateKeyPairSync, type KeyObject, sign } from 'node:crypto'
import { type Cbor, encodeCbor } from './cbor.js'

export type Algorithm = 'ES256' | 'EdDSA' | 'RS256'

/** Numbers of COSE, as `pubKeyCredParams` has them. */
export const coseNumbers = { ES256: -7, EdDSA: -8, RS256: -257 } as const

/** A key pair of a credential. */
export interface CredentialKey {
  readonly algorithm: Algorithm
  readonly privateKey: KeyObject
  /** The public key in COSE (RFC 9052), as attested credential data contains it. */
  readonly cose: Buffer
}

const pairOf = (algorithm: Algorithm) => {
  if (algorithm === 'ES256') return generateKeyPairSync('ec', { namedCurve: 'P-256' })
  if (algorithm === 'EdDSA') return generateKeyPairSync('ed25519')
  return generateKeyPairSync('rsa', { modulusLength: 2048 })
}

export function createKey(algorithm: Algorithm): CredentialKey {
  const { publicKey, privateKey } = pairOf(algorithm)
  const jwk = publicKey.export({ format: 'jwk' })
  const bytes = (text: string | undefined) => Buffer.from(text ?? '', 'base64url')
  const parameters: Readonly<Record<Algorithm, [number, Cbor][]>> = {
    ES256: [
      [1, 2],
      [3, coseNumbers.ES256],
      [-1, 1],
      [-2, bytes(jwk.x)],
      [-3, bytes(jwk.y)],
    ],
    EdDSA: [
      [1, 1],
      [3, coseNumbers.EdDSA],
      [-1, 6],
      [-2, bytes(jwk.x)],
    ],
    RS256: [
      [1, 3],
      [3, coseNumbers.RS256],
      [-1, bytes(jwk.n)],
      [-2, bytes(jwk.e)],
    ],
  }
  return { algorithm, privateKey, cose: encodeCbor(new Map(parameters[algorithm])) }
}

/** ECDSA signatures are in DER, which is what WebAuthn sends. */
export const signWith = ({ algorithm, privateKey }: CredentialKey, data: Buffer): Buffer =>
  sign(algorithm === 'EdDSA' ? null : 'sha256', data, privateKey)
