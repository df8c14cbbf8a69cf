import type { DeliveryKind } from './delivery-channel.js'
import type { RegisteredUser } from './fastify.js'

/** A complete email. */
export interface EmailMessage {
  /**
   * One address in canonical form. Pass it to a mail library as an address object, never as header
   * text.
   */
  readonly to: string
  readonly subject: string
  readonly text: string
  readonly html?: string | undefined
  readonly kind: DeliveryKind
  /** The values in the message, for senders with their own templates. */
  readonly context: {
    /** The page to visit. Contains a live secret, except in notices: never log it. */
    readonly link: string
    readonly recipient: string
    /** Lifetime of the link in seconds; 0 without a token. */
    readonly expiresInSeconds: number
  }
}

/**
 * Sends emails.
 * @example
 * const sender: EmailSender = {
 *   send: ({ to, subject, text, html }) => mailApi.send({ to: [{ address: to }], subject, text, html }),
 * }
 */
export interface EmailSender {
  /**
   * Resolves when the message was accepted. An error with `permanent: true` is not retried, any
   * other is.
   */
  send(message: EmailMessage): Promise<unknown> | unknown
  /** Called when the app closes, after waiting messages have been sent or given up. */
  close?(): Promise<unknown> | unknown
}

/** The values to render an email from. */
export interface EmailContext {
  /**
   * The page to visit: to redeem the token, to sign in (`existing_account`), or to reset the
   * password (other notices).
   */
  readonly link: string
  readonly recipient: string
  /** Lifetime of the link in seconds; 0 without a token. */
  readonly expiresInSeconds: number
  /** The row of the user. Escape what users typed before you put it into HTML. */
  readonly user: RegisteredUser
  /** Path of the front end to continue at; `link` contains it. */
  readonly redirectTo?: string | undefined
  /** Key of the provider, for `provider_linked` and `provider_unlinked`. */
  readonly provider?: string | undefined
  /** Number of recovery codes that are left, for `recovery_code_used`. */
  readonly remaining?: number | undefined
  /**
   * Page that requests a password reset, without a token: for recipients who did not cause the
   * message.
   */
  readonly resetLink: string
}

/** Subject and bodies of an email. */
export interface RenderedEmail {
  /** One line. */
  readonly subject: string
  readonly text: string
  readonly html?: string | undefined
}

/**
 * Renders an email, in the language of the user for example. An invalid result is a failed
 * delivery.
 */
export type RenderEmail = (
  kind: DeliveryKind,
  context: EmailContext,
) => RenderedEmail | Promise<RenderedEmail>
