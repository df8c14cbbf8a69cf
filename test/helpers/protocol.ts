import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import type { TestContext } from 'node:test'
import { OAuthFailure } from '../../src/features/oauth/protocol/oauth-failure.js'
import {
  createProtocol,
  type OAuthProtocol,
  type SignInSecrets,
} from '../../src/features/oauth/protocol/protocol.js'
import type { OAuthProvider } from '../../src/index.js'

export const redirectUri = 'https://app.example.com/oauth/acme/callback'

/** The protocol with a provider, closed when the test ends. */
export function protocolOf(
  t: TestContext,
  provider: OAuthProvider,
  timeoutMs = 10_000,
  callback = redirectUri,
): OAuthProtocol {
  const protocol = createProtocol('oauth.providers.acme', provider, {
    redirectUri: callback,
    timeoutMs,
  })
  t.after(() => protocol.close())
  return protocol
}

export const freshSecrets = (): SignInSecrets => {
  const random = () => randomBytes(32).toString('base64url')
  return { state: random(), nonce: random(), codeVerifier: random() }
}

/** The expected properties of an `OAuthFailure`. */
export interface ExpectedFailure {
  reason: OAuthFailure['reason']
  step?: OAuthFailure['step']
  status?: number
  detail?: string
}

/** Asserts that `promise` rejects with a failure that contains no secret, however it is printed. */
export async function failsWith(
  promise: Promise<unknown>,
  expected: ExpectedFailure,
  secrets: readonly string[] = [],
) {
  const error = await promise.then(
    () => assert.fail(`expected ${expected.reason}`),
    (reason: unknown) => reason,
  )
  assert.ok(error instanceof OAuthFailure, `${error instanceof Error ? error.stack : error}`)
  const { reason, step, status, detail } = error
  const actual = Object.fromEntries(
    Object.entries({ reason, step, status, detail }).filter(([name]) => name in expected),
  )
  assert.deepEqual(actual, { ...expected })
  const { inspect } = await import('node:util')
  const shown =
    inspect(error, { depth: 10, showHidden: true }) + JSON.stringify(error) + error.message
  for (const secret of secrets) assert.ok(!shown.includes(secret), 'a secret in the failure')
  return error
}

/** Acts as a browser: follows redirects, keeps cookies and submits `startOidcProvider`'s forms. */
export async function visit(
  authorizationUrl: string,
  {
    login = 'ada',
    consent = 'allow',
    until = redirectUri,
  }: { login?: string; consent?: 'allow' | 'deny'; until?: string } = {},
): Promise<URLSearchParams> {
  const cookies = new Map<string, string>()
  const go = async (url: string, form?: Record<string, string>): Promise<Response> => {
    const cookie = [...cookies].map(([name, value]) => `${name}=${value}`).join('; ')
    const body = form && new URLSearchParams(form)
    const response = await fetch(url, {
      redirect: 'manual',
      headers: { cookie },
      ...(body && { method: 'POST', body }),
    })
    for (const line of response.headers.getSetCookie()) {
      const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(line) ?? []
      if (value === '' || /expires=Thu, 01 Jan 1970/i.test(line)) cookies.delete(name)
      else cookies.set(name, value)
    }
    return response
  }
  let url = authorizationUrl
  let response = await go(url)
  for (let step = 0; step < 20; step += 1) {
    const location = response.headers.get('location')
    if (location) {
      url = new URL(location, url).href
      if (url.startsWith(until)) return new URL(url).searchParams
      response = await go(url)
      continue
    }
    const page = await response.text()
    if (response.status !== 200) assert.fail(`${url} answered ${response.status}: ${page}`)
    if (page.includes('name="login"')) response = await go(url, { login, decision: 'allow' })
    else if (page.includes('value="deny"')) response = await go(url, { decision: consent })
    else return postedForm(page, until)
  }
  return assert.fail('the visit does not end')
}

/** Reads the fields of a form that submits itself (`response_mode=form_post`). */
function postedForm(page: string, until: string): URLSearchParams {
  assert.ok(page.includes(`action="${until}"`), page)
  const fields = [...page.matchAll(/<input type="hidden" name="([^"]+)" value="([^"]*)"/g)]
  const decode = (text: string) =>
    text.replace(/&#(?:x([\da-f]+)|(\d+));/gi, (_, hex, dec) =>
      String.fromCodePoint(hex ? Number.parseInt(hex, 16) : Number(dec)),
    )
  return new URLSearchParams(
    fields.map(([, name = '', value = '']): [string, string] => [name, decode(value)]),
  )
}
