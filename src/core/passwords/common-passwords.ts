import { brotliDecompressSync } from 'node:zlib'
import { commonPasswordsData } from './common-passwords-data.js'

let common: ReadonlySet<string> | undefined

/**
 * Whether the password, ignoring case, is one of the most common leaked ones (NIST SP 800-63B-4,
 * 3.1.1.2).
 */
export function isCommonPassword(password: string): boolean {
  common ??= new Set(
    brotliDecompressSync(Buffer.from(commonPasswordsData, 'base64')).toString('utf8').split('\n'),
  )
  return common.has(password.toLowerCase())
}
