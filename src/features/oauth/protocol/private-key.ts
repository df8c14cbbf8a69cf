import { createPrivateKey, type KeyObject } from 'node:crypto'
import { describe, fail } from '../../../lib/option-checks.js'

/** Reads a private key option. @throws CRUDAUTH_CONFIG, without the key */
export function readPrivateKey(name: string, value: unknown): KeyObject {
  try {
    const key = typeof value === 'string' ? createPrivateKey(value) : (value as KeyObject)
    if (key.type === 'private') return key
  } catch {
    // Told below, without what the reader says of the text.
  }
  return fail(
    `"${name}" is not a readable private key, got ${describe(value)}; give it as PEM (PKCS #8) or a KeyObject`,
  )
}
