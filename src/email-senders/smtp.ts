import { createRequire } from 'node:module'
import { ConfigError } from '../errors.js'
import type { EmailMessage, EmailSender } from '../ports/email-sender.js'
import { isMailbox, resolveSmtp, type SmtpSenderOptions } from './smtp-options.js'
import { createPool, SmtpError, type SmtpTransport } from './smtp-pool.js'

export type { EmailMessage, EmailSender } from '../ports/email-sender.js'
export type { Mailbox, SmtpSenderOptions } from './smtp-options.js'

/** The part of nodemailer that we use, version 8 and later. */
interface Nodemailer {
  createTransport(options: object): SmtpTransport
}

/**
 * Loads nodemailer on demand, so that a missing package is a ConfigError and not a failed import.
 */
function loadNodemailer(): Nodemailer {
  try {
    return createRequire(import.meta.url)('nodemailer') as Nodemailer
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== 'MODULE_NOT_FOUND') throw cause
    throw new ConfigError(
      'smtpSender() needs the package "nodemailer"; install it: npm install nodemailer',
      { cause },
    )
  }
}

interface NodemailerError {
  readonly message: string
  readonly code?: string
  readonly command?: string
  readonly response?: string
  readonly responseCode?: number
}

/**
 * Commands whose refusal concerns this message only. A refused login or sender is a problem of the
 * configuration.
 */
const ofMessage = new Set(['RCPT TO', 'DATA'])

function smtpError(cause: unknown): SmtpError {
  const {
    message = '',
    code = 'ESMTP',
    command = '',
    response,
    responseCode,
  } = (cause ?? {}) as Partial<NodemailerError>
  if (response === undefined && responseCode === undefined) {
    // An error of this machine or of nodemailer. Its message contains at most the server name.
    return new SmtpError(`Sending by SMTP failed: ${message}`, code)
  }
  const enhanced = /^\d{3}[ -](\d\.\d{1,3}\.\d{1,3})\b/.exec(response ?? '')?.[1]
  const reply = [responseCode, enhanced].filter((part) => part !== undefined).join(' ')
  const permanent = responseCode !== undefined && responseCode >= 500 && ofMessage.has(command)
  return new SmtpError(
    `The mail server refused ${command || 'the connection'}: ${reply}`,
    code,
    responseCode,
    permanent,
  )
}

/** Refuses header injection and ambiguous recipients. A retry can't succeed. */
function checkMessage({ to, subject }: EmailMessage): void {
  if (!isMailbox(to))
    throw new SmtpError('The recipient is not exactly one address', 'EENVELOPE', undefined, true)
  if (/[\r\n]/.test(subject))
    throw new SmtpError('The subject has more than one line', 'EMESSAGE', undefined, true)
}

/**
 * Creates a sender that uses SMTP through nodemailer, with TLS and pooled connections. The plugin
 * closes it when the app closes.
 * @throws CRUDAUTH_CONFIG for invalid options, or if nodemailer isn't installed
 * @example
 * const sender = smtpSender({ url: process.env.SMTP_URL, from: 'Acme <no-reply@acme.example>' })
 */
export function smtpSender(options: SmtpSenderOptions): EmailSender {
  const { from, replyTo, transport, messageMs } = resolveSmtp(options)
  const pool = createPool(() => loadNodemailer().createTransport(transport), messageMs)
  return {
    async send(message) {
      checkMessage(message)
      const { to, subject, text, html } = message
      try {
        await pool.send({
          // Copies, because nodemailer modifies addresses.
          from: { ...from },
          ...(replyTo && { replyTo: { ...replyTo } }),
          // An object, because nodemailer would parse a text as a list of recipients.
          to: { name: '', address: to },
          subject,
          text,
          ...(html !== undefined && { html }),
          // Keeps long links intact when a server wraps lines.
          textEncoding: 'quoted-printable',
          // Suppress out-of-office replies (RFC 3834), but not delivery reports.
          headers: {
            'Auto-Submitted': 'auto-generated',
            'X-Auto-Response-Suppress': 'OOF, AutoReply',
          },
          disableFileAccess: true,
          disableUrlAccess: true,
        })
      } catch (cause) {
        throw cause instanceof SmtpError ? cause : smtpError(cause)
      }
    },
    close: pool.close,
  }
}
