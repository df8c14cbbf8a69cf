import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { standardProfile } from '../features/oauth/providers/claims.js'
import { oauth2 } from '../features/oauth/providers/oauth2.js'
import type { OAuthProvider } from '../ports/oauth-provider.js'
import type { TestEnd } from './test-end.js'

/** The user at a fake provider, with the standard claims of OpenID Connect. */
export interface FakeProviderUser {
  readonly sub: string
  readonly email?: string | undefined
  readonly email_verified?: boolean | undefined
  readonly name?: string | undefined
  readonly preferred_username?: string | undefined
}

/** A provider on this machine that signs everyone in as `user`, without a page. */
export interface FakeProvider {
  /** For `oauth.providers`. */
  readonly provider: OAuthProvider
  /** Who signs in next. Null: the user declines. */
  user: FakeProviderUser | null
  /**
   * Visits the provider, as a browser would.
   * @param location where the route redirects to: the `Location` of `/oauth/{provider}/authorize`
   * @returns path of the callback, for `inject`
   * @throws Error if it isn't a location of this provider
   */
  visit(location: unknown): Promise<string>
}

const ada: FakeProviderUser = {
  sub: 'ada-1',
  email: 'ada@example.com',
  email_verified: true,
  name: 'Ada Lovelace',
  preferred_username: 'ada',
}

const token = () => randomBytes(16).toString('base64url')

function json(response: ServerResponse, body: unknown, status = 200): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body))
}

async function formOf(request: IncomingMessage): Promise<URLSearchParams> {
  let text = ''
  for await (const chunk of request.setEncoding('utf8')) text += chunk
  return new URLSearchParams(text)
}

/**
 * Starts an OAuth 2.0 provider on 127.0.0.1, with PKCE and codes that work once. It closes when the
 * test ends.
 * @param user who signs in; default Ada, with a verified address
 * @example
 * const acme = await fakeProvider(t)
 * await app.register(crudAuth, { secret, users, oauth: { baseUrl, providers: { acme: acme.provider } } })
 * const start = await app.inject('/oauth/acme/authorize')
 * const cookies = Object.fromEntries(start.cookies.map(({ name, value }) => [name, value]))
 * const callback = await acme.visit(start.headers.location)
 * const landing = await app.inject({ url: callback, cookies })
 */
export async function fakeProvider(
  t: TestEnd,
  user: FakeProviderUser = ada,
): Promise<FakeProvider> {
  const [clientId, clientSecret] = ['fake-client', token()]
  const codes = new Map<string, { user: FakeProviderUser; query: URLSearchParams }>()
  const tokens = new Map<string, FakeProviderUser>()
  const state: { user: FakeProviderUser | null } = { user }

  const authorize = (query: URLSearchParams, response: ServerResponse) => {
    const target = new URL(query.get('redirect_uri') ?? '')
    target.searchParams.set('state', query.get('state') ?? '')
    const code = token()
    if (state.user) {
      codes.set(code, { user: state.user, query })
      target.searchParams.set('code', code)
    } else target.searchParams.set('error', 'access_denied')
    response.writeHead(302, { location: target.href }).end()
  }

  const grant = async (request: IncomingMessage, response: ServerResponse) => {
    const form = await formOf(request)
    const code = form.get('code') ?? ''
    const known = codes.get(code)
    codes.delete(code)
    const challenge = createHash('sha256')
      .update(form.get('code_verifier') ?? '')
      .digest('base64url')
    const isGood =
      known?.query.get('code_challenge') === challenge &&
      known.query.get('redirect_uri') === form.get('redirect_uri') &&
      form.get('client_secret') === clientSecret
    if (!known || !isGood) return json(response, { error: 'invalid_grant' }, 400)
    const access = token()
    tokens.set(access, known.user)
    json(response, { access_token: access, token_type: 'Bearer', expires_in: 60 })
  }

  const server = createServer((request, response) => {
    const { pathname, searchParams } = new URL(request.url ?? '', 'http://localhost')
    if (pathname === '/authorize') return authorize(searchParams, response)
    if (pathname === '/token') return void grant(request, response)
    const known = tokens.get(request.headers.authorization?.replace(/^Bearer /i, '') ?? '')
    if (known) json(response, known)
    else json(response, { error: 'invalid_token' }, 401)
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  server.unref()
  t.after(() => {
    server.closeAllConnections()
    server.close()
  })

  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const provider = oauth2({
    clientId,
    clientSecret,
    clientAuthentication: 'client_secret_post',
    authorizationEndpoint: `${url}/authorize`,
    tokenEndpoint: `${url}/token`,
    userinfoEndpoint: `${url}/userinfo`,
    allowInsecure: true,
    mapProfile: standardProfile,
  })
  return Object.assign(state, {
    provider,
    async visit(location: unknown) {
      if (!String(location).startsWith(`${url}/authorize?`))
        throw new Error(`${String(location)} is not a location of this provider`)
      const response = await fetch(String(location), { redirect: 'manual' })
      const target = new URL(response.headers.get('location') ?? '')
      return target.pathname + target.search
    },
  })
}
