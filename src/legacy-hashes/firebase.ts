import { createCipheriv, timingSafeEqual } from 'node:crypto'
import { checkInteger, checkObject, describe, fail } from '../lib/option-checks.js'
import type { LegacyVerifier } from '../ports/legacy-verifier.js'
import { isExact } from './exact.js'
import { scrypt } from './scrypt.js'

/** The password hash parameters of a Firebase project, as its console shows them. */
export interface FirebaseParameters {
  /** `base64_signer_key`. */
  readonly signerKey: string
  /** `base64_salt_separator`. */
  readonly saltSeparator: string
  /** `rounds`, 1 to 8. */
  readonly rounds: number
  /** `mem_cost`, 1 to 14. */
  readonly memCost: number
}

const base64 = /^[A-Za-z\d+/_-]+={0,2}$/
const format = /^firebase:([A-Za-z\d+/_-]{2,128}={0,2}):([A-Za-z\d+/_-]{22,344}={0,2})$/

function decode(name: string, value: unknown): Buffer {
  if (typeof value !== 'string' || !base64.test(value)) {
    const got = typeof value === 'string' ? 'another string' : describe(value)
    fail(`"${name}" must be Base64, got ${got}; copy it from the Firebase console`)
  }
  return Buffer.from(value as string, 'base64')
}

function required(name: string, value: unknown, max: number): number {
  if (value === undefined) fail(`"${name}" is required; copy it from the Firebase console`)
  return checkInteger(name, value, 1, 1, max)
}

/**
 * Verifies hashes of Firebase Authentication, which are scrypt with AES-CTR over a key of the
 * project. The column must hold `firebase:<salt>:<passwordHash>`, made from the two fields that
 * `firebase auth:export` writes for each user. Standard and URL-safe Base64 both work.
 *
 * Source: https://github.com/firebase/scrypt. The parameters are in the Firebase console under
 * Authentication, Users, "Password hash parameters".
 * @throws CRUDAUTH_CONFIG for missing or malformed parameters
 * @example
 * const firebase = firebaseHashes({
 *   signerKey: process.env.FIREBASE_SIGNER_KEY ?? '',
 *   saltSeparator: 'Bw==',
 *   rounds: 8,
 *   memCost: 14,
 * })
 * await app.register(crudAuth, { secret, users, passwords: { legacy: [firebase] } })
 */
export function firebaseHashes(parameters: FirebaseParameters): LegacyVerifier {
  const name = 'firebaseHashes'
  checkObject(name, parameters, ['signerKey', 'saltSeparator', 'rounds', 'memCost'])
  const signerKey = decode(`${name}.signerKey`, parameters.signerKey)
  const separator = decode(`${name}.saltSeparator`, parameters.saltSeparator)
  const r = required(`${name}.rounds`, parameters.rounds, 8)
  const memCost = required(`${name}.memCost`, parameters.memCost, 14)
  const zeros = Buffer.alloc(signerKey.length).toString('base64')
  return {
    sample: `firebase:AAAAAAAAAAAAAA==:${zeros}`,
    matches: (hash) => format.test(hash),
    async verify(hash, password) {
      const [, salt, encoded] = format.exec(hash) ?? []
      if (salt === undefined || encoded === undefined || !isExact(password)) return false
      const stored = Buffer.from(encoded, 'base64')
      const salted = Buffer.concat([Buffer.from(salt, 'base64'), separator])
      const key = await scrypt(password, salted, 64, { N: 2 ** memCost, r, p: 1 })
      const cipher = createCipheriv('aes-256-ctr', key.subarray(0, 32), Buffer.alloc(16))
      const actual = Buffer.concat([cipher.update(signerKey), cipher.final()])
      return actual.length === stored.length && timingSafeEqual(actual, stored)
    },
  }
}
