import { checkBoolean, checkObject, describe, fail } from '../lib/option-checks.js'
import type { EmailSender } from '../ports/email-sender.js'

/** Options of `logSender()`. */
export interface LogSenderOptions {
  /**
   * Where emails are written, such as `app.log`.
   * @defaultValue `console`
   */
  readonly log?: { info(message: string): unknown } | undefined
  /**
   * Whether to start under `NODE_ENV=production`. Anyone who can read the log can then take over
   * any account.
   * @defaultValue `false`
   */
  readonly allowInProduction?: boolean | undefined
}

/**
 * For development: writes each email to the log, including the live link, and sends nothing.
 * @throws CRUDAUTH_CONFIG under `NODE_ENV=production`, unless `allowInProduction`
 * @example
 * app.register(crudAuth, { secret, users, email: { sender: logSender(), frontendUrl: 'http://localhost:3000' } })
 */
export function logSender(options: LogSenderOptions = {}): EmailSender {
  checkObject('logSender', options, ['log', 'allowInProduction'])
  const { log = console } = options
  if (typeof log?.info !== 'function') {
    fail(
      `"logSender.log" must be a logger with an "info" function, such as app.log, got ${describe(log)}`,
    )
  }
  if (
    process.env.NODE_ENV === 'production' &&
    !checkBoolean('logSender.allowInProduction', options.allowInProduction, false)
  ) {
    fail(
      'logSender() writes valid links to the log and sends no email; it is for development only. In production use smtpSender() of "fastify-crudauth/email/smtp" or your own sender',
    )
  }
  return {
    send({ to, subject, text }) {
      log.info(
        `Not sent: logSender() is for development.\nTo: ${to}\nSubject: ${subject}\n\n${text}`,
      )
    },
  }
}
