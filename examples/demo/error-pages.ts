import { STATUS_CODES } from 'node:http'
import type { FastifyError, FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { escapeHtml } from './layout.js'
import { sendPage } from './pages.js'

/** What a page says about an error: a title, a text, and where to go. */
interface ErrorText {
  readonly title: string
  readonly text: string
  readonly link: readonly [href: string, name: string]
}

/** Whether the client is a browser that opens a page. `fetch` and API clients want JSON. */
export const prefersHtml = ({ headers }: FastifyRequest): boolean =>
  headers.accept?.includes('text/html') === true

const home = ['/', 'Go to the start page'] as const

function waitOf(seconds: number): string {
  if (!Number.isFinite(seconds)) return 'Wait a little, then try again.'
  const [amount, unit] = seconds > 90 ? [Math.ceil(seconds / 60), 'minute'] : [seconds, 'second']
  return `Try again in ${amount} ${unit}${amount === 1 ? '' : 's'}.`
}

function textOf(status: number, code: string, path: string, retryAfter: number): ErrorText {
  if (code === 'CRUDAUTH_UNAUTHENTICATED') {
    return {
      title: 'Sign in to see this page',
      text: 'Only signed-in users can open it, and nobody is signed in here.',
      link: [`/?then=${encodeURIComponent(path)}`, 'Sign in'],
    }
  }
  if (code === 'CRUDAUTH_NOT_VERIFIED') {
    return {
      title: 'Confirm your address first',
      text: 'This page is for accounts with a confirmed address. The link is in the mailbox.',
      link: ['/mailbox', 'Open the mailbox'],
    }
  }
  if (status === 404) {
    return { title: 'Page not found', text: `There is no page at ${path}.`, link: home }
  }
  if (status === 429) {
    return { title: 'Too many requests', text: waitOf(retryAfter), link: home }
  }
  if (status >= 500) {
    return {
      title: 'Something went wrong',
      text: 'The error is in the log of the demo. Try again in a moment.',
      link: home,
    }
  }
  return { title: 'This did not work', text: 'The server refused the request.', link: home }
}

function sendErrorPage(request: FastifyRequest, reply: FastifyReply, body: ErrorBody) {
  const { statusCode, code = '' } = body
  const path = request.url.split('?', 1)[0] ?? request.url
  const retryAfter = Number(reply.getHeader('retry-after') ?? Number.NaN)
  const { title, text, link } = textOf(statusCode, code, path, retryAfter)
  const main = `<div class="narrow">
      <section class="card error-page" aria-labelledby="title">
        <p class="error-status">${statusCode}</p>
        <h1 id="title">${title}</h1>
        <p>${escapeHtml(text)}</p>
        <div class="buttons"><a class="button primary" href="${escapeHtml(link[0])}">${link[1]}</a></div>
        <details>
          <summary>What an API client gets</summary>
          <pre>${escapeHtml(JSON.stringify(body, null, 2))}</pre>
        </details>
      </section>
    </div>`
  return sendPage(reply.code(statusCode).header('cache-control', 'no-store'), { title, main })
}

interface ErrorBody {
  readonly statusCode: number
  readonly code?: string
  readonly error: string | undefined
  readonly message: string
}

/** Gives people a page for each error. API clients get Fastify's JSON as before. */
export function addErrorPages(app: FastifyInstance): void {
  app.setNotFoundHandler(async function notFound(request, reply) {
    const body = {
      statusCode: 404,
      error: STATUS_CODES[404],
      // Without the query, which may contain a token.
      message: `Route ${request.method}:${request.url.split('?', 1)[0]} not found`,
    }
    reply.header('vary', 'accept')
    return prefersHtml(request) ? sendErrorPage(request, reply, body) : reply.code(404).send(body)
  })

  app.setErrorHandler<FastifyError & { headers?: Record<string, string> }>(
    async function showError(error, request, reply) {
      reply.header('vary', 'accept')
      // Fastify's own handler logs the error and sends JSON.
      if (!prefersHtml(request)) throw error
      const { statusCode = 500, code, message, headers = {} } = error
      if (statusCode >= 500) request.log.error({ err: error }, message)
      else request.log.info(`refused: ${code ?? error.name}`)
      return sendErrorPage(request, reply.headers(headers), {
        statusCode,
        ...(code !== undefined && { code }),
        error: STATUS_CODES[statusCode],
        message: statusCode < 500 ? message : 'Something went wrong',
      })
    },
  )
}
