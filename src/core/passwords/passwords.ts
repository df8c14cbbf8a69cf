import { randomToken } from '../../crypto/random.js'
import type { LegacyVerifier } from '../../ports/legacy-verifier.js'
import { unusablePrefix } from '../users/salt.js'
import { type Argon2, createArgon2, type PasswordCost } from './argon2.js'
import type { HashQueue } from './hash-queue.js'
import { createLegacy, type Legacy } from './legacy.js'

/** Result of a password check. */
interface Verification {
  readonly ok: boolean
  /**
   * The hash has older parameters or comes from another system, and should be replaced. False if
   * its verifier has not compared the whole password.
   */
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
const isUsable = (hash: string | null | undefined): hash is string =>
  typeof hash === 'string' && hash !== '' && !hash.startsWith(unusablePrefix)

/** Verifies a password against the stored hash. Also returns which work was done. */
async function verifyStored(hash: string | null, password: string, argon2: Argon2, legacy: Legacy) {
  const claimants = hash === null ? [] : legacy.claimants(hash)
  const none = { fits: false, complete: false, isUnknown: false, claimants, done: null }
  if (hash === null) return none
  if (claimants.length > 0) return { ...none, ...(await legacy.verify(claimants, hash, password)) }
  const fits = await argon2.verify(hash, password)
  if (fits === null) return { ...none, isUnknown: true }
  return { ...none, fits, complete: true, done: argon2.parameters(hash) }
}

/**
 * Computes a dummy hash, so it takes as long as one hash.
 * @param tellUnknown called for a stored hash in a format that nothing verifies
 * @throws what `prepare` of a verifier throws
 */
export async function createPasswords(
  cost: PasswordCost,
  verifiers: readonly LegacyVerifier[],
  gate: HashQueue,
  tellUnknown: () => void = () => {},
): Promise<Passwords> {
  const argon2 = await createArgon2(cost)
  const legacy = await createLegacy(verifiers)

  const check = async (
    stored: string | null,
    password: string,
    mayPass = true,
  ): Promise<Verification> => {
    const hash = isUsable(stored) ? stored : null
    const { fits, complete, isUnknown, claimants, done } = await verifyStored(
      hash,
      password,
      argon2,
      legacy,
    )
    if (isUnknown) tellUnknown()
    // The stored value itself is never a valid password, whatever a verifier returns.
    const ok = fits && password !== '' && password !== stored && !halfPair.test(password)
    if (ok && mayPass) {
      const isOlder = claimants.length > 0 || !argon2.isCurrent(hash as string)
      return { ok, outdated: isOlder && complete }
    }
    await argon2.imitate(password, done)
    await legacy.imitate(password, claimants, hash)
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
