import {
  createHash,
  createHmac,
  generateKeyPairSync,
  hkdfSync,
  type KeyObject,
  sign as signBytes,
} from 'node:crypto'
import { once } from 'node:events'
import { connect } from 'node:net'
import type { TestContext } from 'node:test'
import type { FastifyInstance, InjectOptions, LightMyRequestResponse } from 'fastify'
import {
  type BearerTransportOptions,
  bearerTransport,
  type CrudAuthOptions,
  type TokenKey,
} from '../../src/index.js'
import type { Backend } from './backends.js'
import { type BuildOptions, build, password, secret } from './build.js'
import { Client } from './client.js'

export const times = <T>(count: number, make: (index: number) => T): T[] =>
  Array.from({ length: count }, (_, index) => make(index))

/**
 * An app with bearer tokens only, with the refresh token in request and response bodies.
 * `options` and `auth` override the defaults.
 */
export function bearerApp(
  t: TestContext,
  backend: Backend | null,
  options: BearerTransportOptions = {},
  auth: Partial<CrudAuthOptions> = {},
  more: Pick<BuildOptions, 'routes' | 'fastify'> = {},
): Promise<FastifyInstance> {
  return build(t, {
    ...more,
    auth: {
      ...backend?.options(),
      transports: [bearerTransport({ refresh: 'body', ...options })],
      ...auth,
    },
  })
}

export const authorization = (token: string) => ({ authorization: `Bearer ${token}` })

/** Sends a request with an access token. */
export const asBearer = (
  app: FastifyInstance,
  token: string,
  url = '/me',
  options: InjectOptions = {},
): Promise<LightMyRequestResponse> =>
  app.inject({
    method: 'GET',
    url,
    ...options,
    headers: { ...authorization(token), ...options.headers },
  })

export const postJson = (
  app: FastifyInstance,
  url: string,
  payload: object,
  headers: Record<string, string> = {},
) => app.inject({ method: 'POST', url, payload, headers })

export const askToken = (
  app: FastifyInstance,
  username = 'ann',
  fields: Record<string, unknown> = {},
  url = '/token',
) => postJson(app, url, { username, password, ...fields })

export const askRefresh = (app: FastifyInstance, token: string, url = '/refresh') =>
  postJson(app, url, { refresh_token: token })

export interface Issued {
  readonly access_token: string
  readonly token_type: string
  readonly expires_in: number
  readonly scope: string
  readonly refresh_token: string
}

/** Returns the tokens in a response. @throws Error if the status is not 200 */
export function tokensOf(response: LightMyRequestResponse): Issued {
  if (response.statusCode !== 200)
    throw new Error(`no tokens: ${response.statusCode} ${response.body}`)
  return response.json()
}

/** Registers a user and signs in. */
export async function signedInBearer(
  app: FastifyInstance,
  name = 'ann',
  fields: Record<string, unknown> = {},
): Promise<Issued> {
  const registered = await new Client(app).register(name)
  if (registered.statusCode !== 201) throw new Error(registered.body)
  return tokensOf(await askToken(app, name, fields))
}

export const decodePart = (part: string | undefined): Record<string, unknown> =>
  JSON.parse(Buffer.from(part ?? '', 'base64url').toString('utf8'))

export const headerOf = (token: string) => decodePart(token.split('.')[0])
export const claimsOf = (token: string) => decodePart(token.split('.')[1])

export const encode = (value: unknown): string =>
  Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url')

/** Derives the key that the plugin uses for a purpose. */
export const purposeKey = (purpose: string, from = secret): Buffer =>
  Buffer.from(hkdfSync('sha256', Buffer.from(from), '', `crudauth:${purpose}`, 32))

export const hs = (input: string, key: Buffer | string, hash = 'sha256') =>
  createHmac(hash, key).update(input).digest('base64url')

/**
 * Signs a token with HS256, whatever its header and payload say.
 * @param payload a string is encoded unchanged, anything else as JSON
 */
export function forge(
  header: unknown,
  payload: unknown,
  key: Buffer | string = purposeKey('access-token'),
): string {
  const input = `${encode(header)}.${encode(payload)}`
  return `${input}.${hs(input, key)}`
}

const algorithms = { EdDSA: null, ES256: 'sha256', RS256: 'sha256' } as const

/** Signs a token with a private key, whatever its header and payload say. */
export function forgeWith(
  alg: TokenKey['alg'],
  key: KeyObject,
  header: unknown,
  payload: unknown,
): string {
  const input = `${encode(header)}.${encode(payload)}`
  const bytes = signBytes(algorithms[alg], Buffer.from(input), { key, dsaEncoding: 'ieee-p1363' })
  return `${input}.${bytes.toString('base64url')}`
}

/** Generates a key pair for an algorithm. */
export function pairFor(alg: TokenKey['alg']): { privateKey: KeyObject; publicKey: KeyObject } {
  if (alg === 'EdDSA') return generateKeyPairSync('ed25519')
  if (alg === 'ES256') return generateKeyPairSync('ec', { namedCurve: 'P-256' })
  return generateKeyPairSync('rsa', { modulusLength: 2048 })
}

export const pem = (key: KeyObject): string =>
  key.export({
    format: 'pem',
    type: (key.type === 'private' ? 'pkcs8' : 'spki') as 'spki',
  }) as string

export const sha256 = (text: string) => createHash('sha256').update(text).digest('base64url')

/** Listens on a free port of 127.0.0.1. Returns the port. */
export async function listenOn(app: FastifyInstance): Promise<number> {
  await app.listen({ host: '127.0.0.1', port: 0 })
  return (app.server.address() as { port: number }).port
}

/** Sends a GET with unmodified header lines over a socket. Returns the raw response. */
export async function getRaw(
  port: number,
  url: string,
  headers: readonly string[],
): Promise<{ status: number; text: string }> {
  const socket = connect(port, '127.0.0.1')
  const chunks: Buffer[] = []
  socket.on('data', (chunk) => chunks.push(chunk))
  // A server that refuses a huge request resets the connection while it is still being sent.
  socket.on('error', () => {})
  socket.write(
    [`GET ${url} HTTP/1.1`, 'host: localhost', 'connection: close', ...headers, '', ''].join(
      '\r\n',
    ),
  )
  await once(socket, 'close')
  const text = Buffer.concat(chunks).toString('utf8')
  return { status: Number(text.split(' ')[1] ?? 0), text }
}
