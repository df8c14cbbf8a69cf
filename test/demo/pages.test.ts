import assert from 'node:assert/strict'
import { test } from 'node:test'
import { hostDemo } from './in-process.js'
import { password, Visitor } from './visitor.js'

const html = { accept: 'text/html,application/xhtml+xml,*/*;q=0.8' }

/** A browser that opens pages: it asks for HTML, and keeps the cookies of its visitor. */
async function open(visitor: Visitor, path: string, method = 'GET') {
  const cookie = [...visitor.cookies].map((pair) => pair.join('=')).join('; ')
  const response = await fetch(visitor.url + path, { method, headers: { ...html, cookie } })
  return { status: response.status, headers: response.headers, text: await response.text() }
}

test('demo: people get a page for errors, and API clients get JSON', async (t) => {
  const demo = await hostDemo(t)
  const visitor = new Visitor(demo.url)
  for (const [path, status, code, title] of [
    ['/nothing?token=secret', 404, undefined, 'Page not found'],
    ['/auth/nothing', 404, undefined, 'Page not found'],
    ['/dashboard', 401, 'CRUDAUTH_UNAUTHENTICATED', 'Sign in to see this page'],
    ['/auth/sessions', 401, 'CRUDAUTH_UNAUTHENTICATED', 'Sign in to see this page'],
  ] as const) {
    const json = await visitor.get(path)
    assert.deepEqual([json.status, json.body.code, json.body.statusCode], [status, code, status])
    assert.equal(json.headers.get('vary'), 'accept')
    const page = await open(visitor, path)
    assert.equal(page.status, status)
    assert.match(String(page.headers.get('content-type')), /^text\/html/)
    assert.match(String(page.headers.get('content-security-policy')), /^default-src 'none'/)
    assert.equal(page.headers.get('cache-control'), 'no-store')
    assert.ok(page.text.includes(`<h1 id="title">${title}</h1>`), path)
    assert.ok(!page.text.includes('secret'), 'the query is not shown')
  }

  await visitor.register('ada')
  await visitor.login('ada')
  const members = await open(visitor, '/members')
  assert.equal(members.status, 403)
  assert.match(members.text, /Confirm your address first/)
  const dashboard = await open(visitor, '/dashboard')
  assert.equal(dashboard.status, 200)
  assert.match(dashboard.text, /<dt>hello<\/dt><dd>ada<\/dd>/)
})

test('demo: text from the URL is escaped on error pages', async (t) => {
  const demo = await hostDemo(t)
  const page = await open(new Visitor(demo.url), '/%3Cimg%20src=x%3E"&\'')
  assert.equal(page.status, 404)
  assert.doesNotMatch(page.text, /<img src=x/)
  assert.match(page.text, /There is no page at \/%3Cimg%20src=x%3E%22&#38;&#39;\./)
})

test('demo: a rate-limited page says when to try again', async (t) => {
  const demo = await hostDemo(t)
  const visitor = new Visitor(demo.url)
  for (let attempt = 1; attempt <= 8; attempt++) await visitor.login('ada', `wrong ${attempt}`)
  const page = await fetch(`${demo.url}/auth/login`, {
    method: 'POST',
    headers: html,
    body: new URLSearchParams({ username: 'ada', password }),
  })
  assert.equal(page.status, 429)
  assert.ok(Number(page.headers.get('retry-after')) > 0)
  assert.match(await page.text(), /Too many requests.*Try again in \d+ (second|minute)s?\./s)
})
