import assert from 'node:assert/strict'
import { test } from 'node:test'
import { backends } from '../helpers/backends.js'
import { ada, Browser, browserOf, buildOAuth, landsOn } from '../helpers/oauth.js'
import { refuses } from '../helpers/refuses.js'

/** Values that would lead to another origin, or are not paths. */
const hostile = [
  '//evil.example',
  '//evil.example/a',
  '///evil.example',
  '/\\evil.example',
  '\\\\evil.example',
  '\\/evil.example',
  '/\\/evil.example',
  '/a\\b',
  '/\t/evil.example',
  '/\n/evil.example',
  '/\r\n/evil.example',
  '\t//evil.example',
  ' //evil.example',
  '/.//evil.example',
  '/..//evil.example',
  '/a/..//evil.example',
  '/a/../..//evil.example',
  '/%2e//evil.example',
  '/%2E%2E//evil.example',
  '/.\\evil.example',
  'https://evil.example',
  'https:evil.example',
  'https:/evil.example',
  'HTTPS://evil.example',
  'http://app.example.com.evil.example',
  'https://app.example.com@evil.example',
  'javascript:alert(1)',
  'java\nscript:alert(1)',
  'data:text/html,x',
  'vbscript:x',
  'blob:https://app.example.com/x',
  'evil.example',
  '@evil.example',
  '.evil.example',
  ':443',
  '?next=//evil.example',
  '#x',
  '',
  ' ',
  'home',
  './home',
  '../home',
  '/home\0',
  '/home\r\nSet-Cookie: a=b',
  '/home\nLocation: //evil.example',
  '/home\u0085x',
  '/home\u2066x',
  '/home\u202ex',
  '/home\u200bx',
  '/home\ufeffx',
  '\ufeff//evil.example',
  '/\u0000/evil.example',
  '/\u00ad/evil.example',
  '／／evil.example',
]

/** Same-origin paths and their normalized form. */
const good: [string, string][] = [
  ['/', '/'],
  ['/home', '/home'],
  ['/home?a=1&b=%2F%2Fevil.example#part', '/home?a=1&b=%2F%2Fevil.example#part'],
  ['/a/../b', '/b'],
  ['/a//b', '/a//b'],
  ['/a b', '/a%20b'],
  ['/ü?q=日本', '/%C3%BC?q=%E6%97%A5%E6%9C%AC'],
  ['/@evil.example', '/@evil.example'],
  ['/https://evil.example', '/https://evil.example'],
  ['/a?next=https://evil.example', '/a?next=https://evil.example'],
  ['/%2F%2Fevil.example', '/%2F%2Fevil.example'],
  ['/%5Cevil.example', '/%5Cevil.example'],
  ['/%09/evil.example', '/%09/evil.example'],
  ['/a%0d%0aSet-Cookie:%20x=y', '/a%0d%0aSet-Cookie:%20x=y'],
  ['/;//evil.example', '/;//evil.example'],
  [`/${'a'.repeat(2047)}`, `/${'a'.repeat(2047)}`],
]

/** The origin that a browser would go to from the callback. */
const originOf = (location: string) =>
  new URL(location, 'https://app.example.com/oauth/acme/callback').origin

for (const backend of backends) {
  test(`${backend.name}: redirect_to: open redirect attempts and non-paths land on the default`, async (t) => {
    const { app } = await buildOAuth(t, { auth: backend.options() })
    for (const place of hostile) {
      const response = await new Browser(app).signIn(
        ada,
        'acme',
        `?redirect_to=${encodeURIComponent(place)}`,
      )
      const label = JSON.stringify(place)
      const location = String(response.headers.location)
      assert.equal(originOf(location), 'https://app.example.com', label)
      assert.equal(location, '/start', label)
      assert.doesNotMatch(location, /[\r\n]/)
    }
  })

  test(`${backend.name}: redirect_to: a same-origin path is kept, normalized as in a browser`, async (t) => {
    const { app } = await buildOAuth(t, { auth: backend.options() })
    for (const [place, expected] of good) {
      const response = await new Browser(app).signIn(
        ada,
        'acme',
        `?redirect_to=${encodeURIComponent(place)}`,
      )
      landsOn(response, expected)
      assert.equal(originOf(expected), 'https://app.example.com')
      assert.equal(response.headers['referrer-policy'], 'no-referrer')
    }
  })
}

test('POST /oauth/:provider/link: redirect_to follows the same rules as sign-in', async (t) => {
  const { app } = await buildOAuth(t)
  const ann = await browserOf(app, 'ann')
  for (const place of hostile) {
    landsOn(await ann.link({ sub: 's-1' }, 'acme', { redirect_to: place }), '/start')
    assert.equal((await ann.delete('/oauth/acme')).statusCode, 200)
  }
  for (const [place, expected] of good) {
    landsOn(await ann.link({ sub: 's-1' }, 'acme', { redirect_to: place }), expected)
    assert.equal((await ann.delete('/oauth/acme')).statusCode, 200)
  }
})

test('redirect_to: malformed and double encoding never lead to another origin', async (t) => {
  const { app } = await buildOAuth(t)
  for (const query of [
    'redirect_to=%FF%FE//evil.example',
    'redirect_to=%ED%A0%80//evil.example',
    'redirect_to=%2',
    'redirect_to=/%5c%5cevil.example/%',
    'redirect_to=%252F%252Fevil.example',
    'redirect_to[]=//evil.example',
    'redirect_to=%5C%5Cevil.example',
    'redirect_to=%E2%80%A8//evil.example',
    'redirect_to=/%09/evil.example',
  ]) {
    const response = await new Browser(app).signIn(ada, 'acme', `?${query}`)
    assert.equal(originOf(String(response.headers.location)), 'https://app.example.com', query)
  }
})

test('redirect_to: an oversized, duplicate or non-string value starts no flow', async (t) => {
  const { app, acme } = await buildOAuth(t)
  const ann = await browserOf(app, 'ann')
  for (const query of [
    `redirect_to=/${'a'.repeat(2048)}`,
    'redirect_to=/a&redirect_to=//evil.example',
  ]) {
    const response = await app.inject(`/oauth/acme/authorize?${query}`)
    refuses(response, 'FST_ERR_VALIDATION')
    assert.equal(response.headers.location, undefined)
    assert.equal(response.headers['set-cookie'], undefined)
  }
  for (const redirect_to of [`/${'a'.repeat(2048)}`, ['/a'], 1, true, { a: 1 }]) {
    refuses(await ann.post('/oauth/acme/link', { redirect_to }), 'FST_ERR_VALIDATION')
  }
  assert.deepEqual(acme.requests, [])
})
