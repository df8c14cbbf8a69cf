import type { TestContext } from 'node:test'
import type { FastifyInstance } from 'fastify'
import { type AuthClientOptions, createAuthClient } from '../../src/client/index.js'
import { bearerTransport, type CrudAuthOptions, sessionTransport } from '../../src/index.js'
import { build, password } from '../helpers/build.js'

/** A device: a `fetch` with a cookie jar, as browsers have it. A test can intercept requests. */
export class Device {
  readonly cookies = new Map<string, string>()
  /** Method and path of every request that was sent. */
  readonly requests: string[] = []
  /** Headers of the last request. */
  headers = new Headers()
  /** Replaces a response, or loses it. */
  intercept: (path: string, send: () => Promise<Response>) => Promise<Response> = (_path, send) =>
    send()

  readonly fetch: typeof fetch = async (input, init = {}) => {
    const url = new URL(String(input))
    this.requests.push(`${init.method ?? 'GET'} ${url.pathname}`)
    this.headers = new Headers(init.headers)
    const headers = new Headers(init.headers)
    const cookie = [...this.cookies].map(([name, value]) => `${name}=${value}`).join('; ')
    if (init.credentials === 'include' && cookie) headers.set('cookie', cookie)
    return this.intercept(url.pathname, async () => {
      const response = await fetch(url, { ...init, headers })
      if (init.credentials === 'include') this.keep(response)
      return response
    })
  }

  /** How often a path was requested. */
  count(path: string): number {
    return this.requests.filter((request) => request.endsWith(` ${path}`)).length
  }

  private keep(response: Response) {
    for (const line of response.headers.getSetCookie()) {
      const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(line) ?? []
      if (/max-age=0/i.test(line)) this.cookies.delete(name)
      else this.cookies.set(name, value)
    }
  }
}

export const ada = { email: 'ada@example.com', username: 'ada', password }
export const credentials = { username: 'ada', password }

/** An app under `/auth` with some guarded routes, that listens. Ada has an account. */
export async function listen(t: TestContext, auth: Partial<CrudAuthOptions> = {}) {
  const app = await build(t, {
    auth: {
      prefix: '/auth',
      transports: [
        sessionTransport({ managementRoutes: true }),
        bearerTransport({ refresh: 'body' }),
      ],
      lockout: false,
      ...auth,
    },
    routes,
  })
  const url = await app.listen({ host: '127.0.0.1', port: 0 })
  await app.inject({ method: 'POST', url: '/auth/register', payload: ada })
  return { app, url }
}

function routes(app: FastifyInstance) {
  app.get('/notes', { onRequest: app.currentUser() }, async () => ['a note'])
  app.post('/notes', { onRequest: app.currentUser() }, async ({ principal, body }) => ({
    by: principal.userId,
    body,
  }))
  app.post('/sudo', { onRequest: app.currentUser() }, async (request) => {
    await app.crudAuth.sudo.elevate(request, request.body as { password: string })
    return {}
  })
  app.get('/sudo/offer', { onRequest: app.currentUser() }, (request) =>
    app.crudAuth.passkeys.sudoOptions(request),
  )
  app.post('/enter', async (request, reply) => {
    const { transport } = request.body as { transport: 'session' | 'bearer' }
    const user = await app.crudAuth.users.findById(1)
    if (!user) throw new Error('nobody')
    return app.crudAuth.completeLogin(request, reply, user, { transport })
  })
  app.get('/public', async () => ({}))
  app.post('/public', async () => ({}))
  app.get('/ledger', { preHandler: [app.currentUser(), app.requireSudo] }, async () => ({}))
  app.get('/keys', { onRequest: [app.currentUser(), app.requireFresh] }, async () => ({}))
  app.get('/page', async (_request, reply) => reply.type('text/html').send('<h1>Hello</h1>'))
}

/** A client on a device of its own, that counts its events. */
export function clientOf(url: string, options: Partial<AuthClientOptions> = {}) {
  const device = new Device()
  const events: string[] = []
  const auth = createAuthClient({
    baseUrl: `${url}/auth`,
    fetch: device.fetch,
    onSignedOut: () => events.push('onSignedOut'),
    ...options,
  })
  for (const name of ['change', 'signedout']) auth.addEventListener(name, () => events.push(name))
  return { auth, device, events, takeEvents: () => events.splice(0) }
}

/** A client of Ada, who is signed in. Its device has forgotten how. */
export async function signedIn(url: string, options: Partial<AuthClientOptions> = {}) {
  const opened = clientOf(url, options)
  await opened.auth.login(credentials)
  opened.events.length = 0
  opened.device.requests.length = 0
  return opened
}

export const codeOf = async (response: Response): Promise<unknown> =>
  ((await response.json()) as { code?: unknown }).code

export const json = (body: unknown) => ({
  method: 'POST',
  headers: { 'content-type': 'application/json' },
  body: JSON.stringify(body),
})
