import type { FastifyInstance } from 'fastify'
import {
  type EmailMessage,
  type EmailSender,
  ForbiddenError,
  NotFoundError,
} from '../../src/index.js'
import { isLoopback } from './address.js'
import { SetupError } from './config.js'

/** An email that would have been sent. */
export interface Mail extends EmailMessage {
  readonly id: number
  readonly sentAt: Date
}

/** What was sent, newest first, in the memory of this process. */
export interface Mailbox {
  readonly sender: EmailSender
  readonly mails: readonly Mail[]
}

const maxMails = 50

/**
 * A mail server of sorts for development: whoever opens it reads everybody's mail, live links included.
 * @throws SetupError under `NODE_ENV=production`
 */
export function createMailbox(env: NodeJS.ProcessEnv = process.env): Mailbox {
  if (env.NODE_ENV === 'production') {
    throw new SetupError(
      'NODE_ENV is "production", and the demo shows everybody’s mail to whoever asks. Start it without NODE_ENV',
    )
  }
  const mails: Mail[] = []
  let lastId = 0
  return {
    mails,
    sender: {
      send(message) {
        lastId += 1
        mails.unshift({ ...message, id: lastId, sentAt: new Date() })
        mails.splice(maxMails)
      },
    },
  }
}

/**
 * What an email may do: be seen, and open its links in a new window. It has no scripts, loads nothing, sends nothing, and is
 * of no origin, so that it finds neither cookies nor the page around it.
 */
const policyOfMails = [
  "default-src 'none'",
  // Mails have their styles in their elements.
  "style-src 'unsafe-inline'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'self'",
  'sandbox allow-popups allow-popups-to-escape-sandbox',
].join('; ')

const inNewWindow = (html: string): string =>
  html.replace(/<head>/i, '<head><base target="_blank">')

/** The data of the page at `/mailbox`, for this machine alone. */
export async function addMailbox(app: FastifyInstance, { mails }: Mailbox): Promise<void> {
  app.addHook('onRequest', async function thisMachineOnly(request, reply) {
    reply.headers({ 'cache-control': 'no-store', 'cross-origin-resource-policy': 'same-origin' })
    // By the name as well: a foreign page whose name leads here (DNS rebinding) would read along, and so would a proxy's public.
    if (!isLoopback(request.ip) || !isLoopback(request.hostname)) {
      throw new ForbiddenError('The mailbox opens on this machine alone, as http://localhost')
    }
  })

  // Asked again and again by the page: at "info" it would fill the log.
  app.get('/mailbox/messages', { schema: { hide: true }, logLevel: 'warn' }, async () =>
    mails.map(({ id, to, kind, subject, text, html, context, sentAt }) => ({
      id,
      to,
      kind,
      subject,
      text,
      link: context.link,
      has_html: html !== undefined,
      sent_at: sentAt.toISOString(),
    })),
  )

  app.get<{ Params: { id: string } }>(
    '/mailbox/messages/:id/html',
    { schema: { hide: true } },
    async (request, reply) => {
      const mail = mails.find(({ id }) => String(id) === request.params.id)
      if (mail?.html === undefined) throw new NotFoundError()
      reply.headers({
        'content-type': 'text/html; charset=utf-8',
        'content-security-policy': policyOfMails,
        'referrer-policy': 'no-referrer',
      })
      return inNewWindow(mail.html)
    },
  )
}
