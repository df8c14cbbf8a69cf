import { hkdfSync } from 'node:crypto'
import { ConfigError } from '../errors.js'

/** Keys for one purpose, one per configured secret. The first signs; all of them verify. */
export type PurposeKeys = readonly [Buffer, ...Buffer[]]

const minBytes = 32
const openssl = 'set it to the output of "openssl rand -base64 48"'

/** Whether most adjacent bytes differ by at most 1, as in "abcdefgh…" or "00000000". */
function sequential(bytes: Buffer): boolean {
  let steps = 0
  for (let i = 1; i < bytes.length; i++)
    if (Math.abs((bytes[i] as number) - (bytes[i - 1] as number)) <= 1) steps++
  return steps > bytes.length * 0.75
}

function checkSecret(value: unknown, name: string): Buffer {
  if (typeof value !== 'string' && !Buffer.isBuffer(value)) {
    throw new ConfigError(
      `"${name}" must be a string or a Buffer, got ${value === null ? 'null' : typeof value}; ${openssl}`,
    )
  }
  const bytes = Buffer.from(value as string)
  if (bytes.length < minBytes) {
    throw new ConfigError(
      `"${name}" must be at least ${minBytes} bytes, got ${bytes.length}; ${openssl}`,
    )
  }
  if (new Set(bytes).size < 8 || sequential(bytes)) {
    throw new ConfigError(`"${name}" is not random enough; ${openssl}`)
  }
  return bytes
}

/**
 * Checks key material. Returns a function that derives keys by purpose (HKDF-SHA-256, RFC 5869).
 * @param name the option, for messages
 * @throws ConfigError
 */
export function createKeyring(secret: unknown, name = 'secret'): (purpose: string) => PurposeKeys {
  const list = Array.isArray(secret) ? secret : [secret]
  if (secret === undefined || list.length === 0)
    throw new ConfigError(`"${name}" is required; ${openssl}`)
  const secrets = list.map((value, i) =>
    checkSecret(value, Array.isArray(secret) ? `${name}[${i}]` : name),
  )
  return (purpose) =>
    secrets.map((bytes) =>
      Buffer.from(hkdfSync('sha256', bytes, '', `crudauth:${purpose}`, 32)),
    ) as unknown as PurposeKeys
}
