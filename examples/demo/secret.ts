import { randomBytes } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { SetupError } from './config.js'

/**
 * Reads a secret of the folder, and generates it at the first start.
 * @param name `secret`: a new one invalidates all sessions and device cookies. `mfa-key`: a new one
 * invalidates all authenticator apps
 * @throws SetupError if the file contains no secret
 */
export function keptSecret(folder: string, name: 'secret' | 'mfa-key'): string {
  const path = join(folder, name)
  try {
    // Only the owner may read the file. `wx` never replaces an existing one.
    writeFileSync(path, `${randomBytes(48).toString('base64')}\n`, { mode: 0o600, flag: 'wx' })
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
  }
  const secret = readFileSync(path, 'utf8').trim()
  if (secret.length < 32)
    throw new SetupError(`${path} holds no secret; delete the file and a new one is made`)
  return secret
}
