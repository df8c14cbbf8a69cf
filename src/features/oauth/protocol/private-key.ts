import { createPrivateKey, type KeyObject } from 'node:crypto'
import { describe, fail } from '../../../lib/option-checks.js'

/** Reads a private key option. @throws CRUDAUTH_CONFIG; the message doesn't contain the key */
export function readPrivateKey(name: string, value: unknown): KeyObject {
  try {
    const key = typeof value === 'string' ? createPrivateKey(value) : (value as KeyObject)
    if (key.type === 'private') return key
  } catch {
    // Reported below, without the parser's message about the key.
  }
  return fail(
    `"${name}" is not a readable private key, got ${describe(value)}; give it as PEM (PKCS #8) or a KeyObject`,
  )
}
