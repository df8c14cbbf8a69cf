import type { TestContext } from 'node:test'
import Fastify, { type FastifyInstance, type FastifyServerOptions } from 'fastify'
import crudAuth, { type CrudAuthOptions, memoryUsers, sessionTransport } from '../../src/index.js'

export const secret = 'k3J9x0Qm2Zr8Lw5Vt1Bn7Hc4Yd6Pf0Gs-test'
export const password = 'correct horse battery'

/** A low cost, because these tests are not about argon2. */
export const cheap = { memoryKiB: 64, iterations: 1, parallelism: 1 } as const

/** Turns rate limits off, except the limit per recipient, which never shows in a response. */
export const limitsOff = {
  register: false,
  change_password: false,
  logout_all: false,
  csrf_refresh: false,
  email_verify_request: false,
  password_reset_request: false,
  email_change_request: false,
  mfa_manage: false,
} as const

export interface BuildOptions {
  readonly auth?: Partial<CrudAuthOptions>
  readonly fastify?: FastifyServerOptions
  /** Called after the plugin is registered and before the app is ready. */
  readonly routes?: (app: FastifyInstance) => void | Promise<void>
}

/**
 * Builds an app with the plugin: in-memory users, management routes, no rate limits, cheap hashes.
 * `auth` overrides all of this. The app closes when the test ends.
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

/**
 * Registers the plugin with these options, waits until the app is ready, and closes it.
 * @throws what registration or start-up throws
 */
export async function startAndClose(options: object): Promise<void> {
  const app = Fastify()
  try {
    await app.register(crudAuth, {
      secret,
      users: memoryUsers(),
      passwords: { cost: cheap },
      ...options,
    } as CrudAuthOptions)
    await app.ready()
  } finally {
    await app.close()
  }
}

/** Collects the log lines of an app as JSON text. Pass `logger` to Fastify. */
export function captureLogs(level = 'trace') {
  const lines: string[] = []
  return { lines, logger: { level, stream: { write: (line: string) => void lines.push(line) } } }
}
