import type { DeliveryKind } from './delivery-channel.js'
import type { RegisteredUser } from './fastify.js'

/** A complete email. */
export interface EmailMessage {
  /** One address in canonical form. Give it to a mail library as an address object, never as text of a header. */
  readonly to: string
  readonly subject: string
  readonly text: string
  readonly html?: string | undefined
  readonly kind: DeliveryKind
  /** What the message was made of, for senders with templates of their own. */
  readonly context: {
    /** The page to visit. Carries a live secret where the kind has one: never log it. */
    readonly link: string
    readonly recipient: string
    /** How long the link works; 0 where it carries no token. */
    readonly expiresInSeconds: number
  }
}

/** Hands emails to something that sends them. */
export interface EmailSender {
  /** Resolves when the message was accepted. An error with `permanent: true` is not tried again, any other is. */
  send(message: EmailMessage): Promise<unknown> | unknown
  /** Called when the app closes, after what was waiting has been sent or given up. */
  close?(): Promise<unknown> | unknown
}

/** What an email is rendered from. */
export interface EmailContext {
  /** The page to visit: to redeem the token, or, for notices, to sign in (`existing_account`) or to reset (the others). */
  readonly link: string
  readonly recipient: string
  /** How long the link works; 0 where it carries no token. */
  readonly expiresInSeconds: number
  /** The app's own row. What users typed must be escaped before it gets into HTML. */
  readonly user: RegisteredUser
  /** A path of the front end at which to go on; `link` carries it already. */
  readonly redirectTo?: string | undefined
  /** Key of the provider, for `provider_linked` and `provider_unlinked`. */
  readonly provider?: string | undefined
  /** The page on which a password reset is asked for, without a token: for recipients who did not do what is told. */
  readonly resetLink: string
}

/** Subject and bodies of an email. */
export interface RenderedEmail {
  /** One line. */
  readonly subject: string
  readonly text: string
  readonly html?: string | undefined
}

/** Words an email; localisation is here. What it returns is checked, and a bad result is a failed delivery. */
export type RenderEmail = (
  kind: DeliveryKind,
  context: EmailContext,
) => RenderedEmail | Promise<RenderedEmail>
