import type { RegisteredUser } from './fastify.js'

/**
 * Kind of a message. `password_changed`, `existing_account`, `provider_unlinked`, `mfa_enabled`,
 * `mfa_disabled`, `recovery_code_used`, `passkey_added` and `passkey_removed` are notices without a
 * token.
 */
export type DeliveryKind =
  | 'verify_email'
  | 'reset_password'
  | 'change_email'
  | 'email_changed'
  | 'password_changed'
  | 'existing_account'
  | 'provider_linked'
  | 'provider_unlinked'
  | 'mfa_enabled'
  | 'mfa_disabled'
  | 'recovery_code_used'
  | 'passkey_added'
  | 'passkey_removed'

/** One message to a user. */
export interface DeliveryIntent {
  readonly kind: DeliveryKind
  /** Secret that the recipient redeems; null for notices. Never log it. */
  readonly token: string | null
  /** The row of the user, with your column names. */
  readonly user: RegisteredUser
  /**
   * Recipient of the message: an email address, a phone number. It may differ from the user's own:
   * a change is confirmed at the new address.
   */
  readonly recipient: string
  /**
   * Logical field that `recipient` is a value of: `email`, `phone`. Ignore fields that your channel
   * does not serve.
   */
  readonly factor: string
  /** Lifetime of `token` in seconds; 0 without one. */
  readonly expiresInSeconds: number
  /** Path of the front end to continue at after redeeming. */
  readonly redirectTo?: string | undefined
  /** Key of the provider, for `provider_linked` and `provider_unlinked`. */
  readonly provider?: string | undefined
  /** Number of recovery codes that are left, for `recovery_code_used`. */
  readonly remaining?: number | undefined
}

/**
 * A way to reach users: email, SMS, your own. Called after the response. An error is logged without
 * secrets and retried later; it never reaches a client or another channel.
 * @example
 * const sms: DeliveryChannel = {
 *   name: 'sms',
 *   async deliver({ kind, factor, recipient, token }) {
 *     if (factor === 'phone' && token) await sendSms(recipient, `${kind}: ${token}`)
 *   },
 * }
 */
export interface DeliveryChannel {
  /**
   * Unique name; jobs in a queue of your own carry it. Default `channel-1`, by position in the
   * list.
   */
  readonly name?: string | undefined
  /**
   * Delivers the message, or does nothing for a field or kind it does not serve. May be called
   * again for the same intent after a failure or a timeout. An error with `permanent: true` is not
   * retried.
   */
  deliver(intent: DeliveryIntent): Promise<unknown> | unknown
  /** Called when the app closes, after waiting messages have been delivered or given up. */
  close?(): Promise<unknown> | unknown
}

/**
 * One message for one channel, for a job queue of your own. It reveals neither token nor address.
 */
export interface DeliveryJob {
  /**
   * Unique, 22 characters of base64url. Use it as the id in your queue, so that duplicates are
   * dropped.
   */
  readonly id: string
  /** Encrypted with AES-256-GCM, base64url. */
  readonly payload: string
}
