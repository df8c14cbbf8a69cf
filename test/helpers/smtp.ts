import type { TestContext } from 'node:test'
import { type SmtpOptions, type SmtpService, startSmtp } from '../../scripts/services/smtp.js'
import { type SmtpSenderOptions, smtpSender } from '../../src/email-senders/smtp.js'
import type { EmailMessage } from '../../src/ports/email-sender.js'

export const credentials = { user: 'mailer@example.com', pass: 'pa55/word:@%' }

export const link =
  'https://app.example.com/reset-password?token=abcdefghijklmnopqrstuv&redirect_to=%2Fnotes%3Ftab%3D2%26sort%3Dnewest-first%26page%3D3%26q%3Dgr%C3%BC%C3%9Fe'

export const message: EmailMessage = {
  to: 'ada@example.com',
  subject: 'Reset your password',
  text: `Somebody asked for a new password.\n\n${link}\n\n.\n.. a line that begins with a dot\nIf it was not you, ignore this.\n`,
  html: `<p>Grüße</p><p><a href="${link.replaceAll('&', '&amp;')}">Reset</a></p>`,
  kind: 'reset_password',
  context: { link, recipient: 'ada@example.com', expiresInSeconds: 3600 },
}

/** Adds the credentials to a server's URL. */
export const signedIn = (url: string): string =>
  url.replace(
    '://',
    `://${encodeURIComponent(credentials.user)}:${encodeURIComponent(credentials.pass)}@`,
  )

/** Starts a mail server and a sender that trusts it. Both close when the test ends. */
export async function connected(
  t: TestContext,
  server: SmtpOptions = {},
  options: (smtp: SmtpService) => Partial<SmtpSenderOptions> = () => ({}),
) {
  const smtp = await startSmtp(server)
  const sender = smtpSender({
    url: smtp.url,
    tls: { ca: smtp.ca },
    from: 'no-reply@mail.example.com',
    ...options(smtp),
  })
  t.after(async () => {
    await sender.close?.()
    await smtp.stop()
  })
  return { smtp, sender }
}
