import { createHmac } from 'node:crypto'
import type { FastifyInstance } from 'fastify'
import type { CrudAuthOptions } from '../../src/index.js'
import { answers } from './answers.js'
import { password } from './build.js'
import { type Client, signedIn } from './client.js'

/** Options of `mfa` for tests. */
export const mfaOptions = {
  issuer: 'Example App',
  encryptionKeys: 'fN3qk8Zr1vXc6TyWp0LbJm5GhUe2sDaR9oKiQ7xV',
} satisfies CrudAuthOptions['mfa']

const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'

export function fromBase32(text: string): Buffer {
  let bits = ''
  for (const character of text) bits += alphabet.indexOf(character).toString(2).padStart(5, '0')
  const bytes = bits.match(/.{8}/g) ?? []
  return Buffer.from(bytes.map((byte) => Number.parseInt(byte, 2)))
}

/** The code of RFC 6238, computed without the library that the plugin uses. */
export function codeAt(secret: string, ms = Date.now()): string {
  const counter = Buffer.alloc(8)
  counter.writeBigUInt64BE(BigInt(Math.floor(ms / 30_000)))
  const mac = createHmac('sha1', fromBase32(secret)).update(counter).digest()
  const offset = (mac.at(-1) as number) & 15
  return String((mac.readUInt32BE(offset) & 0x7fffffff) % 1_000_000).padStart(6, '0')
}

/** A code that no step near `ms` has. */
export function wrongCode(secret: string, ms = Date.now()): string {
  const right = new Set([-2, -1, 0, 1, 2].map((step) => codeAt(secret, ms + step * 30_000)))
  return ['000000', '111111', '222222', '333333', '444444', '555555'].find(
    (code) => !right.has(code),
  ) as string
}

/** Codes of the steps around now, for tests that need several: each step works once. */
export const codesAround = (secret: string, ms = Date.now()) => ({
  previous: codeAt(secret, ms - 30_000),
  current: codeAt(secret, ms),
  next: codeAt(secret, ms + 30_000),
})

/** Sets up the second factor of a signed-in client. Uses up the step before the present one. */
export async function enroll(client: Client, secret = password) {
  const setup = answers(await client.post('/mfa/totp/setup', { password: secret }), 200)
  const code = codesAround(setup.secret).previous
  const confirmed = answers(await client.post('/mfa/totp/confirm', { code }), 200)
  return {
    secret: setup.secret as string,
    uri: setup.otpauth_uri as string,
    recoveryCodes: confirmed.recovery_codes as string[],
  }
}

/** A registered user with a second factor, who is signed in. */
export async function enrolledUser(app: FastifyInstance, name: string, prefix = '') {
  const client = await signedIn(app, name, prefix)
  return { client, ...(await enroll(client)) }
}
