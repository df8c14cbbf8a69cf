import { generateKeyPairSync, type JsonWebKey, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import Provider, {
  type Adapter,
  type AdapterPayload,
  type ClientMetadata,
  type Configuration,
  errors,
  type JWKS,
} from 'oidc-provider'
import { barePages, type ProviderPages } from './oidc-pages.js'

/** The claims of each account. The key is both its `sub` and its login. */
export type OidcAccounts = Readonly<Record<string, Readonly<Record<string, unknown>>>>

/** Options of {@link startOidcProvider}. */
export interface OidcProviderOptions {
  clients: ClientMetadata[]
  /** Default: `ada` with a verified address and `bob` with an unverified one. */
  accounts?: OidcAccounts
  /** Default: a free port. Pass the port of a stopped provider to restart it. */
  port?: number
  /** Private keys that sign ID tokens. Default: a new ES256 key and a new RS256 key. */
  keys?: JsonWebKey[]
  /** Additional configuration of oidc-provider. */
  configuration?: Configuration
  /** Default: bare forms. */
  pages?: ProviderPages
}

/** A provider in this process on 127.0.0.1 with sign-in and consent pages. It requires PKCE. */
export interface OidcServer {
  /** The issuer identifier. */
  url: string
  port: number
  /** Method and path of every request, in order. */
  requests: string[]
  /** Replaces the signing keys. The key set no longer contains the old ones. */
  rotateKeys(keys?: JsonWebKey[]): void
  stop(): Promise<void>
}

const people: OidcAccounts = {
  ada: {
    email: 'ada@example.com',
    email_verified: true,
    name: 'Ada Lovelace',
    preferred_username: 'ada',
  },
  bob: { email: 'bob@example.com', email_verified: false, name: 'Bob', preferred_username: 'bob' },
}

function freshKeys(): JsonWebKey[] {
  const kid = () => randomBytes(8).toString('hex')
  const ec = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export({ format: 'jwk' })
  const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey.export({
    format: 'jwk',
  })
  return [
    { ...ec, kid: kid(), alg: 'ES256', use: 'sig' },
    { ...rsa, kid: kid(), alg: 'RS256', use: 'sig' },
  ]
}

async function formOf(request: IncomingMessage): Promise<URLSearchParams> {
  let text = ''
  for await (const chunk of request.setEncoding('utf8')) text += chunk
  return new URLSearchParams(text)
}

function sendPage(response: ServerResponse, pages: ProviderPages, status: number, page: string) {
  response.writeHead(status, { ...pages.headers, 'content-type': 'text/html; charset=utf-8' })
  response.end(page)
}

/** Serves the pages between `/authorize` and the callback. */
async function interact(
  provider: Provider,
  accounts: OidcAccounts,
  pages: ProviderPages,
  request: IncomingMessage,
  response: ServerResponse,
) {
  const { prompt, params, session } = await provider.interactionDetails(request, response)
  const form = request.method === 'POST' ? await formOf(request) : undefined
  const login = form?.get('login') ?? ''
  if (
    !form ||
    (prompt.name === 'login' && !Object.hasOwn(accounts, login) && form.get('decision') !== 'deny')
  ) {
    const client = String(params.client_id)
    const page =
      prompt.name === 'login'
        ? pages.login(client, form ? login : null)
        : pages.consent(client, session?.accountId ?? '')
    sendPage(response, pages, 200, page)
  } else if (form.get('decision') === 'deny') {
    await provider.interactionFinished(request, response, { error: 'access_denied' })
  } else if (prompt.name === 'login') {
    await provider.interactionFinished(request, response, { login: { accountId: login } })
  } else {
    const grant = new provider.Grant({
      accountId: session?.accountId ?? '',
      clientId: String(params.client_id),
    })
    grant.addOIDCScope(String(params.scope ?? ''))
    const consent = { grantId: await grant.save() }
    await provider.interactionFinished(
      request,
      response,
      { consent },
      { mergeWithLastSubmission: true },
    )
  }
}

/**
 * Stores the sessions, codes and grants of one server, so that they survive `rotateKeys`.
 * It removes nothing that expires, because the payloads contain their expiry.
 */
function memory(): (model: string) => Adapter {
  const payloads = new Map<string, AdapterPayload>()
  return (model) => {
    const keyOf = (id: string) => `${model}:${id}`
    const findBy = async (name: 'uid' | 'userCode', value: string) =>
      [...payloads].find(
        ([key, payload]) => key.startsWith(`${model}:`) && payload[name] === value,
      )?.[1]
    return {
      upsert: async (id, payload) => void payloads.set(keyOf(id), payload),
      find: async (id) => payloads.get(keyOf(id)),
      findByUid: (uid) => findBy('uid', uid),
      findByUserCode: (userCode) => findBy('userCode', userCode),
      consume: async (id) =>
        void Object.assign(payloads.get(keyOf(id)) ?? {}, {
          consumed: Math.floor(Date.now() / 1000),
        }),
      destroy: async (id) => void payloads.delete(keyOf(id)),
      revokeByGrantId: async (grantId) => {
        for (const [key, payload] of payloads) if (payload.grantId === grantId) payloads.delete(key)
      },
    }
  }
}

/** Starts a provider. */
export async function startOidcProvider(options: OidcProviderOptions): Promise<OidcServer> {
  const { clients, accounts = people, pages = barePages, configuration } = options
  const server = createServer()
  server.listen(options.port ?? 0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const url = `http://127.0.0.1:${port}`
  const requests: string[] = []
  // Kept by `rotateKeys`, so that existing sessions stay valid.
  const cookieKeys = [randomBytes(16).toString('hex')]

  const adapter = memory()

  const build = (keys: JsonWebKey[]): Provider =>
    new Provider(url, {
      adapter,
      clients,
      jwks: { keys } as JWKS,
      pkce: { required: () => true },
      features: { devInteractions: { enabled: false }, rpInitiatedLogout: { enabled: false } },
      interactions: { url: (_, interaction) => `/interaction/${interaction.uid}` },
      cookies: { keys: cookieKeys },
      renderError: (context, { error, error_description }) => {
        for (const [name, value] of Object.entries(pages.headers)) context.set(name, value)
        context.type = 'html'
        context.body = pages.failure(error_description ?? error)
      },
      claims: { email: ['email', 'email_verified'], profile: ['name', 'preferred_username'] },
      findAccount: (_, sub) => ({
        accountId: sub,
        claims: async () => ({ sub, ...accounts[sub] }),
      }),
      ttl: {
        AccessToken: 600,
        AuthorizationCode: 60,
        Grant: 3600,
        IdToken: 600,
        Interaction: 600,
        Session: 3600,
      },
      ...configuration,
    })
  let provider = build(options.keys ?? freshKeys())
  let callback = provider.callback()

  server.on('request', (request, response) => {
    requests.push(`${request.method} ${(request.url ?? '').split('?')[0]}`)
    const file = pages.files[request.url ?? '']
    if (file) {
      response.writeHead(200, { ...pages.headers, 'content-type': file.type }).end(file.content)
      return
    }
    if (!request.url?.startsWith('/interaction/')) return void callback(request, response)
    interact(provider, accounts, pages, request, response).catch((error: unknown) => {
      const status = error instanceof errors.OIDCProviderError ? error.statusCode : 500
      sendPage(response, pages, status, pages.failure(String(error)))
    })
  })

  return {
    url,
    port,
    requests,
    rotateKeys(keys) {
      provider = build(keys ?? freshKeys())
      callback = provider.callback()
    },
    async stop() {
      if (!server.listening) return
      server.close()
      server.closeAllConnections()
      await once(server, 'close')
    },
  }
}
