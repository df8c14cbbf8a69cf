import { setTimeout as sleep } from 'node:timers/promises'
import type { EmailMessage, EmailOptions } from '../../src/index.js'

/** Collects the messages that an app sends. */
export class Mailbox {
  readonly messages: EmailMessage[] = []

  /** Value for the option `email` that delivers to this mailbox. */
  options(more: Partial<EmailOptions> = {}): EmailOptions {
    const send = (message: EmailMessage) => void this.messages.push(message)
    return { sender: { send }, frontendUrl: 'https://app.example.com', ...more }
  }

  to(address: string, kind?: string): EmailMessage[] {
    return this.messages.filter(
      (message) => message.to === address && (kind === undefined || message.kind === kind),
    )
  }

  /** Waits until `count` messages of a kind were sent to an address. Returns the newest. */
  async next(address: string, kind: string, count = 1): Promise<EmailMessage> {
    for (let tries = 0; tries < 1000; tries++) {
      const found = this.to(address, kind)
      if (found.length >= count) return found[found.length - 1] as EmailMessage
      await sleep(5)
    }
    throw new Error(
      `no ${kind} came to ${address}; there is ${this.messages.map(({ kind, to }) => `${kind} to ${to}`).join(', ')}`,
    )
  }

  /** Like `next`, but returns the token in the message's link. */
  async token(address: string, kind: string, count = 1): Promise<string> {
    return tokenOf(await this.next(address, kind, count))
  }
}

export const tokenOf = (message: EmailMessage): string =>
  new URL(message.context.link).searchParams.get('token') ?? ''

/** Waits for work that runs after the response, when the test expects it to have no effect. */
export const settle = () => sleep(120)
