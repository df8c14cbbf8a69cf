import { setTimeout as sleep } from 'node:timers/promises'
import { codeAt } from '../helpers/mfa.js'

const stepMs = 30_000
/** A request that begins this close to the end of a step may arrive in the next one. */
const marginMs = 5000

/** An authenticator app. Returns each code once, like the server accepts it, oldest first. */
export class Authenticator {
  private lastStep = 0

  /** @param secret as a page shows it, with or without spaces */
  constructor(private readonly secret: string) {}

  /** Waits for the next step if all codes that the server accepts now are used. */
  async code(): Promise<string> {
    for (;;) {
      const now = Date.now()
      const current = Math.floor(now / stepMs)
      const untilNextMs = (current + 1) * stepMs - now
      // The step before the present one is accepted until the present one ends.
      const first = untilNextMs < marginMs ? current : current - 1
      const step = Math.max(first, this.lastStep + 1)
      if (step <= current + 1) {
        this.lastStep = step
        return codeAt(this.secret.replace(/\s/g, ''), step * stepMs)
      }
      await sleep(untilNextMs)
    }
  }
}
