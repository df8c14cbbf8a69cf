import type { TestContext } from 'node:test'
import Fastify, { type FastifyInstance, type FastifyServerOptions } from 'fastify'
import crudAuth, { type CrudAuthOptions, memoryUsers, sessionTransport } from '../../src/index.js'

export const secret = 'k3J9x0Qm2Zr8Lw5Vt1Bn7Hc4Yd6Pf0Gs-test'
export const password = 'correct horse battery'

/** Cheap hashes: what is tested here is not argon2. */
export const cheap = { memoryKiB: 64, iterations: 1, parallelism: 1 } as const

/** No limit but the silent one, by recipient. */
export const limitsOff = {
  register: false,
  change_password: false,
  logout_all: false,
  csrf_refresh: false,
  email_verify_request: false,
  password_reset_request: false,
  email_change_request: false,
} as const

export interface BuildOptions {
  readonly auth?: Partial<CrudAuthOptions>
  readonly fastify?: FastifyServerOptions
  /** Runs after the plugin is registered and before the app is ready. */
  readonly routes?: (app: FastifyInstance) => void | Promise<void>
}

/**
 * An app with the plugin over memory users, management routes on, limits off, cheap hashes; closed when the test ends.
 * Everything can be overridden by `auth`.
 */
export async function build(
  t: TestContext,
  { auth, fastify, routes }: BuildOptions = {},
): Promise<FastifyInstance> {
  const app = Fastify(fastify ?? {})
  t.after(() => app.close())
  await app.register(crudAuth, {
    secret,
    users: memoryUsers(),
    transports: [sessionTransport({ managementRoutes: true })],
    passwords: { cost: cheap },
    rateLimits: limitsOff,
    ...auth,
  })
  await routes?.(app)
  await app.ready()
  return app
}

/** Pino lines of an app, as objects; give `logger` to Fastify. */
export function captureLogs(level = 'trace') {
  const lines: string[] = []
  return { lines, logger: { level, stream: { write: (line: string) => void lines.push(line) } } }
}
