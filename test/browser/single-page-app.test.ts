import assert from 'node:assert/strict'
import { test } from 'node:test'
import Fastify from 'fastify'
import crudAuth, { memoryUsers, sessionTransport } from '../../src/index.js'
import { blocksOf, page as documentOf } from '../docs/documents.js'
import { cheap, password, secret } from '../helpers/build.js'
import { chromiumPath, openBrowser } from './chromium.js'

const chromium = chromiumPath()
const skip = chromium ? false : 'needs Chromium'

test('single-page app guide: the client signs up, signs in, changes something and signs out', {
  skip,
}, async (t) => {
  const block = blocksOf(documentOf('docs/guides/single-page-app.md')).find(
    ({ marks }) => marks.name === 'spa-client',
  )
  assert.ok(block, 'the guide has its client')
  const app = Fastify()
  t.after(() => app.close())
  await app.register(crudAuth, {
    prefix: '/auth',
    secret,
    users: memoryUsers(),
    passwords: { cost: cheap },
    transports: [sessionTransport({ managementRoutes: true })],
  })
  app.get('/', async (_request, reply) =>
    reply.type('text/html').send(`<!doctype html><title>App</title>${block.code}`),
  )
  app.post('/notes', { onRequest: app.currentUser() }, async ({ principal }) => ({
    by: principal.userId,
  }))
  const url = (await app.listen({ host: '127.0.0.1', port: 0 })).replace('127.0.0.1', 'localhost')

  const browser = await openBrowser(t, String(chromium))
  const page = await (await browser.newContext()).newPage()
  await page.goto(url)
  const run = <T>(expression: string) => page.evaluate<T>(expression)
  const codeOf = (expression: string) =>
    run<string>(`${expression}.then(() => 'no error', ({ code }) => code)`)

  assert.equal(await run('whoAmI()'), null)
  const account = JSON.stringify({ email: 'ada@example.com', username: 'ada', password })
  await run(`signUp(${account})`)
  assert.equal(await codeOf(`signIn('ada', 'wrong password')`), 'CRUDAUTH_BAD_CREDENTIALS')
  await run(`signIn('ada', ${JSON.stringify(password)}, true)`)
  assert.equal((await run<{ username: string }>('whoAmI()')).username, 'ada')
  assert.deepEqual(await run(`call('POST', '/notes', {})`), { by: 1 })
  await page.reload()
  assert.deepEqual(await run(`call('POST', '/notes', {})`), { by: 1 }, 'after a reload')
  assert.equal(
    await codeOf(
      `fetch('/notes', { method: 'POST' }).then((r) => r.json()).then((a) => { throw a })`,
    ),
    'CRUDAUTH_CSRF',
  )
  await run('signOut()')
  assert.equal(await run('whoAmI()'), null)
  assert.equal(await codeOf(`call('POST', '/notes', {})`), 'CRUDAUTH_UNAUTHENTICATED')
})
