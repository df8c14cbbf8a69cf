import assert from 'node:assert/strict'
import type { IncomingMessage } from 'node:http'
import type { TestContext } from 'node:test'
import type { FastifyInstance, FastifyServerOptions, LightMyRequestResponse } from 'fastify'
import {
  bearerTransport,
  type CrudAuthOptions,
  type OAuthAccount,
  type OAuthAccountStore,
  type OAuthProvider,
  oidc,
  sessionTransport,
} from '../../src/index.js'
import { setCookies } from './answers.js'
import {
  type BadProvider,
  clientId,
  goodKey,
  idToken,
  json,
  startBadProvider,
} from './bad-provider.js'
import { build, limitsOff } from './build.js'
import { Client } from './client.js'
import { csrfCookie, openUsers, sessionCookie } from './hostile.js'
import { refuses } from './refuses.js'

export const baseUrl = 'https://app.example.com'
export const oauthCookie = '__Host-crudauth_oauth'
export const clientSecret = 'secret-of-the-client'

/** All fields of the user model in these tests. */
export const fields = [
  ...[
    'id',
    'email',
    'username',
    'hashedPassword',
    'isActive',
    'isSuperuser',
    'emailVerified',
    'tokenVersion',
  ],
  ...[
    'createdAt',
    'updatedAt',
    'oauthProvider',
    'oauthCreatedAt',
    'oauthUpdatedAt',
    'acmeId',
    'otherId',
    'githubId',
    'plan',
  ],
]

/** Claims of a user at the provider. `undefined` removes a standard claim. */
export type Person = Readonly<Record<string, unknown>>

export const ada: Person = {
  sub: 'ada-1',
  email: 'ada@example.com',
  email_verified: true,
  name: 'Ada Lovelace',
  preferred_username: 'ada',
}

/** An authorization code that contains the person, so that many people can sign in concurrently. */
export const codeOf = (person: Person): string =>
  Buffer.from(JSON.stringify(person)).toString('base64url')
const personOf = (code: string | null): Person | null => {
  try {
    return JSON.parse(Buffer.from(code ?? '', 'base64url').toString())
  } catch {
    return null
  }
}

async function formOf(request: IncomingMessage): Promise<URLSearchParams> {
  let text = ''
  for await (const chunk of request.setEncoding('utf8')) text += chunk
  return new URLSearchParams(text)
}

export interface Acme extends BadProvider {
  /** All access, refresh and ID tokens that the provider issued. */
  issued: string[]
  /** Forms that the token endpoint received. */
  grants: URLSearchParams[]
  /** Creates the provider option for the app. */
  provider(options?: object): OAuthProvider
}

/** Starts an OpenID provider that issues tokens for the person in the code (see `codeOf`). */
export async function startAcme(t: TestContext): Promise<Acme> {
  const bad = await startBadProvider(t)
  const acme: Acme = Object.assign(bad, {
    issued: [] as string[],
    grants: [] as URLSearchParams[],
    provider: (options: object = {}) =>
      oidc({
        issuer: bad.url,
        clientId,
        clientSecret,
        allowInsecure: true,
        useUserinfo: false,
        ...options,
      }),
  })
  acme.on.token = async (response, request) => {
    const form = await formOf(request)
    acme.grants.push(form)
    const person = personOf(form.get('code'))
    if (!person) return json(response, { error: 'invalid_grant' }, 400)
    const nowS = Math.floor(Date.now() / 1000)
    const standard = { iss: acme.url, aud: clientId, iat: nowS, exp: nowS + 60 }
    const token = idToken({ ...standard, ...acme.claims, ...person }, goodKey.privateKey)
    const { port } = new URL(acme.url)
    const access = `access-${acme.issued.length}-at-${port}`
    const refresh = `refresh-${acme.issued.length}-at-${port}`
    acme.issued.push(access, refresh, token)
    json(response, {
      access_token: access,
      refresh_token: refresh,
      token_type: 'Bearer',
      expires_in: 60,
      id_token: token,
    })
  }
  return acme
}

/** A browser that signs in with providers. */
export class Browser extends Client {
  /** Starts a sign-in. Returns the query of the authorization request. */
  async begin(path = '/oauth/acme/authorize'): Promise<URLSearchParams> {
    const response = await this.get(path)
    assert.equal(response.statusCode, 302, response.body)
    return new URL(String(response.headers.location)).searchParams
  }

  /** Calls the callback with a code for a person. */
  finish(
    query: URLSearchParams,
    person: Person,
    provider = 'acme',
  ): Promise<LightMyRequestResponse> {
    const code = codeOf({ nonce: query.get('nonce'), ...person })
    return this.callback({ code, state: query.get('state') ?? '' }, provider)
  }

  async callback(params: Record<string, string> | URLSearchParams, provider = 'acme') {
    const response = await this.get(`/oauth/${provider}/callback?${new URLSearchParams(params)}`)
    if (this.cookies.has(csrfCookie)) this.csrf = this.cookies.get(csrfCookie) ?? null
    return response
  }

  /** Runs a complete sign-in. */
  async signIn(person: Person = ada, provider = 'acme', query = '') {
    return this.finish(await this.begin(`/oauth/${provider}/authorize${query}`), person, provider)
  }

  /** Starts linking. Returns the query of the authorization request. */
  async beginLink(provider = 'acme', body?: object): Promise<URLSearchParams> {
    const response = await this.post(`/oauth/${provider}/link`, body)
    assert.equal(response.statusCode, 200, response.body)
    return new URL(response.json().authorize_url).searchParams
  }

  /** Links a provider, from start to callback. */
  async link(person: Person, provider = 'acme', body?: object) {
    return this.finish(await this.beginLink(provider, body), person, provider)
  }

  /** Body of GET /me, or null if not signed in. */
  async me() {
    const response = await this.get('/me')
    if (response.statusCode === 200) return response.json()
    refuses(response, 'CRUDAUTH_UNAUTHENTICATED')
    return null
  }
}

/** Registers a user and returns a browser that is signed in with the password. */
export async function browserOf(app: FastifyInstance, name: string): Promise<Browser> {
  const browser = new Browser(app)
  const registered = await browser.register(name)
  assert.ok([201, 202].includes(registered.statusCode), registered.body)
  const response = await browser.login(name)
  assert.equal(response.statusCode, 200, response.body)
  return browser
}

/** Builds an app with two OpenID providers. `rows` returns all users. */
export async function buildOAuth(
  t: TestContext,
  {
    auth,
    providers,
    oauth,
    fastify,
    routes,
  }: {
    auth?: Partial<CrudAuthOptions>
    providers?: Record<string, OAuthProvider>
    oauth?: Partial<NonNullable<CrudAuthOptions['oauth']>>
    fastify?: FastifyServerOptions
    routes?: (app: FastifyInstance) => void | Promise<void>
  } = {},
) {
  const acme = await startAcme(t)
  const other = await startAcme(t)
  const { store, rows } = openUsers({ fields })
  const app = await build(t, {
    auth: {
      users: store,
      rateLimits: { ...limitsOff, oauth_authorize: false },
      transports: [
        sessionTransport({ managementRoutes: true }),
        bearerTransport({ refresh: 'body' }),
      ],
      ...auth,
      oauth: {
        baseUrl,
        providers: { acme: acme.provider(), other: other.provider(), ...providers },
        defaultRedirect: '/start',
        ...oauth,
      },
    },
    ...(fastify && { fastify }),
    ...(routes && { routes }),
  })
  return { app, acme, other, store, rows }
}

/** Asserts that a response is a 302 to `path` that is not cacheable. */
export function landsOn(response: LightMyRequestResponse, path: string): void {
  assert.equal(response.statusCode, 302, response.body)
  assert.equal(response.headers.location, path)
  assert.equal(response.headers['cache-control'], 'no-store')
}

/**
 * Asserts a redirect for an error at the provider: to the default path, without a session.
 * The only cookie that may be set is the one that binds the callback to the browser.
 */
export function landsFailed(response: LightMyRequestResponse): void {
  landsOn(response, '/start?error=oauth_failed')
  const names = Object.keys(setCookies(response)).filter((name) => name !== oauthCookie)
  assert.deepEqual(names, [], 'no session')
}

/**
 * Asserts that a callback is refused without a session.
 * @param word the `error` in the redirect, or a code `CRUDAUTH_…` if the response is a JSON error
 */
export function refusesCallback(
  response: LightMyRequestResponse,
  word = 'invalid_state',
  landing = '/start',
): void {
  if (word.startsWith('CRUDAUTH_')) refuses(response, word)
  else landsOn(response, `${landing}?error=${word}`)
  assert.ok(!(sessionCookie in setCookies(response)))
  assert.equal(response.headers['cache-control'], 'no-store')
}

/** Linked accounts in memory. Each method is atomic because it never awaits. */
export function memoryAccounts() {
  let accounts: OAuthAccount[] = []
  const store: OAuthAccountStore = {
    find: async (provider, subject) =>
      accounts.find((account) => account.provider === provider && account.subject === subject) ??
      null,
    list: async (userId) => accounts.filter((account) => account.userId === userId),
    async add(account) {
      const { provider, subject, userId } = account
      const isTaken = accounts.some(
        (kept) =>
          kept.provider === provider && (kept.subject === subject || kept.userId === userId),
      )
      if (!isTaken) accounts.push(account)
      return !isTaken
    },
    async remove(userId, provider, keepLast) {
      const own = accounts.filter((account) => account.userId === userId)
      const found = own.find((account) => account.provider === provider)
      if (!found) return 'absent'
      if (keepLast && own.length === 1) return 'last'
      accounts = accounts.filter((account) => account !== found)
      return 'removed'
    },
  }
  return { store, all: () => accounts }
}

/** The two places for linked accounts: columns of the users table, or a separate table. */
export const linkPlaces = [
  { name: 'columns', accounts: () => undefined },
  { name: 'table', accounts: () => memoryAccounts() },
] as const
