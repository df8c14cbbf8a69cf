import { randomBytes } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { SetupError } from './config.js'

/**
 * The secret kept in the folder, made there at the first start. It has to stay: every session and every device cookie that
 * was made with it ends when it is gone.
 * @throws SetupError when the file holds no secret
 */
export function keptSecret(folder: string): string {
  const path = join(folder, 'secret')
  try {
    // Only the owner may read it, and it never replaces one that is there.
    writeFileSync(path, `${randomBytes(48).toString('base64')}\n`, { mode: 0o600, flag: 'wx' })
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
  }
  const secret = readFileSync(path, 'utf8').trim()
  if (secret.length < 32)
    throw new SetupError(`${path} holds no secret; delete the file and a new one is made`)
  return secret
}
