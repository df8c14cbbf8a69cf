import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto'
import type { PurposeKeys } from './keys.js'

const nonceBytes = 12
const tagBytes = 16
const base64url = /^[\w-]+$/

/** Text that leaves this process and comes back: unreadable on its way, and refused when it was changed. */
export interface Seal {
  /** Base64url. */
  seal(text: string): string
  /** The text, or null for what was changed or never sealed with any of the keys. */
  open(sealed: string): string | null
}

/**
 * AES-256-GCM with a random nonce of 96 bits; the first key seals, all open. Good for 2^32 texts a key (NIST SP 800-38D,
 * 8.3). What is sealed for one purpose does not open for another, since each has a key of its own.
 */
export function createSeal(keys: PurposeKeys): Seal {
  const openWith = (key: Buffer, bytes: Buffer): string | null => {
    const decipher = createDecipheriv('aes-256-gcm', key, bytes.subarray(0, nonceBytes), {
      authTagLength: tagBytes,
    })
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
    seal(text) {
      const nonce = randomBytes(nonceBytes)
      const cipher = createCipheriv('aes-256-gcm', keys[0], nonce, { authTagLength: tagBytes })
      return Buffer.concat([
        nonce,
        cipher.update(text, 'utf8'),
        cipher.final(),
        cipher.getAuthTag(),
      ]).toString('base64url')
    },
    open(sealed) {
      if (!base64url.test(sealed)) return null
      const bytes = Buffer.from(sealed, 'base64url')
      // One text, one spelling: the loose bits of the last character are not a second one.
      if (bytes.length < nonceBytes + tagBytes || bytes.toString('base64url') !== sealed)
        return null
      for (const key of keys) {
        const text = openWith(key, bytes)
        if (text !== null) return text
      }
      return null
    },
  }
}
