import { randomToken } from '../../crypto/random.js'
import { createDeadline, within } from '../../lib/deadline.js'
import { unusablePrefix } from '../users/salt.js'
import { type Argon2, createArgon2, type PasswordCost } from './argon2.js'
import type { HashQueue } from './hash-queue.js'

/** Verifier of hashes that another system made; each is replaced by argon2id at the first good login. */
export interface LegacyVerifier {
  /** Whether a stored hash is of this kind. */
  matches(hash: string): boolean
  /** True for the right password alone. Must never accept the stored value, nor what can be made of it without the password. */
  verify(hash: string, password: string): boolean | Promise<boolean>
  /** A hash of this kind with the usual cost, of no one's password, so that unknown users cost the same from the start. */
  readonly sample?: string | undefined
}

/** What became of a password that was tried. */
interface Verification {
  readonly ok: boolean
  /** The hash is of older parameters or of another system, and should be replaced. */
  readonly outdated: boolean
}

export interface Passwords {
  /** argon2id hash of the NFC form. @throws OverloadedError (503) */
  hash(password: string): Promise<string>
  /** The present kind of hash for a password whose older hash has just been found right; see `saltOf`. */
  rehash(password: string, salt: string): Promise<string>
  /** False also for a malformed or unusable hash and for an empty password. @throws OverloadedError (503) */
  verify(hash: string, password: string): Promise<boolean>
  /**
   * As `verify`, and each failure costs the same whatever the hash is or is not.
   * @param mayPass false: even the right password will be refused, and must cost what a wrong one does. Default true
   * @throws OverloadedError (503)
   */
  check(hash: string | null, password: string, mayPass?: boolean): Promise<Verification>
  /** Whether any password can ever fit. */
  isUsable(hash: string | null | undefined): boolean
  /** A value for the hash of an account without a password, different each time. */
  unusable(): string
}

/** Every hash function reads half a surrogate pair as U+FFFD, so that many passwords would be one. */
const halfPair = /\p{Surrogate}/u
/** A verifier of the app's that hangs would keep its place among the hashes for ever, and in the end everybody out. */
const legacyMs = 5000

interface Legacy {
  /** Place of the verifier that knows the hash, or -1. */
  kindOf(hash: string): number
  verify(kind: number, hash: string, password: string): Promise<boolean>
  /** Does the work of each kind of hash in use, but the one that was done. */
  imitate(password: string, done: number): Promise<void>
}

function createLegacy(verifiers: readonly LegacyVerifier[]): Legacy {
  const samples = verifiers.map((verifier) => verifier.sample)
  const deadline = createDeadline(legacyMs)

  const call = (kind: number, hash: string, password: string): Promise<boolean> =>
    within(
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
      // From the first account seen with such a hash on, accounts that do not exist pay for it too.
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

/** What is known of a password after the work that its hash demands. */
async function verifyStored(hash: string | null, password: string, argon2: Argon2, legacy: Legacy) {
  const kind = hash === null ? -1 : legacy.kindOf(hash)
  if (hash === null) return { fits: false, kind, done: null }
  if (kind >= 0) return { fits: await legacy.verify(kind, hash, password), kind, done: null }
  const fits = await argon2.verify(hash, password)
  return { fits: fits === true, kind, done: fits === null ? null : argon2.parameters(hash) }
}

/** Makes a dummy hash, so it takes one hash's time. */
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
    // The stored value itself is never a password, whatever a verifier thinks of it.
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
