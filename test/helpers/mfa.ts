import assert from 'node:assert/strict'
import { createHmac } from 'node:crypto'
import type { FastifyInstance } from 'fastify'
import type { CrudAuthOptions, UserId } from '../../src/index.js'
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

/** Makes the codes of an account that were used valid again, so that a test need not wait. */
export async function allowCodesAgain(app: FastifyInstance, username: string): Promise<void> {
  const { users } = app.crudAuth
  const user = await users.findBy('username', username)
  const id = (user as unknown as { id: UserId } | null)?.id
  assert.ok(id !== undefined && (await users.update(id, { totpLastStep: null })))
}

/** Sets up the second factor of a signed-in client. Every code is valid afterwards. */
export async function enroll(client: Client, secret = password) {
  const setup = answers(await client.post('/mfa/totp/setup', { password: secret }), 200)
  const confirmed = answers(
    await client.post('/mfa/totp/confirm', { code: codeAt(setup.secret) }),
    200,
  )
  await allowCodesAgain(client.app, answers(await client.get('/me'), 200).username)
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

/** Signs in with the password. Returns the token of the challenge. */
export async function challengeOf(
  client: Client,
  name: string,
  fields: Record<string, string> = {},
): Promise<string> {
  const body = answers(await client.login(name, password, fields), 200)
  assert.equal(body.mfa_required, true)
  return body.challenge
}

/** Answers a challenge, and keeps the CSRF token of the session. */
export async function verify(client: Client, challenge: string, code: string, more: object = {}) {
  const response = await client.post('/mfa/verify', { challenge, code, ...more })
  if (response.statusCode === 200) client.csrf = response.json().csrf_token ?? null
  return response
}

/** Signs in with the password and a code. */
export async function signInWithCode(client: Client, name: string, code: string) {
  return answers(await verify(client, await challengeOf(client, name), code), 200)
}
