import { readFileSync } from 'node:fs'
import type { FastifyInstance, FastifyReply } from 'fastify'
import { bundleFrontEnd } from './front-end.js'
import { documentOf, type PageContent } from './layout.js'
import type { DemoProvider } from './provider.js'

const folder = new URL('front-end/', import.meta.url)
const read = (name: string) => readFileSync(new URL(name, folder), 'utf8')

/** The pages with a script. Each consists of some files of `front-end/pages/`. */
const pages: readonly (Omit<PageContent, 'main'> & { path: string; parts: readonly string[] })[] = [
  {
    path: '/',
    title: 'Account',
    script: 'home',
    parts: ['start', 'second-step', 'account', 'dialogs'],
  },
  { path: '/mailbox', title: 'Mailbox', script: 'mailbox', parts: ['mailbox'] },
  { path: '/requests', title: 'Requests', script: 'requests', parts: ['requests'] },
  // The targets of links in emails.
  { path: '/verify-email', title: 'Confirm your address', script: 'link', parts: ['link'] },
  { path: '/confirm-email-change', title: 'Change your email', script: 'link', parts: ['link'] },
  { path: '/revert-email', title: 'Undo the change', script: 'link', parts: ['link'] },
  { path: '/reset-password', title: 'Reset your password', script: 'reset', parts: ['reset'] },
]

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
  "trusted-types 'none'",
].join('; ')

/** Sends a page with the headers that all of them have. */
export function sendPage(reply: FastifyReply, content: PageContent): FastifyReply {
  const { path, script } = content
  reply.headers({
    'content-type': 'text/html; charset=utf-8',
    // The mailbox shows each email in a frame with its own policy.
    'content-security-policy':
      path === '/mailbox' ? `${contentSecurityPolicy}; frame-src 'self'` : contentSecurityPolicy,
  })
  // The URL of these pages contains a one-time token, which must not leak in `Referer`.
  if (script === 'link' || script === 'reset') reply.header('referrer-policy', 'no-referrer')
  return reply.send(documentOf(content))
}

/** Serves the pages and their files. */
export async function addPages(
  app: FastifyInstance,
  { providers = [] }: { readonly providers?: readonly DemoProvider[] },
): Promise<void> {
  app.get('/providers', { schema: { hide: true }, logLevel: 'warn' }, async (_request, reply) => {
    reply.header('cache-control', 'no-store')
    return providers.map(({ key, name, hint }) => ({ key, name, hint }))
  })

  for (const { parts, ...page } of pages) {
    const main = parts.map((name) => read(`pages/${name}.html`)).join('\n')
    app.get(page.path, { schema: { hide: true } }, async function showPage(_request, reply) {
      reply.header('cache-control', 'no-cache')
      return sendPage(reply, { ...page, main })
    })
  }

  const icon = { url: '/icon.svg', type: 'image/svg+xml', content: read('icon.svg') }
  for (const { url, type, content } of [...(await bundleFrontEnd()), icon]) {
    app.get(url, { schema: { hide: true }, logLevel: 'warn' }, async (_request, reply) => {
      reply.headers({
        'content-type': type,
        'content-security-policy': contentSecurityPolicy,
        'cache-control': 'no-cache',
      })
      return content
    })
  }
}
