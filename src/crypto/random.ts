import { randomBytes } from 'node:crypto'

/** A fresh secret as base64url text: 32 bytes make 43 characters (256 bits), 16 make 22 (128 bits). */
export const randomToken = (bytes = 32): string => randomBytes(bytes).toString('base64url')
