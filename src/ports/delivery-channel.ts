import type { RegisteredUser } from './fastify.js'

/**
 * What a message is about. `password_changed`, `existing_account` and `provider_unlinked` are notices: there is nothing in
 * them to redeem.
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

/** One message that is to reach a user. */
export interface DeliveryIntent {
  readonly kind: DeliveryKind
  /** The live secret that the recipient redeems; null for notices. Never log it. */
  readonly token: string | null
  /** The app's own row with its own column names. */
  readonly user: RegisteredUser
  /** Where it goes: an email address, a phone number. Not always the user's own: a change is confirmed at the new address. */
  readonly recipient: string
  /** Logical field that `recipient` is a value of: `email`, `phone`. A channel ignores factors that are not its own. */
  readonly factor: string
  /** How long `token` can be redeemed; 0 without a token. */
  readonly expiresInSeconds: number
  /** A path of the front end at which to go on after redeeming. */
  readonly redirectTo?: string | undefined
  /** Key of the provider, for `provider_linked` and `provider_unlinked`. */
  readonly provider?: string | undefined
}

/**
 * A way to reach users: email, SMS, the app's own. Called off the path of any answer, alone for itself: what it throws is
 * logged without the message's secrets and tried again later, and never reaches a client or another channel.
 */
export interface DeliveryChannel {
  /** Unique among the app's channels; jobs in the app's own queue carry it. Default `channel-1`, by place in the list. */
  readonly name?: string | undefined
  /**
   * Delivers, or does nothing for a factor or kind that it does not serve. May be called again for the same intent after it
   * failed or took too long. An error with `permanent: true` is not tried again.
   */
  deliver(intent: DeliveryIntent): Promise<unknown> | unknown
  /** Called when the app closes, after what was waiting has been delivered or given up. */
  close?(): Promise<unknown> | unknown
}

/**
 * One message for one channel, for a queue of the app's own. Neither token nor address can be read in it, so the queue may
 * keep it where others read: a database, its own dashboard.
 */
export interface DeliveryJob {
  /** Unique, 22 characters of base64url: good as the queue's own id, which then drops what is added twice. */
  readonly id: string
  /** Encrypted, base64url. */
  readonly payload: string
}
