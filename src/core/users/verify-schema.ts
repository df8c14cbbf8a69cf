import type { FastifyInstance } from 'fastify'
import { ConfigError } from '../../errors.js'
import { createDeadline, withDeadline } from '../../lib/deadline.js'
import { unavailableError } from '../../lib/unavailable.js'
import type { SchemaFinding, SchemaNeeds } from '../../ports/user-store.js'

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

/** How long after a failed check the next one follows. */
const recheckMs = 30_000

/**
 * Has a store compare itself with its database before the app listens. A mismatch stops start-up
 * with a ConfigError that says what to change. The app also starts if the database is down. The
 * check is then repeated until it succeeds, and mismatches are logged.
 * @param what `users`, `links` or `passkeys`, for the log
 */
export function verifySchemaAtStart(
  app: FastifyInstance,
  what: string,
  milliseconds: number,
  verify: (() => Promise<readonly SchemaFinding[]>) | undefined,
): void {
  if (!verify) return
  let isClosed = false
  let timer: NodeJS.Timeout | undefined
  const deadline = createDeadline(milliseconds)
  const check = () => withDeadline(deadline, verify, `The store of ${what}`, unavailableError)
  const messagesOf = (findings: readonly SchemaFinding[], level: SchemaFinding['level']) =>
    findings.filter((finding) => finding.level === level).map(({ message }) => message)

  const checkLater = () => {
    if (isClosed) return
    timer = setTimeout(() => {
      check().then((findings) => {
        for (const message of messagesOf(findings, 'warning'))
          app.log.warn(`fastify-crudauth: ${message}`)
        for (const message of messagesOf(findings, 'error'))
          app.log.error(`fastify-crudauth: ${message}`)
      }, checkLater)
    }, recheckMs)
    timer.unref()
  }

  app.addHook('onReady', async function verifySchema() {
    const findings = await check().catch(
      (error: { cause?: { code?: unknown; name?: unknown } }) => {
        app.log.warn(
          // Not the message, which may quote values.
          { code: error.cause?.code ?? error.cause?.name },
          `fastify-crudauth: could not verify the ${what} table now; it is checked again later`,
        )
        checkLater()
        return []
      },
    )
    for (const message of messagesOf(findings, 'warning'))
      app.log.warn(`fastify-crudauth: ${message}`)
    const errors = messagesOf(findings, 'error')
    if (errors.length > 0) throw new ConfigError(errors.join('\n'))
  })
  app.addHook('onClose', async function endVerification() {
    isClosed = true
    clearTimeout(timer)
  })
}
