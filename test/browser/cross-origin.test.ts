import assert from 'node:assert/strict'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { test } from 'node:test'
import Fastify from 'fastify'
import { memoryUsers } from '../../src/index.js'
import { blockNamed, bundleScript } from '../client/bundle.js'
import { runExample } from '../docs/load.js'
import { password, secret } from '../helpers/build.js'
import { chromiumPath, openBrowser } from './chromium.js'

const chromium = chromiumPath()
const skip = chromium ? false : 'TEST_CHROMIUM is not set'

test('cross-origin guide: a front end signs in, survives a reload, lists and revokes sessions', {
  skip,
}, async (t) => {
  const html =
    '<!doctype html><meta charset="utf-8"><title>Front end</title><script type="module" src="/app.js"></script>'
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
  const app = Fastify({ forceCloseConnections: true })
  t.after(() => app.close())
  await runExample(t, 'cross-origin', { app, secret, users: memoryUsers() })
  app.post('/notes', { onRequest: app.currentUser() }, async ({ body }) => ({ body }))
  await app.listen({ port: 0, host: '127.0.0.1' })
  const api = `http://localhost:${(app.server.address() as AddressInfo).port}`
  const block = blockNamed('docs/guides/cross-origin.md', 'cross-origin-client')
  const script = /<script type="module">([\s\S]*?)<\/script>/.exec(block.code)?.[1] ?? ''
  code = await bundleScript(script.replace('https://api.example.com', api))
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
  const signIn = `signIn('ada', ${JSON.stringify(password)})`
  assert.equal((await run<{ username: string }>(signIn)).username, 'ada')
  assert.equal((await run<{ via: string }>('auth.me()')).via, 'session')

  // Another device, which this one signs out.
  const other = await browser.newContext()
  const elsewhere = await other.newPage()
  await elsewhere.goto(frontEnd)
  await elsewhere.evaluate(signIn)

  await page.reload()
  for (let n = 0; n < 40; n++) {
    await page.reload()
    const body = await run(`save('a note').then((response) => response.json())`)
    assert.deepEqual(body, { body: 'a note' }, 'as often as one likes')
  }
  const sessions = await run<{ id: string; current: boolean }[]>('auth.sessions.list()')
  const id = sessions.find(({ current }) => !current)?.id
  assert.ok(id)
  await run(`signOutElsewhere(${JSON.stringify(id)})`)
  assert.equal(await elsewhere.evaluate('auth.me()'), null)
  const refused = await run<string>(
    `fetch(${JSON.stringify(api)} + '/logout', { method: 'POST', credentials: 'include' }).then((r) => r.headers.get('x-csrf-error'))`,
  )
  assert.equal(refused, 'true', 'the page can read why')
  await run('auth.logout()')
  assert.equal(await run('auth.me()'), null)
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
