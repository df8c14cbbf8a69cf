import { createRequire } from 'node:module'
import { ConfigError } from '../errors.js'
import type { EmailMessage, EmailSender } from '../ports/email-sender.js'
import { isMailbox, resolveSmtp, type SmtpSenderOptions } from './smtp-options.js'
import { createPool, SmtpError, type SmtpTransport } from './smtp-pool.js'

export type { EmailMessage, EmailSender } from '../ports/email-sender.js'
export type { Mailbox, SmtpSenderOptions } from './smtp-options.js'

/** What is used of nodemailer, 8 and later. */
interface Nodemailer {
  createTransport(options: object): SmtpTransport
}

/** Loaded when a sender is made, so that its absence is a mistake in the configuration and not a broken import. */
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

/** Commands whose refusal is about this one message; refused sign-ins and senders are about the configuration. */
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
    // Of this machine or of nodemailer: names the server at most.
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

/** A header of more than one line, or an address that could be several: nothing to try again. */
function checkMessage({ to, subject }: EmailMessage): void {
  if (!isMailbox(to))
    throw new SmtpError('The recipient is not exactly one address', 'EENVELOPE', undefined, true)
  if (/[\r\n]/.test(subject))
    throw new SmtpError('The subject has more than one line', 'EMESSAGE', undefined, true)
}

/**
 * Sends emails by SMTP through nodemailer, over TLS and a pool of connections. Closed by the plugin when the app closes.
 * @throws CRUDAUTH_CONFIG for a mistake in the options, or when nodemailer is not installed
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
          // Copies: nodemailer writes into addresses.
          from: { ...from },
          ...(replyTo && { replyTo: { ...replyTo } }),
          // An object is taken as it is; a text would be parsed as a list.
          to: { name: '', address: to },
          subject,
          text,
          ...(html !== undefined && { html }),
          // Long links survive lines that are cut on the way.
          textEncoding: 'quoted-printable',
          // Nobody's holiday reply is wanted (RFC 3834), reports about what could not be delivered are.
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
