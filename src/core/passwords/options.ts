import { availableParallelism } from 'node:os'
import { checkFunction, checkInteger, checkObject, fail } from '../../lib/option-checks.js'
import type { LegacyVerifier } from '../../ports/legacy-verifier.js'
import type { PasswordCost } from './argon2.js'
import type { PasswordCheck } from './policy.js'

export function resolvePasswords(options: PasswordOptions = {}) {
  checkObject('passwords', options, [
    'cost',
    'minLength',
    'maxConcurrent',
    'maxQueued',
    'check',
    'legacy',
  ])
  const cost = options.cost ?? {}
  checkObject('passwords.cost', cost, ['memoryKiB', 'iterations', 'parallelism'])
  const legacy: readonly LegacyVerifier[] = options.legacy ?? []
  const isVerifier = (item: LegacyVerifier) =>
    typeof item?.matches === 'function' && typeof item?.verify === 'function'
  if (!Array.isArray(legacy) || !legacy.every(isVerifier)) {
    fail('"passwords.legacy" must be an array of { matches(hash), verify(hash, password) }')
  }
  for (const [index, verifier] of legacy.entries()) {
    const name = `passwords.legacy[${index}]`
    checkInteger(`${name}.maxBytes`, verifier.maxBytes, 1, 1)
    checkFunction(`${name}.cost`, verifier.cost)
    checkFunction(`${name}.looksPreHashed`, verifier.looksPreHashed)
    checkFunction(`${name}.prepare`, verifier.prepare)
  }
  const parallelism = checkInteger('passwords.cost.parallelism', cost.parallelism, 1, 1, 255)
  // The thread pool also serves files and DNS, so hashing leaves one of its threads free.
  const threads = Math.max(1, (Number(process.env.UV_THREADPOOL_SIZE) || 4) - 1)
  return {
    cost: {
      memoryKiB: checkInteger(
        'passwords.cost.memoryKiB',
        cost.memoryKiB,
        19_456,
        8 * parallelism,
        4_194_304,
      ),
      iterations: checkInteger('passwords.cost.iterations', cost.iterations, 2, 1, 1000),
      parallelism,
    },
    minLength: checkInteger('passwords.minLength', options.minLength, 8, 1, 64),
    maxConcurrent: checkInteger(
      'passwords.maxConcurrent',
      options.maxConcurrent,
      Math.min(availableParallelism(), threads),
      1,
    ),
    maxQueued: checkInteger('passwords.maxQueued', options.maxQueued, 256, 0),
    check: checkFunction('passwords.check', options.check),
    legacy,
  }
}

/** Password hashing and password rules. */
export interface PasswordOptions {
  /**
   * Cost of argon2id (RFC 9106). A setting below the OWASP recommendations logs a warning. Hashes
   * of another cost are replaced at the next sign-in.
   */
  readonly cost?: Partial<PasswordCost> | undefined
  /**
   * Minimum length of new passwords in code points, 1 to 64. NIST SP 800-63B-4 requires 15 where
   * there is no second factor.
   * @defaultValue `8`
   */
  readonly minLength?: number | undefined
  /**
   * Password hashes computed at the same time. The default leaves one thread of the thread pool
   * (`UV_THREADPOOL_SIZE`) to files and DNS.
   * @defaultValue number of cores, at most 3
   */
  readonly maxConcurrent?: number | undefined
  /**
   * Hashes that may wait for their turn. Beyond that the response is 503 `CRUDAUTH_OVERLOADED`.
   * @defaultValue `256`
   */
  readonly maxQueued?: number | undefined
  /**
   * Your own rule for new passwords: `(password, { email, username })`. Returning `false` refuses;
   * returning a string refuses and shows it to the client.
   * @defaultValue none
   */
  readonly check?: PasswordCheck | undefined
  /**
   * Verifiers for password hashes made by another system: those of `fastify-crudauth/legacy`, or
   * your own `{ matches(hash), verify(hash, password), sample? }`.
   * @defaultValue `[]`
   */
  readonly legacy?: readonly LegacyVerifier[] | undefined
}
