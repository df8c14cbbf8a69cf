import { type Options as ArgonOptions, hash as argonHash, verify as argonVerify } from '@node-rs/argon2'
import { randomToken } from '../crypto/random.js'
import type { HashGate } from './gate.js'

/** Cost of argon2id (RFC 9106). */
export interface PasswordCost {
  /** KiB. Default 19456. */
  readonly memoryKiB: number
  /** Passes. Default 2. */
  readonly iterations: number
  /** Lanes. Default 1. */
  readonly parallelism: number
}

/** Verifier of hashes that another system made; each is replaced by argon2id at the first good login. */
export interface LegacyVerifier {
  /** Whether a stored hash is of this kind. */
  matches(hash: string): boolean
  /** True for the right password alone. Must never accept the stored value, nor what can be made of it without the password. */
  verify(hash: string, password: string): boolean | Promise<boolean>
  /** A hash of this kind with the usual cost, of no one's password, so that unknown users cost the same from the start. */
  readonly sample?: string
}

/** What became of a password that was tried. */
export interface Verification {
  readonly ok: boolean
  /** The hash is of older parameters or of another system, and should be replaced. */
  readonly outdated: boolean
}

export interface Passwords {
  /** argon2id hash of the NFC form. @throws OverloadedError (503) */
  hash(password: string): Promise<string>
  /** False also for a malformed or unusable hash and for an empty password. @throws OverloadedError (503) */
  verify(hash: string, password: string): Promise<boolean>
  /** As `verify`, and each failure costs the same whatever the hash is or is not. @throws OverloadedError (503) */
  check(hash: string | null, password: string): Promise<Verification>
  /** Whether any password can ever fit. */
  isUsable(hash: string | null | undefined): boolean
  /** A value for the hash of an account without a password, different each time. */
  unusable(): string
}

const unusablePrefix = '!'
/** Every hash function reads half a surrogate pair as U+FFFD, so that many passwords would be one. */
const halfPair = /\p{Surrogate}/u
const argonPrefix = /^\$argon2id\$v=19\$m=(\d+),t=(\d+),p=(\d+)\$/

/** Makes the dummy hash, so it takes one hash's time. */
export async function createPasswords(cost: PasswordCost, legacy: readonly LegacyVerifier[], gate: HashGate): Promise<Passwords> {
  // Algorithm 2 is argon2id; the package exports its names as a const enum, which isolated modules cannot read.
  const options: ArgonOptions = {
    algorithm: 2,
    memoryCost: cost.memoryKiB,
    timeCost: cost.iterations,
    parallelism: cost.parallelism,
  }
  const dummy = await argonHash(randomToken(), options)
  const samples = legacy.map((verifier) => verifier.sample)

  const isUsable = (hash: string | null | undefined): hash is string =>
    typeof hash === 'string' && hash !== '' && !hash.startsWith(unusablePrefix)

  /** Null when the hash is malformed: no work was done. */
  const argon = async (hash: string, password: string): Promise<boolean | null> => {
    try {
      return await argonVerify(hash, password.normalize('NFC'))
    } catch {
      return null
    }
  }

  const isOfKind = (verifier: LegacyVerifier, hash: string): boolean => {
    try {
      return verifier.matches(hash) === true
    } catch {
      return false
    }
  }

  const callLegacy = async (index: number, hash: string, password: string): Promise<boolean> => {
    try {
      return (await (legacy[index] as LegacyVerifier).verify(hash, password)) === true
    } catch {
      return false
    }
  }

  const outdated = (hash: string) => {
    const found = argonPrefix.exec(hash)
    return (
      !found ||
      Number(found[1]) !== cost.memoryKiB ||
      Number(found[2]) !== cost.iterations ||
      Number(found[3]) !== cost.parallelism
    )
  }

  const check = async (stored: string | null, password: string): Promise<Verification> => {
    const hash = isUsable(stored) ? stored : null
    const kind = hash === null ? -1 : legacy.findIndex((verifier) => isOfKind(verifier, hash))
    let ok = false
    let ran = false
    if (hash !== null && kind >= 0) {
      samples[kind] ??= hash
      ok = await callLegacy(kind, hash, password)
    } else if (hash !== null) {
      const result = await argon(hash, password)
      ran = result !== null
      ok = result === true
    }
    // The stored value itself is never a password, whatever a verifier thinks of it.
    if (ok && password !== '' && password !== stored && !halfPair.test(password)) {
      return { ok: true, outdated: kind >= 0 || outdated(hash as string) }
    }
    if (!ran) await argon(dummy, password)
    for (const [index, sample] of samples.entries()) {
      if (index !== kind && sample !== undefined) await callLegacy(index, sample, password)
    }
    return { ok: false, outdated: false }
  }

  return {
    hash: (password) => gate.run(() => argonHash(password.normalize('NFC'), options)),
    verify: async (hash, password) => (await gate.run(() => check(hash, password))).ok,
    check: (hash, password) => gate.run(() => check(hash, password)),
    isUsable,
    unusable: () => unusablePrefix + randomToken(),
  }
}
