import { generateKeyPairSync, type KeyObject, sign } from 'node:crypto'
import { once } from 'node:events'
import {
  createServer,
  type IncomingMessage,
  type RequestListener,
  type ServerResponse,
} from 'node:http'
import type { AddressInfo } from 'node:net'
import type { TestContext } from 'node:test'
import { oidc } from '../../src/index.js'
import { freshSecrets, protocolOf } from './protocol.js'

/** Starts a server on 127.0.0.1 that closes when the test ends. */
export async function serve(
  t: TestContext,
  listener: RequestListener,
): Promise<{ url: string; requests: string[]; connections: number }> {
  const requests: string[] = []
  const server = createServer((request, response) => {
    requests.push(`${request.method} ${request.url}`)
    listener(request, response)
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => {
    server.closeAllConnections()
    server.close()
  })
  const served = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests,
    connections: 0,
  }
  server.on('connection', () => {
    served.connections += 1
  })
  return served
}

/** Sends JSON. A string is sent unchanged, so that a test can send malformed JSON. */
export const json = (response: ServerResponse, body: unknown, status = 200): void => {
  response.writeHead(status, { 'content-type': 'application/json' })
  response.end(typeof body === 'string' ? body : JSON.stringify(body))
}

const encode = (part: object): string => Buffer.from(JSON.stringify(part)).toString('base64url')

/** Signs an ID token with RS256, whatever its claims and header say. */
export function idToken(claims: object, key: KeyObject, header: object = {}): string {
  const input = `${encode({ alg: 'RS256', kid: 'good', ...header })}.${encode(claims)}`
  return `${input}.${sign('sha256', Buffer.from(input), key).toString('base64url')}`
}

export const goodKey = generateKeyPairSync('rsa', { modulusLength: 2048 })
export const foreignKey = generateKeyPairSync('rsa', { modulusLength: 2048 })

type Handler = (response: ServerResponse, request: IncomingMessage) => void

/** The responses of a provider. A test can replace each of them with a bad one. */
export interface BadProvider {
  url: string
  requests: string[]
  /** Claims of the next ID token. `undefined` removes a claim. */
  claims: Record<string, unknown>
  userinfo: Record<string, unknown>
  /** Creates the ID token from the claims. */
  makeToken: (claims: object) => string
  on: Partial<Record<'metadata' | 'token' | 'keys' | 'userinfo', Handler>>
}

export const clientId = 'app'
export const accessToken = 'access-token-of-the-user'
export const code = 'code-of-the-callback'

/** Starts an OpenID Connect provider that behaves correctly until a test changes it. */
export async function startBadProvider(t: TestContext): Promise<BadProvider> {
  const provider: BadProvider = {
    url: '',
    requests: [],
    claims: {},
    userinfo: { sub: 'user-1', email: 'u@example.com', email_verified: true },
    makeToken: (claims) => idToken(claims, goodKey.privateKey),
    on: {},
  }
  const jwk = {
    ...goodKey.publicKey.export({ format: 'jwk' }),
    kid: 'good',
    alg: 'RS256',
    use: 'sig',
  }
  const good: Record<string, [part: keyof BadProvider['on'], Handler]> = {
    '/.well-known/openid-configuration': [
      'metadata',
      (response) => json(response, metadataAt(provider.url)),
    ],
    '/token': [
      'token',
      (response) =>
        json(response, {
          access_token: accessToken,
          token_type: 'Bearer',
          expires_in: 60,
          id_token: provider.makeToken(provider.claims),
        }),
    ],
    '/keys': ['keys', (response) => json(response, { keys: [jwk] })],
    '/userinfo': ['userinfo', (response) => json(response, provider.userinfo)],
  }
  const server = await serve(t, (request, response) => {
    const [part, handler] = good[request.url ?? ''] ?? []
    if (part && handler) (provider.on[part] ?? handler)(response, request)
    else response.writeHead(404).end()
  })
  return Object.assign(provider, server)
}

/** Discovery metadata of a provider at `url`. */
export const metadataAt = (url: string) => ({
  issuer: url,
  authorization_endpoint: `${url}/authorize`,
  token_endpoint: `${url}/token`,
  jwks_uri: `${url}/keys`,
  userinfo_endpoint: `${url}/userinfo`,
  id_token_signing_alg_values_supported: ['RS256', 'HS256', 'none'],
})

/** Runs one complete sign-in at the provider. */
export async function signInAt(
  t: TestContext,
  provider: BadProvider,
  {
    timeoutMs = 10_000,
    callback = {} as Record<string, string | undefined>,
    options = {} as object,
  } = {},
) {
  const protocol = protocolOf(
    t,
    oidc({
      issuer: provider.url,
      clientId,
      clientSecret: 'secret-of-the-client',
      allowInsecure: true,
      ...options,
    }),
    timeoutMs,
  )
  const secrets = freshSecrets()
  const nowS = Math.floor(Date.now() / 1000)
  const standard = {
    iss: provider.url,
    aud: clientId,
    sub: 'user-1',
    nonce: secrets.nonce,
    iat: nowS,
    exp: nowS + 60,
  }
  provider.claims = { ...standard, ...provider.claims }
  const params = { code, state: secrets.state, ...callback }
  const given = Object.entries(params).filter(
    (entry): entry is [string, string] => entry[1] !== undefined,
  )
  await protocol.begin(secrets)
  return protocol.finish(new URLSearchParams(given), secrets)
}
