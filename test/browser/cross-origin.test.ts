import assert from 'node:assert/strict'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { test } from 'node:test'
import Fastify from 'fastify'
import { memoryUsers } from '../../src/index.js'
import { page as documentOf } from '../docs/documents.js'
import { runExample } from '../docs/load.js'
import { password, secret } from '../helpers/build.js'
import { chromiumPath, openBrowser } from './chromium.js'

const chromium = chromiumPath()
const skip = chromium ? false : 'TEST_CHROMIUM is not set'

/** The unmodified script of the guide. */
const script = (): string => {
  const text = String(documentOf('docs/guides/cross-origin.md').text ?? '')
  const found = /<script>\n(\s*const api = [\s\S]*?)<\/script>/.exec(text)?.[1]
  assert.ok(found, 'the guide has its script')
  return found
}

test('cross-origin guide: a front end signs in, survives a reload, lists and revokes sessions', {
  skip,
}, async (t) => {
  const html =
    '<!doctype html><meta charset="utf-8"><title>Front end</title><script src="/app.js"></script>'
  let code = ''
  const front = createServer((request, response) => {
    const isScript = request.url === '/app.js'
    response.setHeader('content-type', isScript ? 'text/javascript' : 'text/html')
    response.end(isScript ? code : html)
  })
  await new Promise<void>((resolve) => front.listen(0, '127.0.0.1', resolve))
  t.after(() => front.close())
  const frontEnd = `http://localhost:${(front.address() as AddressInfo).port}`

  const before = process.env.FRONT_END
  process.env.FRONT_END = frontEnd
  t.after(() => {
    if (before === undefined) delete process.env.FRONT_END
    else process.env.FRONT_END = before
  })
  const app = Fastify()
  t.after(() => app.close())
  await runExample(t, 'cross-origin', { app, secret, users: memoryUsers() })
  await app.listen({ port: 0, host: '127.0.0.1' })
  const api = `http://localhost:${(app.server.address() as AddressInfo).port}`
  code = script().replace('https://api.example.com', api)
  await app.inject({
    method: 'POST',
    url: '/register',
    payload: { email: 'ada@example.com', username: 'ada', password },
  })

  const browser = await openBrowser(t, String(chromium))
  const context = await browser.newContext()
  const page = await context.newPage()
  await page.goto(frontEnd)
  const run = <T>(expression: string) => page.evaluate<T>(expression)
  const signIn = `(() => {
    const form = document.createElement('form')
    for (const [name, value] of [['username', 'ada'], ['password', ${JSON.stringify(password)}]]) {
      const input = document.createElement('input')
      Object.assign(input, { name, value })
      form.append(input)
    }
    return signIn(form)
  })()`
  assert.equal((await run<{ username: string }>(signIn)).username, 'ada')
  assert.equal((await run<{ via: string }>(`call('GET', '/me')`)).via, 'session')

  // Another device, which this one signs out.
  const other = await browser.newContext()
  const elsewhere = await other.newPage()
  await elsewhere.goto(frontEnd)
  await elsewhere.evaluate(signIn)

  await page.reload()
  const token = await run<{ csrf_token: string }>('afterReload()')
  for (let n = 0; n < 40; n++) {
    await page.reload()
    assert.deepEqual(await run('afterReload()'), token, 'as often as one likes')
  }
  const sessions = await run<{ id: string; current: boolean }[]>(`call('GET', '/sessions')`)
  const id = sessions.find(({ current }) => !current)?.id
  assert.ok(id)
  await run(`signOutElsewhere(${JSON.stringify(id)})`)
  assert.equal(
    await elsewhere.evaluate(`call('GET', '/me').then(() => 'in', ({ code }) => code)`),
    'CRUDAUTH_UNAUTHENTICATED',
  )
  const refused = await run<string>(
    `fetch(api + '/logout', { method: 'POST', credentials: 'include' }).then((r) => r.headers.get('x-csrf-error'))`,
  )
  assert.equal(refused, 'true', 'the page can read why')
  await run(`call('POST', '/logout')`)
  // Login CSRF: a page of an untrusted origin must not be able to post the form.
  const foreign = createServer((_request, response) => response.end(html))
  await new Promise<void>((resolve) => foreign.listen(0, '127.0.0.1', resolve))
  t.after(() => foreign.close())
  const stranger = await (await browser.newContext()).newPage()
  await stranger.goto(`http://localhost:${(foreign.address() as AddressInfo).port}`)
  const status = await stranger.evaluate(
    `fetch(${JSON.stringify(api)} + '/login', { method: 'POST', mode: 'no-cors', credentials: 'include', body: new URLSearchParams({ username: 'ada', password: ${JSON.stringify(password)} }) }).then((r) => r.type)`,
  )
  assert.equal(status, 'opaque')
  assert.deepEqual(await stranger.context().cookies(api), [], 'nobody was signed in by it')
})
