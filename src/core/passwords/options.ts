import { availableParallelism } from 'node:os'
import { checkFunction, checkInteger, checkObject, fail } from '../../lib/option-checks.js'
import type { PasswordCost } from './argon2.js'
import type { LegacyVerifier } from './passwords.js'
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
  const parallelism = checkInteger('passwords.cost.parallelism', cost.parallelism, 1, 1, 255)
  // The thread pool also serves files and DNS: hashing leaves one of its threads free.
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

/** Passwords: cost, policy and hashes of older systems. */
export interface PasswordOptions {
  /** argon2id; below OWASP's floor it warns at start-up. Default 19456 KiB, 2 iterations, 1 lane. */
  readonly cost?: Partial<PasswordCost> | undefined
  /** Code points. Default 8; 15 is recommended where there is no second factor. */
  readonly minLength?: number | undefined
  /** Hashes at once. Default the number of cores, but fewer than the thread pool has threads. */
  readonly maxConcurrent?: number | undefined
  /** Hashes that may wait, beyond which the answer is 503 `CRUDAUTH_OVERLOADED`. Default 256. */
  readonly maxQueued?: number | undefined
  /** The app's own rule for new passwords: a string (told to the client) or false refuses. */
  readonly check?: PasswordCheck | undefined
  /** Verifiers of hashes that another system made. */
  readonly legacy?: readonly LegacyVerifier[] | undefined
}
