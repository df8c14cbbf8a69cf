import { createDeadline, withDeadline } from '../../lib/deadline.js'
import type { LegacyVerifier } from '../../ports/legacy-verifier.js'

/**
 * Time limit for the app's verifiers. One that hangs would keep its slot in the hash queue, and in
 * the end block all sign-ins.
 */
const legacyMs = 5000

/** Maximum number of costs per verifier that failures imitate. Few systems have had more. */
const maxCosts = 4

/** The verifiers of other systems' hashes. Verifiers are named by their index. */
export interface Legacy {
  /** The verifiers that recognize the hash. */
  claimants(hash: string): readonly number[]
  /**
   * Runs all of the claimants, so that the time doesn't depend on which one accepts.
   * @returns whether one accepts, and whether one that does compares the whole password
   */
  verify(
    claimants: readonly number[],
    hash: string,
    password: string,
  ): Promise<{ fits: boolean; complete: boolean }>
  /** Does the work of each kind and cost of hash in use, except what `verify` has done. */
  imitate(password: string, claimants: readonly number[], hash: string | null): Promise<void>
}

const orElse = <T>(run: () => T, otherwise: T): T => {
  try {
    return run()
  } catch {
    return otherwise
  }
}

/** @throws what `prepare` of a verifier throws */
export async function createLegacy(verifiers: readonly LegacyVerifier[]): Promise<Legacy> {
  for (const verifier of verifiers) await verifier.prepare?.()
  const deadline = createDeadline(legacyMs)
  const kinds = verifiers.map((verifier, index) => {
    /** A hash of each cost. */
    const samples = new Map<string, string>()
    const costOf = (hash: string) => orElse(() => String(verifier.cost?.(hash)), '')
    const learn = (hash: string) => {
      const cost = costOf(hash)
      if (!samples.has(cost) && samples.size < maxCosts) samples.set(cost, hash)
    }
    if (verifier.sample !== undefined) learn(verifier.sample)
    return {
      index,
      verifier,
      samples,
      costOf,
      learn,
      matches: (hash: string) => orElse(() => verifier.matches(hash) === true, false),
      looksPreHashed: (password: string) =>
        orElse(() => verifier.looksPreHashed?.(password) === true, true),
      call: (hash: string, password: string): Promise<boolean> =>
        withDeadline(
          deadline,
          async () => (await verifier.verify(hash, password)) === true,
          'A legacy verifier',
          (cause) => cause,
        ).catch(() => false),
    }
  })

  return {
    claimants: (hash) => kinds.filter(({ matches }) => matches(hash)).map(({ index }) => index),
    async verify(claimants, hash, password) {
      const claiming = kinds.filter(({ index }) => claimants.includes(index))
      const preHashing = claiming.filter(({ looksPreHashed }) => looksPreHashed(password))
      let fits = false
      let complete = false
      for (const kind of claiming) {
        // Once an account with such a hash has been seen, sign-ins to unknown accounts pay its
        // cost too.
        kind.learn(hash)
        const accepts = await kind.call(hash, password)
        if (!accepts || preHashing.some((other) => other !== kind)) continue
        fits = true
        complete ||= Buffer.byteLength(password) <= (kind.verifier.maxBytes ?? Infinity)
      }
      return { fits, complete }
    },
    async imitate(password, claimants, hash) {
      for (const { index, samples, costOf, call } of kinds) {
        const done = hash !== null && claimants.includes(index) ? costOf(hash) : null
        for (const [cost, sample] of samples) if (cost !== done) await call(sample, password)
      }
    },
  }
}
