import type { FastifyInstance } from 'fastify'
import { ConfigError } from '../../errors.js'
import { createDeadline, withDeadline } from '../../lib/deadline.js'
import { unavailableError } from '../../lib/unavailable.js'
import type { SchemaNeeds, UserStore } from '../../ports/user-store.js'

/** What the options require of the model's columns. */
export function schemaNeeds(
  login: readonly string[],
  registration: {
    readonly extraFields: readonly string[]
    readonly defaults: Readonly<Record<string, unknown>>
    readonly fields?: unknown
    readonly enabled: boolean
  },
  nullable: Readonly<Record<string, number>>,
): SchemaNeeds {
  const { extraFields, defaults, fields, enabled } = registration
  return {
    filled: [...login, 'hashedPassword', ...Object.keys(defaults), ...extraFields],
    written: [...extraFields, ...Object.keys(defaults), ...Object.keys(nullable)],
    nullable,
    // Without sign-up, other code creates the rows.
    mayFill: fields !== undefined || !enabled,
  }
}

/**
 * Asks the store to compare itself with its database, before the app listens. The app also starts
 * if the database is down. Mismatches then show with the first row.
 * @throws ConfigError saying what to change
 */
export async function verifySchema(
  app: FastifyInstance,
  store: UserStore,
  needs: SchemaNeeds,
  milliseconds: number,
): Promise<void> {
  const { verifySchema: verify } = store
  if (!verify) return
  const deadline = createDeadline(milliseconds)
  const findings = await withDeadline(
    deadline,
    () => verify(needs),
    'The user store',
    unavailableError,
  ).catch((error: { cause?: { code?: unknown } }) => {
    app.log.warn(
      { code: error.cause?.code },
      'fastify-crudauth: could not verify the users table now; mismatches will show with the first row',
    )
    return []
  })
  for (const { level, message } of findings)
    if (level === 'warning') app.log.warn(`fastify-crudauth: ${message}`)
  const errors = findings.filter(({ level }) => level === 'error').map(({ message }) => message)
  if (errors.length > 0) throw new ConfigError(errors.join('\n'))
}
