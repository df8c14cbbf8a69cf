import { readFileSync } from 'node:fs'
import type { FastifyInstance } from 'fastify'
import type { DemoProvider } from './provider.js'

const html = 'text/html; charset=utf-8'
const script = 'text/javascript; charset=utf-8'
const style = 'text/css; charset=utf-8'

const files = [
  ['/', 'index.html', html],
  ['/mailbox', 'mailbox.html', html],
  // The targets of links in emails.
  ['/verify-email', 'link.html', html],
  ['/confirm-email-change', 'link.html', html],
  ['/revert-email', 'link.html', html],
  ['/reset-password', 'reset.html', html],
  ['/app.js', 'app.js', script],
  ['/api.js', 'api.js', script],
  ['/forms.js', 'forms.js', script],
  ['/oauth.js', 'oauth.js', script],
  ['/mfa-account.js', 'mfa-account.js', script],
  ['/mfa-sign-in.js', 'mfa-sign-in.js', script],
  ['/mfa-secret.js', 'mfa-secret.js', script],
  ['/link.js', 'link.js', script],
  ['/mailbox.js', 'mailbox.js', script],
  ['/reset.js', 'reset.js', script],
  ['/view.js', 'view.js', script],
  ['/controls.css', 'controls.css', style],
  ['/mailbox.css', 'mailbox.css', style],
  ['/mfa.css', 'mfa.css', style],
  ['/style.css', 'style.css', style],
  ['/icon.svg', 'icon.svg', 'image/svg+xml'],
] as const

/** Encodes QR codes in the browser, so that no TOTP secret is sent anywhere for its picture. */
const qrCodes = import.meta.resolve('uqr')

/** Allows only same-origin resources, no inline code and no frames, to stop injected scripts. */
const contentSecurityPolicy = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self'",
  "connect-src 'self'",
  "form-action 'self'",
  "base-uri 'none'",
  "frame-ancestors 'none'",
  "require-trusted-types-for 'script'",
].join('; ')

/** Serves the pages and their files. */
export async function addPage(
  app: FastifyInstance,
  { providers = [] }: { readonly providers?: readonly DemoProvider[] },
): Promise<void> {
  app.get('/providers', { schema: { hide: true }, logLevel: 'warn' }, async (_request, reply) => {
    reply.header('cache-control', 'no-store')
    return providers.map(({ key, name, hint }) => ({ key, name, hint }))
  })

  for (const [url, name, type] of [...files, ['/uqr.js', qrCodes, script] as const]) {
    const content = readFileSync(new URL(name, new URL('public/', import.meta.url)))
    const isMailbox = url === '/mailbox'
    app.get(url, { schema: { hide: true } }, async function sendFile(_request, reply) {
      reply.headers({
        'content-type': type,
        // The mailbox shows each email in a frame with its own policy.
        'content-security-policy': isMailbox
          ? `${contentSecurityPolicy}; frame-src 'self'`
          : contentSecurityPolicy,
        'cache-control': 'no-cache',
      })
      // The URL of these pages contains a one-time token, which must not leak in `Referer`.
      if (name === 'link.html' || name === 'reset.html')
        reply.header('referrer-policy', 'no-referrer')
      return content
    })
  }
}
