import { randomToken } from '../../crypto/random.js'
import { createDeadline, withDeadline } from '../../lib/deadline.js'
import { unusablePrefix } from '../users/salt.js'
import { type Argon2, createArgon2, type PasswordCost } from './argon2.js'
import type { HashQueue } from './hash-queue.js'

/**
 * Verifier of another system's hashes. Each hash is replaced with argon2id at the first successful
 * sign-in.
 */
export interface LegacyVerifier {
  /** Whether a stored hash is of this kind. */
  matches(hash: string): boolean
  /**
   * True only for the right password. Must never accept the stored value, or anything derived from
   * it without the password.
   */
  verify(hash: string, password: string): boolean | Promise<boolean>
  /**
   * A hash of this kind with the usual cost, of no user's password. With it, unknown users take the
   * same time from the start.
   */
  readonly sample?: string | undefined
}

/** Result of a password check. */
interface Verification {
  readonly ok: boolean
  /** The hash has older parameters or comes from another system, and should be replaced. */
  readonly outdated: boolean
}

export interface Passwords {
  /**
   * argon2id hash of the password in NFC.
   * @throws OverloadedError (503)
   */
  hash(password: string): Promise<string>
  /**
   * argon2id hash that replaces an older hash of a password that was just verified. For `salt` see
   * `saltOf`.
   */
  rehash(password: string, salt: string): Promise<string>
  /**
   * Also false for a malformed or unusable hash and for an empty password.
   * @throws OverloadedError (503)
   */
  verify(hash: string, password: string): Promise<boolean>
  /**
   * Like `verify`, but every failure costs the same, whatever hash is stored, if any.
   * @param mayPass false if even the right password will be refused, which must cost the same as a
   * wrong one. Default true
   * @throws OverloadedError (503)
   */
  check(hash: string | null, password: string, mayPass?: boolean): Promise<Verification>
  /** Whether any password can ever match. */
  isUsable(hash: string | null | undefined): boolean
  /** A value to store as the hash of an account without a password. Different each time. */
  unusable(): string
}

/**
 * Hash functions read a lone surrogate as U+FFFD, so different passwords would have the same hash.
 */
const halfPair = /\p{Surrogate}/u
/**
 * Time limit for the app's verifiers. One that hangs would keep its slot in the hash queue, and in
 * the end block all sign-ins.
 */
const legacyMs = 5000

interface Legacy {
  /** Index of the verifier that recognizes the hash, or -1. */
  kindOf(hash: string): number
  verify(kind: number, hash: string, password: string): Promise<boolean>
  /** Does the work of each kind of hash in use, except `done`. */
  imitate(password: string, done: number): Promise<void>
}

function createLegacy(verifiers: readonly LegacyVerifier[]): Legacy {
  const samples = verifiers.map((verifier) => verifier.sample)
  const deadline = createDeadline(legacyMs)

  const call = (kind: number, hash: string, password: string): Promise<boolean> =>
    withDeadline(
      deadline,
      async () => (await (verifiers[kind] as LegacyVerifier).verify(hash, password)) === true,
      'A legacy verifier',
      (cause) => cause,
    ).catch(() => false)

  return {
    kindOf: (hash) =>
      verifiers.findIndex((verifier) => {
        try {
          return verifier.matches(hash) === true
        } catch {
          return false
        }
      }),
    verify(kind, hash, password) {
      // Once an account with such a hash has been seen, sign-ins to unknown accounts pay its cost
      // too.
      samples[kind] ??= hash
      return call(kind, hash, password)
    },
    async imitate(password, done) {
      for (const [kind, sample] of samples.entries()) {
        if (kind !== done && sample !== undefined) await call(kind, sample, password)
      }
    },
  }
}

const isUsable = (hash: string | null | undefined): hash is string =>
  typeof hash === 'string' && hash !== '' && !hash.startsWith(unusablePrefix)

/** Verifies a password against the stored hash. Also returns which work was done. */
async function verifyStored(hash: string | null, password: string, argon2: Argon2, legacy: Legacy) {
  const kind = hash === null ? -1 : legacy.kindOf(hash)
  if (hash === null) return { fits: false, kind, done: null }
  if (kind >= 0) return { fits: await legacy.verify(kind, hash, password), kind, done: null }
  const fits = await argon2.verify(hash, password)
  return { fits: fits === true, kind, done: fits === null ? null : argon2.parameters(hash) }
}

/** Computes a dummy hash, so it takes as long as one hash. */
export async function createPasswords(
  cost: PasswordCost,
  verifiers: readonly LegacyVerifier[],
  gate: HashQueue,
): Promise<Passwords> {
  const argon2 = await createArgon2(cost)
  const legacy = createLegacy(verifiers)

  const check = async (
    stored: string | null,
    password: string,
    mayPass = true,
  ): Promise<Verification> => {
    const hash = isUsable(stored) ? stored : null
    const { fits, kind, done } = await verifyStored(hash, password, argon2, legacy)
    // The stored value itself is never a valid password, whatever a verifier returns.
    const ok = fits && password !== '' && password !== stored && !halfPair.test(password)
    if (ok && mayPass) return { ok, outdated: kind >= 0 || !argon2.isCurrent(hash as string) }
    await argon2.imitate(password, done)
    await legacy.imitate(password, kind)
    return { ok, outdated: false }
  }

  return {
    hash: (password) => gate.run(() => argon2.hash(password)),
    rehash: (password, salt) => gate.run(() => argon2.hash(password, salt)),
    verify: async (hash, password) => (await gate.run(() => check(hash, password))).ok,
    check: (hash, password, mayPass) => gate.run(() => check(hash, password, mayPass)),
    isUsable,
    unusable: () => unusablePrefix + randomToken(),
  }
}
