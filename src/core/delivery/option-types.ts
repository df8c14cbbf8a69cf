import type { DeliveryJob } from '../../ports/delivery-channel.js'
import type { EmailSender, RenderEmail } from '../../ports/email-sender.js'

/** Pages of your front end, as paths below `email.frontendUrl`. */
export interface EmailPaths {
  /**
   * Confirms an address.
   * @defaultValue `/verify-email`
   */
  readonly verify?: string | undefined
  /**
   * Sets a new password. Without a token in the URL it asks for the link.
   * @defaultValue `/reset-password`
   */
  readonly reset?: string | undefined
  /**
   * Confirms a new address.
   * @defaultValue `/confirm-email-change`
   */
  readonly change?: string | undefined
  /**
   * Takes a change of address back.
   * @defaultValue `/revert-email`
   */
  readonly revert?: string | undefined
}

/** Emails with links into your front end, where a page posts the token of the link. */
export interface EmailOptions {
  /**
   * Sends the emails: `smtpSender()`, `logSender()` in development, or your own `{ send(message),
   * close?() }`. It is closed with the app.
   */
  readonly sender: EmailSender
  /**
   * Base URL of your front end, such as `https://app.example.com`. Links in emails point there.
   * https, or http on a loopback host.
   */
  readonly frontendUrl: string
  /** Pages of your front end, as paths below `frontendUrl`. */
  readonly paths?: EmailPaths | undefined
  /**
   * Lifetime of a verification link in seconds, at most 30 days.
   * @defaultValue `86400`
   */
  readonly verifySeconds?: number | undefined
  /**
   * Lifetime of a password reset link in seconds, at most 30 days.
   * @defaultValue `3600`
   */
  readonly resetSeconds?: number | undefined
  /**
   * Lifetime of the link that confirms a new address in seconds, at most 30 days.
   * @defaultValue `3600`
   */
  readonly changeSeconds?: number | undefined
  /**
   * Seconds during which the previous address can take a change back, and stays reserved. At most
   * 30 days.
   * @defaultValue `259200`
   */
  readonly revertSeconds?: number | undefined
  /**
   * Function that writes the emails: `(kind, context) => ({ subject, text, html? })`.
   * @defaultValue English texts
   */
  readonly render?: RenderEmail | undefined
}

/** How messages reach their channels. Every number is per channel and process. */
export interface DeliveryOptions {
  /**
   * Hands encrypted messages to a job queue of your own. A worker passes them to
   * `app.crudAuth.recovery.deliver(job)`.
   * @defaultValue none
   */
  readonly enqueue?: ((job: DeliveryJob) => unknown) | undefined
  /**
   * Unfinished messages per channel. Further ones are dropped and logged.
   * @defaultValue `1000`
   */
  readonly maxQueued?: number | undefined
  /**
   * Messages sent at the same time per channel.
   * @defaultValue `4`
   */
  readonly concurrency?: number | undefined
  /**
   * Attempts per message, the first one included.
   * @defaultValue `6`
   */
  readonly attempts?: number | undefined
  /**
   * Seconds before the first retry. Each further retry waits four times longer, at most 5 minutes.
   * Fractions are allowed.
   * @defaultValue `1`
   */
  readonly firstRetrySeconds?: number | undefined
  /**
   * Seconds that one attempt may take. Fractions are allowed.
   * @defaultValue `30`
   */
  readonly attemptSeconds?: number | undefined
  /**
   * Seconds that closing the app waits for unfinished messages.
   * @defaultValue `10`
   */
  readonly drainSeconds?: number | undefined
}
