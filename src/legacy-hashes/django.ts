import { pbkdf2, timingSafeEqual } from 'node:crypto'
import { promisify } from 'node:util'
import { verify as argonVerify } from '@node-rs/argon2'
import type { LegacyVerifier } from '../ports/legacy-verifier.js'
import { isExact } from './exact.js'
import { scrypt } from './scrypt.js'

const derive = promisify(pbkdf2)

/** A hash that was parsed. */
interface Parsed {
  /** Algorithm and parameters. */
  readonly cost: string
  verify(password: string): Promise<boolean>
}

// Django 6 makes 1.2 million iterations. More than five million would take seconds.
const maxIterations = 5_000_000
// Django makes 100 MiB twice with argon2, and 16 MiB five times with scrypt.
const maxKiB = 262_144
const maxWorkKiB = 1_048_576

function parsePbkdf2(hash: string): Parsed | null {
  const format =
    /^(pbkdf2_(sha256|sha1))\$([1-9]\d{0,6})\$([^$]{1,128})\$([A-Za-z\d+/]{27}|[A-Za-z\d+/]{43})=$/
  const [, name, digest = '', rounds, salt = '', encoded = ''] = format.exec(hash) ?? []
  const iterations = Number(rounds)
  const length = digest === 'sha1' ? 20 : 32
  const key = Buffer.from(encoded, 'base64')
  if (name === undefined || iterations > maxIterations || key.length !== length) return null
  return {
    cost: `${name} ${iterations}`,
    verify: async (password) =>
      timingSafeEqual(await derive(password, salt, iterations, length, digest), key),
  }
}

function parseArgon2(hash: string): Parsed | null {
  const format =
    /^argon2(\$(argon2id?)\$(?:v=19\$)?(m=(\d{1,6}),t=(\d{1,2}),p=(\d{1,2}))\$[\w+/]{11,86}\$[\w+/]{16,86})$/
  const [, encoded, name, parameters, memory, passes, lanes] = format.exec(hash) ?? []
  const kib = Number(memory)
  if (encoded === undefined || kib > maxKiB || kib * Number(passes) > maxWorkKiB) return null
  if (Number(lanes) < 1) return null
  return {
    cost: `${name} ${parameters}`,
    verify: (password) => argonVerify(encoded, password).catch(() => false),
  }
}

function parseScrypt(hash: string): Parsed | null {
  const format =
    /^scrypt\$([1-9]\d{1,6})\$([^$]{1,128})\$([1-9]\d?)\$([1-9]\d?)\$([A-Za-z\d+/]{86}==)$/
  const [, work, salt = '', block, lanes, encoded = ''] = format.exec(hash) ?? []
  const [N, r, p] = [Number(work), Number(block), Number(lanes)]
  if (work === undefined || (N & (N - 1)) !== 0) return null
  const kib = (128 * N * r) / 1024
  if (kib > maxKiB || kib * p > maxWorkKiB) return null
  return {
    cost: `scrypt ${N} ${r} ${p}`,
    verify: async (password) =>
      timingSafeEqual(
        await scrypt(password, salt, 64, { N, r, p }),
        Buffer.from(encoded, 'base64'),
      ),
  }
}

const parse = (hash: string): Parsed | null =>
  parsePbkdf2(hash) ?? parseArgon2(hash) ?? parseScrypt(hash)

/**
 * Verifies hashes of Django: `pbkdf2_sha256$…` (its default), `pbkdf2_sha1$…`, `argon2$…` and
 * `scrypt$…`. It refuses more than five million iterations of PBKDF2, and more than 256 MiB.
 *
 * Source: `django/contrib/auth/hashers.py` of https://github.com/django/django, RFC 8018 (PBKDF2),
 * RFC 9106 (argon2) and RFC 7914 (scrypt).
 * @example
 * await app.register(crudAuth, { secret, users, passwords: { legacy: [djangoHashes] } })
 */
export const djangoHashes: LegacyVerifier = {
  sample: `pbkdf2_sha256$1000000$${'0'.repeat(22)}$${'A'.repeat(43)}=`,
  matches: (hash) => parse(hash) !== null,
  cost: (hash) => parse(hash)?.cost ?? '',
  verify: async (hash, password) => isExact(password) && (parse(hash)?.verify(password) ?? false),
}
