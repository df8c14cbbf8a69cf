import { setTimeout as delay } from 'node:timers/promises'

/** Receives the messages of the server. */
export class Mailbox {
  private readonly tokens = new Map<string, string>()

  put({ to, kind, token }: { to: string; kind: string; token: string }): void {
    this.tokens.set(`${kind} ${to}`, token)
  }

  /** Takes the token of a message. Undefined if none comes in time, such as during an outage. */
  async take(to: string, kind: string, withinSeconds: number): Promise<string | undefined> {
    const key = `${kind} ${to}`
    for (const until = Date.now() + withinSeconds * 1000; Date.now() < until; await delay(20)) {
      const token = this.tokens.get(key)
      if (token === undefined) continue
      this.tokens.delete(key)
      return token
    }
    return undefined
  }
}
