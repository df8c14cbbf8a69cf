import type { FastifyInstance } from 'fastify'
import type { CoreSettings } from './options.js'

/**
 * OWASP's minimum costs of argon2id, as pairs of KiB and iterations. All pairs are equally strong.
 */
const owaspFloors = [
  [47_104, 1],
  [19_456, 2],
  [12_288, 3],
  [9_216, 4],
  [7_168, 5],
] as const

/**
 * Logs a warning for each weak setting, once at start-up.
 * @param insecureCookies what is sent in cookies without the Secure attribute
 */
export function logWarnings(
  app: FastifyInstance,
  settings: CoreSettings,
  hasTokenVersion: boolean,
  insecureCookies: readonly string[],
): void {
  const { memoryKiB, iterations } = settings.passwords.cost
  if (!owaspFloors.some(([kib, passes]) => memoryKiB >= kib && iterations >= passes)) {
    app.log.warn(
      `fastify-crudauth: "passwords.cost" (${memoryKiB} KiB, ${iterations} iterations) is below the OWASP recommendations for argon2id`,
    )
  }
  if (settings.lockout === false)
    app.log.warn(
      'fastify-crudauth: "lockout" is off, so there is no protection against brute force',
    )
  if (!hasTokenVersion) {
    app.log.warn(
      'fastify-crudauth: the user model has no "tokenVersion", so only a password change can sign a user out everywhere; add the column',
    )
  }
  if (insecureCookies.length > 0) {
    app.log.warn(
      `fastify-crudauth: "cookies.secure" is off, so ${insecureCookies.join(' and ')} are sent without TLS; use it for development only`,
    )
  }
}
