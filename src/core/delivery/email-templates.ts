import type { DeliveryKind } from '../../ports/delivery-channel.js'
import type { EmailContext, RenderEmail } from '../../ports/email-sender.js'

/** Content of an email, before it is rendered as text and HTML. */
interface Wording {
  readonly subject: string
  /** What happened and what to do. */
  readonly lead: readonly string[]
  /** What the link does. */
  readonly action: string
  /** What follows the link. */
  readonly after: readonly Paragraph[]
}

/** A paragraph, optionally with a link at its end. */
interface Paragraph {
  readonly text: string
  readonly link?: string
}

type Word = (context: EmailContext, site: string) => Wording

/** Rounded down, so that a link never expires before the time that its email states. */
function duration(seconds: number): string {
  const units: [name: string, seconds: number][] = [
    ['day', 86_400],
    ['hour', 3600],
    ['minute', 60],
  ]
  for (const [name, size] of units) {
    // The largest unit of which there are two or more, or exactly one:
    // "90 minutes", "1 hour", "24 hours", "3 days".
    const exact = size < 86_400 && seconds === size
    if (seconds >= 2 * size || exact) {
      const count = Math.floor(seconds / size)
      return `${count} ${name}${count === 1 ? '' : 's'}`
    }
  }
  return seconds >= 60 ? '1 minute' : `${seconds} seconds`
}

const once = ({ expiresInSeconds }: EmailContext): Paragraph => ({
  text: `The link works once, for ${duration(expiresInSeconds)}.`,
})

/** Display name of a provider, made from its key in the app's configuration. */
const named = ({ provider = 'a provider' }: EmailContext): string =>
  provider.charAt(0).toUpperCase() + provider.slice(1)

/** The texts never contain user input. */
const wordings: Readonly<Record<DeliveryKind, Word>> = {
  verify_email: (context, site) => ({
    subject: `Confirm your email address for ${site}`,
    lead: [
      `An account was created at ${site} with this email address.`,
      'If you created it, confirm that the address is yours.',
    ],
    action: 'Confirm the address',
    after: [
      once(context),
      {
        text: 'If you didn’t create it, don’t confirm. The address is yours, so you can take over the account by setting your own password:',
        link: context.resetLink,
      },
    ],
  }),
  reset_password: (context, site) => ({
    subject: `Reset your password for ${site}`,
    lead: [
      `Someone asked to reset the password of your account at ${site}.`,
      'If that was you, choose a new password.',
    ],
    action: 'Choose a new password',
    after: [
      once(context),
      { text: 'If it wasn’t you, ignore this email. Your password stays the same.' },
    ],
  }),
  change_email: (context, site) => ({
    subject: `Confirm your new email address for ${site}`,
    lead: [
      `Someone who is signed in at ${site} wants to use this email address for their account.`,
      'If that was you, confirm the address.',
    ],
    action: 'Confirm the new address',
    after: [
      once(context),
      { text: 'If it wasn’t you, ignore this email. The address won’t be used.' },
    ],
  }),
  email_changed: (context, site) => ({
    subject: `Your email address for ${site} was changed`,
    lead: [
      `Your account at ${site} now has another email address. This one is no longer used.`,
      'If you changed it, you don’t need to do anything. If you didn’t, undo the change, which signs out every device, and then set a new password.',
    ],
    action: 'Undo the change',
    after: [once(context)],
  }),
  password_changed: (_, site) => ({
    subject: `Your password for ${site} was changed`,
    lead: [
      `The password of your account at ${site} was changed.`,
      'If you changed it, you don’t need to do anything. If you didn’t, reset your password now.',
    ],
    action: 'Reset your password',
    after: [],
  }),
  existing_account: (context, site) => ({
    subject: `You already have an account at ${site}`,
    lead: [
      `Someone tried to create an account at ${site} with this email address. It already has an account.`,
      'If that was you, sign in.',
    ],
    action: 'Sign in',
    after: [
      { text: 'If you don’t know the password, reset it:', link: context.resetLink },
      { text: 'If it wasn’t you, ignore this email. Nothing has changed.' },
    ],
  }),
  provider_linked: (context, site) => ({
    subject: `Sign-in with ${named(context)} was added to your account at ${site}`,
    lead: [
      `You can now sign in to your account at ${site} with ${named(context)}.`,
      'If you added it, you don’t need to do anything. If you didn’t, undo it, which signs out every device, and then set a new password.',
    ],
    action: 'Undo it',
    after: [once(context)],
  }),
  provider_unlinked: (context, site) => ({
    subject: `Sign-in with ${named(context)} was removed from your account at ${site}`,
    lead: [
      `You can no longer sign in to your account at ${site} with ${named(context)}.`,
      'If you removed it, you don’t need to do anything. If you didn’t, reset your password now.',
    ],
    action: 'Reset your password',
    after: [],
  }),
  mfa_enabled: (_, site) => ({
    subject: `Two-factor authentication was turned on for ${site}`,
    lead: [
      `Signing in to your account at ${site} now takes a code of an authenticator app.`,
      'If you turned it on, you don’t need to do anything. If you didn’t, someone knows your password: reset it now, and ask for help at the site.',
    ],
    action: 'Reset your password',
    after: [],
  }),
  mfa_disabled: (_, site) => ({
    subject: `Two-factor authentication was turned off for ${site}`,
    lead: [
      `Signing in to your account at ${site} no longer takes a code.`,
      'If you turned it off, you don’t need to do anything. If you didn’t, reset your password now.',
    ],
    action: 'Reset your password',
    after: [],
  }),
  recovery_code_used: ({ remaining = 0 }, site) => ({
    subject: `A recovery code was used for ${site}`,
    lead: [
      `Someone used a recovery code of your account at ${site} in place of the authenticator app.`,
      `${remaining === 1 ? '1 code is' : `${remaining} codes are`} left.${remaining <= 3 ? ' Create new ones soon.' : ''}`,
      'If that was you, you don’t need to do anything. If it wasn’t you, reset your password now.',
    ],
    action: 'Reset your password',
    after: [],
  }),
  passkey_added: (_, site) => ({
    subject: `A passkey was added to your account at ${site}`,
    lead: [
      `You can now sign in to your account at ${site} with a new passkey.`,
      'If you added it, you don’t need to do anything. If you didn’t, sign in and remove it, then reset your password.',
    ],
    action: 'Reset your password',
    after: [],
  }),
  passkey_removed: (_, site) => ({
    subject: `A passkey was removed from your account at ${site}`,
    lead: [
      `A passkey can no longer be used to sign in to your account at ${site}.`,
      'If you removed it, you don’t need to do anything. If you didn’t, reset your password now.',
    ],
    action: 'Reset your password',
    after: [],
  }),
}

const entities: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
}
const escapeHtml = (text: string): string =>
  text.replace(/[&<>"']/g, (character) => entities[character] ?? '')

function asText({ lead, action, after }: Wording, link: string): string {
  const paragraphs = [
    lead.join('\n'),
    `${action}:\n${link}`,
    ...after.map((paragraph) =>
      paragraph.link === undefined ? paragraph.text : `${paragraph.text}\n${paragraph.link}`,
    ),
  ]
  return `${paragraphs.join('\n\n')}\n`
}

/** Only the button sets colours, so that light and dark mode both work. */
function asHtml({ subject, lead, action, after }: Wording, link: string): string {
  const anchor = (url: string, style = '') =>
    `<a href="${escapeHtml(url)}"${style && ` style="${style}"`}>${escapeHtml(url)}</a>`
  const paragraph = (html: string) => `<p style="margin:0 0 16px">${html}</p>`
  const button =
    'display:inline-block;padding:12px 20px;border-radius:6px;background-color:#1d4ed8;color:#ffffff;text-decoration:none;font-weight:bold'
  return [
    '<!doctype html>',
    '<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">',
    '<meta name="color-scheme" content="light dark"><meta name="supported-color-schemes" content="light dark">',
    `<title>${escapeHtml(subject)}</title></head>`,
    '<body style="margin:0;padding:24px;font-family:system-ui,-apple-system,Segoe UI,Roboto,Helvetica,Arial,sans-serif;font-size:16px;line-height:1.5">',
    '<div style="max-width:560px;margin:0 auto">',
    paragraph(lead.map(escapeHtml).join('<br>\n')),
    paragraph(`<a href="${escapeHtml(link)}" style="${button}">${escapeHtml(action)}</a>`),
    // For email programs that show no buttons, and for users who want to see the URL.
    paragraph(anchor(link, 'word-break:break-all')),
    ...after.map(({ text, link: other }) =>
      paragraph(
        other === undefined ? escapeHtml(text) : `${escapeHtml(text)}<br>\n${anchor(other)}`,
      ),
    ),
    '</div></body></html>',
    '',
  ].join('\n')
}

/**
 * The plugin's own emails, in English: what happened, the link, how long it works, and what to do
 * if it was someone else. The host of the front end is the app's name. An app's own `render` can
 * fall back to it.
 * @example
 * const { subject, html } = renderEmail('verify_email', context)
 */
export const renderEmail: RenderEmail = (kind, context) => {
  const wording = wordings[kind](context, new URL(context.resetLink).host)
  return {
    subject: wording.subject,
    text: asText(wording, context.link),
    html: asHtml(wording, context.link),
  }
}
