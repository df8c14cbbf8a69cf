import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { TestContext } from 'node:test'
import { type GithubOptions, github } from '../../src/index.js'

/** The part of a GitHub account that a sign-in reads, in the shape of GitHub's API. */
export interface GithubAccount {
  /** Written into the JSON unquoted, so that a test can exceed `Number.MAX_SAFE_INTEGER`. */
  id: string
  login: string
  name: string | null
  /** The public address in the profile, if any. */
  email: string | null
  emails: {
    email: string
    primary: boolean
    verified: boolean
    visibility: 'private' | 'public' | null
  }[]
}

/** A mock of github.com and api.github.com on 127.0.0.1, written from GitHub's documentation. */
export interface GithubStandin {
  url: string
  account: GithubAccount
  /** Method and path of every request. */
  requests: string[]
  /** Options that make `github()` use this server. */
  options: GithubOptions
}

/** Differences from the documented behavior of GitHub. */
export interface Deviations {
  /** Content type of JSON responses. */
  contentType?: string
  /** `token_type` in the token response; null omits it. */
  tokenType?: string | null
  /** Status of `GET /user/emails`. */
  emailsStatus?: number
}

const octocat: GithubAccount = {
  id: '583231',
  login: 'octocat',
  name: 'Monalisa Octocat',
  email: 'shown@example.com',
  emails: [
    { email: 'old@example.com', primary: false, verified: true, visibility: null },
    { email: 'octocat@example.com', primary: true, verified: true, visibility: 'private' },
  ],
}

async function formOf(request: IncomingMessage): Promise<URLSearchParams> {
  let text = ''
  for await (const chunk of request.setEncoding('utf8')) text += chunk
  return new URLSearchParams(text)
}

/**
 * Starts the mock. It signs everyone in as `account` without a page, and closes when the test ends.
 */
export async function startGithub(
  t: TestContext,
  account: Partial<GithubAccount> = {},
  {
    contentType = 'application/json; charset=utf-8',
    tokenType = 'bearer',
    emailsStatus,
  }: Deviations = {},
): Promise<GithubStandin> {
  const clientId = 'Iv1.0123456789abcdef'
  const clientSecret = randomBytes(20).toString('hex')
  const codes = new Map<string, { challenge: string; redirectUri: string }>()
  const tokens = new Set<string>()
  const requests: string[] = []
  const standin = { account: { ...octocat, ...account } }

  const json = (response: ServerResponse, status: number, body: unknown) =>
    response
      .writeHead(status, { 'content-type': contentType })
      .end(typeof body === 'string' ? body : JSON.stringify(body))

  const authorize = (url: URL, response: ServerResponse) => {
    const query = Object.fromEntries(url.searchParams)
    const code = randomBytes(10).toString('hex')
    const { redirect_uri: redirectUri = '', code_challenge: challenge = '', state = '' } = query
    codes.set(code, { challenge, redirectUri })
    const location = `${redirectUri}?${new URLSearchParams({ code, state })}`
    response.writeHead(302, { location }).end()
  }

  /** Like GitHub, responds with 200 even to errors, as JSON or a form depending on `Accept`. */
  const grant = async (request: IncomingMessage, response: ServerResponse) => {
    const form = await formOf(request)
    const kept = codes.get(form.get('code') ?? '')
    codes.delete(form.get('code') ?? '')
    const verifier = createHash('sha256')
      .update(form.get('code_verifier') ?? '')
      .digest('base64url')
    const isClient =
      form.get('client_id') === clientId && form.get('client_secret') === clientSecret
    const error = !isClient
      ? 'incorrect_client_credentials'
      : !kept || kept.challenge !== verifier
        ? 'bad_verification_code'
        : kept.redirectUri !== form.get('redirect_uri')
          ? 'redirect_uri_mismatch'
          : undefined
    const token = `gho_${randomBytes(18).toString('hex')}`
    if (!error) tokens.add(token)
    const answer: Record<string, string> = error
      ? {
          error,
          error_description: `The ${form.get('code')} passed is wrong.`,
          error_uri: 'https://docs.github.com/',
        }
      : {
          access_token: token,
          scope: 'read:user,user:email',
          ...(tokenType !== null && { token_type: tokenType }),
        }
    if (request.headers.accept?.includes('json')) json(response, 200, answer)
    else {
      const type = 'application/x-www-form-urlencoded; charset=utf-8'
      response.writeHead(200, { 'content-type': type }).end(String(new URLSearchParams(answer)))
    }
  }

  const resource = (request: IncomingMessage, response: ServerResponse, path: string) => {
    const { account } = standin
    const token = /^Bearer (.+)$/.exec(request.headers.authorization ?? '')?.[1] ?? ''
    if (!request.headers['user-agent'])
      response.writeHead(403, { 'content-type': 'text/plain' }).end('no User-Agent')
    else if (!tokens.has(token)) json(response, 401, { message: 'Bad credentials', status: '401' })
    else if (path === '/user/emails' && emailsStatus !== undefined)
      json(response, emailsStatus, { message: 'Resource not accessible by integration' })
    else if (path === '/user/emails') json(response, 200, account.emails)
    else {
      const { id, login, name, email } = account
      const rest = JSON.stringify({
        login,
        node_id: 'MDQ6VXNlcjU4MzIzMQ==',
        type: 'User',
        name,
        email,
        two_factor_authentication: true,
      })
      json(response, 200, `{"id":${id},${rest.slice(1)}`)
    }
  }

  const server = createServer((request, response) => {
    const url = new URL(request.url ?? '', 'http://github')
    requests.push(`${request.method} ${url.pathname}`)
    if (url.pathname === '/login/oauth/authorize') authorize(url, response)
    else if (url.pathname === '/login/oauth/access_token') void grant(request, response)
    else resource(request, response, url.pathname)
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => {
    server.closeAllConnections()
    server.close()
  })
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  return Object.assign(standin, {
    url,
    requests,
    options: {
      clientId,
      clientSecret,
      authorizationEndpoint: `${url}/login/oauth/authorize`,
      tokenEndpoint: `${url}/login/oauth/access_token`,
      userinfoEndpoint: `${url}/user`,
      emailsEndpoint: `${url}/user/emails`,
      allowInsecure: true,
    },
  })
}

/** `github()` with the mock as its server. */
export const githubAt = (standin: GithubStandin, options: Partial<GithubOptions> = {}) =>
  github({ ...standin.options, ...options })
