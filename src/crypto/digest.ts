import { createHmac, hash } from 'node:crypto'

/** SHA-256 as base64url, 43 characters. Unsalted: use it for high-entropy values only. */
export const sha256 = (text: string): string => hash('sha256', text, 'base64url')

/** HMAC-SHA-256 as base64url, 43 characters. */
export const hmac = (key: Buffer, text: string): string =>
  createHmac('sha256', key).update(text).digest('base64url')

/** HMAC-SHA-256 truncated to 128 bits, as base64url, 22 characters. */
export const shortHmac = (key: Buffer, text: string): string =>
  createHmac('sha256', key).update(text).digest().subarray(0, 16).toString('base64url')
