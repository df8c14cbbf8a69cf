import type { FastifyInstance } from 'fastify'
import {
  type EmailMessage,
  type EmailSender,
  ForbiddenError,
  NotFoundError,
} from '../../src/index.js'
import { isLoopback } from './address.js'
import { SetupError } from './config.js'

/** An email that the demo collected instead of sending it. */
export interface Mail extends EmailMessage {
  readonly id: number
  readonly sentAt: Date
}

/** The collected emails, newest first, in the memory of this process. */
export interface Mailbox {
  readonly sender: EmailSender
  readonly mails: readonly Mail[]
}

const maxMails = 50

/**
 * Creates a mailbox for development. Anyone who opens it reads all emails, with their valid links.
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
 * Content security policy of emails. An email can only open links in a new window: it can't run
 * scripts, load resources or submit forms. The sandbox gives it an opaque origin, so it can't
 * access cookies or the surrounding page.
 */
const policyOfMails = [
  "default-src 'none'",
  // Emails have inline styles.
  "style-src 'unsafe-inline'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'self'",
  'sandbox allow-popups allow-popups-to-escape-sandbox',
].join('; ')

const inNewWindow = (html: string): string =>
  html.replace(/<head>/i, '<head><base target="_blank">')

/** Adds the routes behind the page `/mailbox`. They accept requests only from this machine. */
export async function addMailbox(app: FastifyInstance, { mails }: Mailbox): Promise<void> {
  app.addHook('onRequest', async function thisMachineOnly(request, reply) {
    reply.headers({ 'cache-control': 'no-store', 'cross-origin-resource-policy': 'same-origin' })
    // Also check the host name, against DNS rebinding and requests through a public proxy.
    if (!isLoopback(request.ip) || !isLoopback(request.hostname)) {
      throw new ForbiddenError('The mailbox opens on this machine alone, as http://localhost')
    }
  })

  // The page polls this route, which would fill the log at level "info".
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
