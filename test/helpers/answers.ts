import assert from 'node:assert/strict'
import type { LightMyRequestResponse } from 'fastify'
import { refuses } from './refuses.js'

/** A parsed `Set-Cookie` header. */
export interface SetCookie {
  readonly value: string
  /**
   * All attributes except the lifetime, in lower case and sorted:
   * `httponly; path=/; samesite=lax; secure`.
   */
  readonly attributes: string
  /** In seconds; undefined for a cookie that expires when the browser closes. */
  readonly maxAge: number | undefined
  readonly expires: string | undefined
}

/** Returns the cookies that a response sets, by name. Fails if it sets one twice. */
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

/** Asserts that a response has this status, is JSON and is not cacheable. Returns the body. */
// biome-ignore lint/suspicious/noExplicitAny: each test expects its own shape
export function answers(response: LightMyRequestResponse, status: number): any {
  assert.equal(response.statusCode, status, response.body)
  assert.equal(response.headers['cache-control'], 'no-store')
  assert.match(String(response.headers['content-type']), /^application\/json/)
  return response.json()
}

/** Like `refuses`, and the error has Fastify's default shape and is not cacheable. */
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
