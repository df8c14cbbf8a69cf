import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto'
import type { PurposeKeys } from './keys.js'

const nonceBytes = 12
const tagBytes = 16
const base64url = /^[\w-]+$/

/** Authenticated encryption for text that leaves this process and comes back. */
export interface Seal {
  /**
   * Base64url.
   * @param context authenticated but not stored: opens only with the same one (NIST SP 800-38D, AAD)
   */
  seal(text: string, context?: string): string
  /** The text. Null if it was modified, or not sealed with any of the keys in this context. */
  open(sealed: string, context?: string): string | null
}

/**
 * AES-256-GCM with a random 96-bit nonce. The first key encrypts; all of them decrypt. Safe for
 * 2^32 texts per key (NIST SP 800-38D, 8.3). Each purpose has its own keys, so a text sealed for
 * one purpose doesn't open for another.
 */
export function createSeal(keys: PurposeKeys): Seal {
  const openWith = (key: Buffer, bytes: Buffer, context: string): string | null => {
    const decipher = createDecipheriv('aes-256-gcm', key, bytes.subarray(0, nonceBytes), {
      authTagLength: tagBytes,
    })
    decipher.setAAD(Buffer.from(context))
    decipher.setAuthTag(bytes.subarray(-tagBytes))
    try {
      return Buffer.concat([
        decipher.update(bytes.subarray(nonceBytes, -tagBytes)),
        decipher.final(),
      ]).toString('utf8')
    } catch {
      return null
    }
  }
  return {
    seal(text, context = '') {
      const nonce = randomBytes(nonceBytes)
      const cipher = createCipheriv('aes-256-gcm', keys[0], nonce, { authTagLength: tagBytes })
      cipher.setAAD(Buffer.from(context))
      return Buffer.concat([
        nonce,
        cipher.update(text, 'utf8'),
        cipher.final(),
        cipher.getAuthTag(),
      ]).toString('base64url')
    },
    open(sealed, context = '') {
      if (!base64url.test(sealed)) return null
      const bytes = Buffer.from(sealed, 'base64url')
      // Accept only canonical base64url: the unused bits of the last character would otherwise
      // allow several encodings of one text.
      if (bytes.length < nonceBytes + tagBytes || bytes.toString('base64url') !== sealed)
        return null
      for (const key of keys) {
        const text = openWith(key, bytes, context)
        if (text !== null) return text
      }
      return null
    },
  }
}
