import assert from 'node:assert/strict'
import type { LightMyRequestResponse } from 'fastify'
import { refuses } from './refuses.js'

/** One `Set-Cookie` line taken apart. */
export interface SetCookie {
  readonly value: string
  /** Everything but the lifetime, lower case, sorted: `httponly; path=/; samesite=lax; secure`. */
  readonly attributes: string
  /** Seconds; undefined for a cookie that ends with the browser. */
  readonly maxAge: number | undefined
  readonly expires: string | undefined
}

/** The cookies that an answer sets, by name. Fails when one is set twice. */
export function setCookies(response: LightMyRequestResponse): Record<string, SetCookie> {
  const cookies: Record<string, SetCookie> = {}
  for (const line of [response.headers['set-cookie'] ?? []].flat()) {
    const [pair = '', ...parts] = line.split(';').map((part) => part.trim())
    const name = pair.slice(0, pair.indexOf('='))
    assert.ok(!(name in cookies), `${name} is set twice`)
    const of = (attribute: string) =>
      parts
        .find((part) => part.toLowerCase().startsWith(`${attribute}=`))
        ?.slice(attribute.length + 1)
    const maxAge = of('max-age')
    cookies[name] = {
      value: pair.slice(pair.indexOf('=') + 1),
      attributes: parts
        .map((part) => part.toLowerCase())
        .filter((part) => !part.startsWith('max-age=') && !part.startsWith('expires='))
        .sort()
        .join('; '),
      maxAge: maxAge === undefined ? undefined : Number(maxAge),
      expires: of('expires'),
    }
  }
  return cookies
}

/** An answer of the plugin's own routes: this status, JSON, never stored. Returns the body. */
// biome-ignore lint/suspicious/noExplicitAny: what the body is, the test says
export function answers(response: LightMyRequestResponse, status: number): any {
  assert.equal(response.statusCode, status, response.body)
  assert.equal(response.headers['cache-control'], 'no-store')
  assert.match(String(response.headers['content-type']), /^application\/json/)
  return response.json()
}

/** A refusal by the plugin's own routes: `refuses`, in Fastify's own error shape, never stored. */
export function refusesOwn(
  response: LightMyRequestResponse,
  code: string,
  secrets: readonly string[] = [],
): void {
  refuses(response, code, secrets)
  answers(response, response.statusCode)
  const body = response.json()
  assert.deepEqual(Object.keys(body).sort(), ['code', 'error', 'message', 'statusCode'])
  assert.equal(body.statusCode, response.statusCode)
  assert.notEqual(body.message, '')
}
