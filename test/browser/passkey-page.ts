import type { TestContext } from 'node:test'
import Fastify, { type FastifyInstance } from 'fastify'
import type { Page } from 'playwright-core'
import { freePort } from '../../examples/demo/address.js'
import crudAuth, {
  type CrudAuthOptions,
  memoryPasskeys,
  memoryUsers,
  type PasskeyOptions,
  sessionTransport,
} from '../../src/index.js'
import { bundleClient } from '../client/bundle.js'
import { cheap, limitsOff, password, secret } from '../helpers/build.js'
import { openBrowser } from './chromium.js'
import { type Credential, VirtualAuthenticator } from './virtual-authenticator.js'

const html = '<!doctype html><meta charset="utf-8"><title>App</title>'

/** An app with passkeys, at `http://<host>:<port>`, with the client at `/client.js`. */
export async function serve(
  t: TestContext,
  {
    host = 'localhost',
    passkeys = {},
    ...auth
  }: Partial<Omit<CrudAuthOptions, 'passkeys'>> & {
    readonly host?: string
    readonly passkeys?: Partial<PasskeyOptions>
  } = {},
): Promise<{ app: FastifyInstance; url: string; port: number }> {
  const port = await freePort('127.0.0.1')
  const url = `http://${host}:${port}`
  const app = Fastify({ forceCloseConnections: true })
  t.after(() => app.close())
  const code = await bundleClient()
  await app.register(crudAuth, {
    prefix: '/auth',
    secret,
    users: memoryUsers(),
    passwords: { cost: cheap },
    rateLimits: limitsOff,
    transports: [sessionTransport({ managementRoutes: true })],
    passkeys: { rpName: 'App', origins: [url], store: memoryPasskeys(), ...passkeys },
    ...auth,
  })
  app.get('/client.js', async (_request, reply) => reply.type('text/javascript').send(code))
  app.get('/', async (_request, reply) => reply.type('text/html').send(html))
  app.get('/who', { onRequest: app.currentUser() }, async ({ principal }) => ({
    name: principal.user.username,
    amr: principal.amr,
  }))
  app.post('/sudo', { onRequest: app.currentUser() }, async (request) => ({
    until: await app.crudAuth.sudo.elevate(request, request.body as { password: string }),
  }))
  app.post('/sudo/options', { onRequest: app.currentUser() }, (request) =>
    app.crudAuth.passkeys.sudoOptions(request),
  )
  await app.listen({ host: '127.0.0.1', port })
  return { app, url, port }
}

/** What a page runs before its own code. */
const prelude = `
  const { createAuthClient } = await import('/client.js')
  const tampering = { options: {} }
  const auth = createAuthClient({
    baseUrl: '/auth',
    /** Changes the options that the server has sent, like a script of an attacker. */
    async fetch(url, init) {
      const response = await fetch(url, init)
      const body = await response.clone().json().catch(() => null)
      if (!body?.options) return response
      const changed = { ...body, options: { ...body.options, ...tampering.options } }
      return new Response(JSON.stringify(changed), response)
    },
  })
  const json = async (path, body = {}) => {
    const response = await auth.fetch(path, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    })
    return response.json()
  }
  const password = ${JSON.stringify(password)}
  Object.assign(globalThis, { auth, json, tampering, password })
  const who = () => auth.fetch('/who').then((response) => response.json())
  /** The legacy codes of the browser's own errors are numbers. */
  const codeOf = ({ code, name }) => (typeof code === 'string' ? code : name)
  /** Runs an action. Returns who is signed in, or the code or name of the error. */
  globalThis.outcome = (action) => action().then(who).catch(codeOf)
  globalThis.signIn = () => outcome(() => auth.passkeys.signIn())
`

/** A page of the app with a virtual authenticator. */
export class Tab {
  private constructor(
    readonly page: Page,
    readonly authenticator: VirtualAuthenticator,
  ) {}

  static async open(t: TestContext, executablePath: string, url: string): Promise<Tab> {
    const page = await (await openBrowser(t, executablePath)).newPage()
    const tab = new Tab(page, await VirtualAuthenticator.attach(page))
    await tab.visit(url)
    return tab
  }

  async visit(url: string): Promise<void> {
    await this.page.goto(url)
    await this.page.evaluate(`(async () => {${prelude}})()`)
  }

  /** Runs the body of an async function in the page. */
  // biome-ignore lint/suspicious/noExplicitAny: depends on the code
  run(code: string): Promise<any> {
    return this.page.evaluate(`(async () => {${code}})()`)
  }

  /** Tries to sign in with a passkey. Resolves to who is signed in, or to the error. */
  signIn(tampered: object = {}): Promise<unknown> {
    return this.run(`
      tampering.options = ${JSON.stringify(tampered)}
      return signIn().finally(() => { tampering.options = {} })`)
  }

  /** Signs up and in, adds a passkey, and signs out. Resolves to its credential. */
  async createPasskey(name: string): Promise<Credential> {
    const before = (await this.authenticator.credentials()).map(({ credentialId }) => credentialId)
    await this.run(`
      await auth.register({ email: '${name}@example.com', username: '${name}', password })
      await auth.login({ username: '${name}', password })
      await auth.passkeys.register('Laptop')
      await auth.logout()`)
    const credentials = await this.authenticator.credentials()
    const [added] = credentials.filter(({ credentialId }) => !before.includes(credentialId))
    if (!added) throw new Error('The authenticator has no new passkey')
    return added
  }
}
