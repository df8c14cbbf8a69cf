import type { FastifyReply } from 'fastify'
import { escapeHtml } from './layout.js'
import { sendPage } from './pages.js'

/** Sends what a guarded route returns as a page, for people who open it in a browser. */
export function factsPage(
  reply: FastifyReply,
  title: string,
  facts: Readonly<Record<string, unknown>>,
): FastifyReply {
  const rows = Object.entries(facts).map(
    ([name, value]) => `<dt>${escapeHtml(name)}</dt><dd>${escapeHtml(String(value))}</dd>`,
  )
  return sendPage(reply.header('vary', 'accept'), {
    title,
    main: `<div class="narrow">
      <div class="intro">
        <h1>${title}</h1>
        <p>A route of the demo, guarded by the plugin. API clients get the same as JSON.</p>
      </div>
      <div class="card">
        <dl>${rows.join('')}</dl>
        <div class="buttons"><a class="button" href="/">Back to your account</a></div>
      </div>
    </div>`,
  })
}
