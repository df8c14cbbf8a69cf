import { randomBytes } from 'node:crypto'

/** A random secret as base64url: 32 bytes are 43 characters (256 bits), 16 are 22 (128 bits). */
export const randomToken = (bytes = 32): string => randomBytes(bytes).toString('base64url')
