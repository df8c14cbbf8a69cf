import type { PasswordOptions } from '../core/passwords/options.js'
import { ConfigError } from '../errors.js'

/**
 * Value of the option `passwords` that hashes fast, for tests only: such hashes protect nothing.
 * @throws CRUDAUTH_CONFIG unless `NODE_ENV` is `test`
 * @example
 * await app.register(crudAuth, { secret, users: memoryUsers(), passwords: cheapPasswords() })
 */
export function cheapPasswords(): PasswordOptions {
  if (process.env.NODE_ENV !== 'test')
    throw new ConfigError(
      'cheapPasswords() is for tests only, because its hashes are easy to break. Run the tests with NODE_ENV=test',
    )
  return { cost: { memoryKiB: 8, iterations: 1, parallelism: 1 } }
}
