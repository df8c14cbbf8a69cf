import type { DeliveryKind } from '../ports/delivery-channel.js'
import type { EmailMessage, EmailSender } from '../ports/email-sender.js'

/** A sender that keeps messages. */
export interface TestMailbox extends EmailSender {
  /** All messages, in the order of their delivery. */
  readonly messages: readonly EmailMessage[]
  /**
   * The last message, or the last one of a kind.
   * @throws Error without such a message
   */
  last(kind?: DeliveryKind): EmailMessage
  /**
   * The link in it. `searchParams.get('token')` is its token.
   * @throws Error without such a message
   */
  lastLink(kind?: DeliveryKind): URL
}

/**
 * A sender for the option `email` that keeps messages in place of sending them. Messages are sent
 * after the response: wait for `app.crudAuth.delivery.settled()` before you read them.
 * @example
 * const mailbox = testMailbox()
 * await app.register(crudAuth, { secret, users, email: { sender: mailbox, frontendUrl } })
 * await app.inject({ method: 'POST', url: '/register', payload: account })
 * await app.crudAuth.delivery.settled()
 * const token = mailbox.lastLink('verify_email').searchParams.get('token')
 */
export function testMailbox(): TestMailbox {
  const messages: EmailMessage[] = []
  const last = (kind?: DeliveryKind): EmailMessage => {
    const found = messages.findLast((message) => kind === undefined || message.kind === kind)
    if (found) return found
    const sent = messages.map((message) => message.kind).join(', ') || 'none'
    throw new Error(
      `No ${kind ?? 'message'} was sent (sent: ${sent}). Await app.crudAuth.delivery.settled() first`,
    )
  }
  return {
    messages,
    last,
    lastLink: (kind) => new URL(last(kind).context.link),
    send(message) {
      messages.push(message)
    },
  }
}
