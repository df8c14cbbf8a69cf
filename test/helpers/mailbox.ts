import { setTimeout as sleep } from 'node:timers/promises'
import type { EmailMessage, EmailOptions } from '../../src/index.js'

/** A mail server of sorts: keeps what is sent. */
export class Mailbox {
  readonly messages: EmailMessage[] = []

  /** The option `email` of an app whose mail ends here. */
  options(more: Partial<EmailOptions> = {}): EmailOptions {
    const send = (message: EmailMessage) => void this.messages.push(message)
    return { sender: { send }, frontendUrl: 'https://app.example.com', ...more }
  }

  to(address: string, kind?: string): EmailMessage[] {
    return this.messages.filter(
      (message) => message.to === address && (kind === undefined || message.kind === kind),
    )
  }

  /** The newest message of a kind to an address, as soon as it is there; `count` of them must have come. */
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

  /** Token of the newest message of a kind to an address, out of its link. */
  async token(address: string, kind: string, count = 1): Promise<string> {
    return tokenOf(await this.next(address, kind, count))
  }
}

export const tokenOf = (message: EmailMessage): string =>
  new URL(message.context.link).searchParams.get('token') ?? ''

/** Lets what is off the path of an answer come to its end, where nothing is expected to come of it. */
export const settle = () => sleep(120)
