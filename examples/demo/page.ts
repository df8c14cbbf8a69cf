import { readFileSync } from 'node:fs'
import type { FastifyInstance } from 'fastify'

const files = [
  ['/', 'index.html', 'text/html; charset=utf-8'],
  ['/app.js', 'app.js', 'text/javascript; charset=utf-8'],
  ['/api.js', 'api.js', 'text/javascript; charset=utf-8'],
  ['/view.js', 'view.js', 'text/javascript; charset=utf-8'],
  ['/controls.css', 'controls.css', 'text/css; charset=utf-8'],
  ['/style.css', 'style.css', 'text/css; charset=utf-8'],
  ['/icon.svg', 'icon.svg', 'image/svg+xml'],
] as const

/** Nothing from anywhere else, nothing inline, no frames: what an injected script would need is not there. */
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

/** The first page and its files. */
export async function addPage(app: FastifyInstance): Promise<void> {
  for (const [url, name, type] of files) {
    const content = readFileSync(new URL(`public/${name}`, import.meta.url))
    app.get(url, { schema: { hide: true } }, async function sendFile(_request, reply) {
      reply.headers({
        'content-type': type,
        'content-security-policy': contentSecurityPolicy,
        'cache-control': 'no-cache',
      })
      return content
    })
  }
}
