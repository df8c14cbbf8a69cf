import type { DeliveryIntent, DeliveryKind } from '../../ports/delivery-channel.js'
import type {
  EmailContext,
  EmailSender,
  RenderEmail,
  RenderedEmail,
} from '../../ports/email-sender.js'
import type { NamedChannel } from './dispatch.js'
import { renderEmail } from './email-templates.js'

/** The front end and its pages, as resolved from the option `email`. */
interface EmailChannelOptions {
  readonly sender: EmailSender
  /** Without a trailing slash. */
  readonly frontendUrl: string
  /** Each starts with a slash. */
  readonly paths: {
    readonly verify: string
    readonly reset: string
    readonly change: string
    readonly revert: string
  }
  /** Default: the plugin's own templates. */
  readonly render?: RenderEmail | undefined
}

/** `email.render` returned an invalid email. */
class RenderResultError extends Error {
  readonly code = 'CRUDAUTH_RENDER_RESULT'

  constructor(what: string) {
    super(`"email.render" ${what}`)
    this.name = 'RenderResultError'
  }
}

/**
 * Line breaks of any kind and other control characters. A subject with them could inject headers.
 */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
const notOneLine = /[\u0000-\u001f\u007f\u0085\u2028\u2029]/

/** Checks what the app's function returned. */
function checkRendered(value: unknown): RenderedEmail {
  const { subject, text, html } = (value ?? {}) as Partial<Record<keyof RenderedEmail, unknown>>
  if (typeof subject !== 'string' || subject === '' || typeof text !== 'string' || text === '') {
    throw new RenderResultError('must return { subject, text, html? } with a subject and a text')
  }
  if (notOneLine.test(subject))
    throw new RenderResultError('returned a subject of more than one line')
  if (html !== undefined && typeof html !== 'string')
    throw new RenderResultError('returned an "html" that is not a string')
  return { subject, text, ...(html !== undefined && { html }) }
}

/** The email channel: creates the link, renders the message and passes it to the sender. */
export function emailChannel({
  sender,
  frontendUrl,
  paths,
  render = renderEmail,
}: EmailChannelOptions): NamedChannel {
  const pages: Readonly<Record<DeliveryKind, string>> = {
    verify_email: paths.verify,
    reset_password: paths.reset,
    change_email: paths.change,
    email_changed: paths.revert,
    password_changed: paths.reset,
    existing_account: '',
    provider_linked: paths.revert,
    provider_unlinked: paths.reset,
    mfa_enabled: paths.reset,
    mfa_disabled: paths.reset,
    recovery_code_used: paths.reset,
    passkey_added: paths.reset,
    passkey_removed: paths.reset,
  }

  const linkOf = ({ kind, token, redirectTo }: DeliveryIntent): string => {
    const page = frontendUrl + pages[kind]
    if (token === null) return page
    const redirect =
      redirectTo === undefined ? '' : `&redirect_to=${encodeURIComponent(redirectTo)}`
    return `${page}?token=${encodeURIComponent(token)}${redirect}`
  }

  return {
    name: 'email',
    async deliver(intent) {
      const { kind, factor, recipient, expiresInSeconds, user, redirectTo, provider, remaining } =
        intent
      if (factor !== 'email') return
      const link = linkOf(intent)
      const context: EmailContext = {
        link,
        recipient,
        expiresInSeconds,
        user,
        ...(redirectTo !== undefined && { redirectTo }),
        ...(provider !== undefined && { provider }),
        ...(remaining !== undefined && { remaining }),
        resetLink: frontendUrl + paths.reset,
      }
      const rendered = checkRendered(await render(kind, context))
      await sender.send({
        to: recipient,
        ...rendered,
        kind,
        context: { link, recipient, expiresInSeconds },
      })
    },
    close: () => sender.close?.(),
  }
}
