import assert from 'node:assert/strict'
import { test } from 'node:test'
import Fastify from 'fastify'
import crudAuth, { memoryUsers, sessionTransport } from '../../src/index.js'
import { blockNamed, bundlePage, bundleScript } from '../client/bundle.js'
import { cheap, password, secret } from '../helpers/build.js'
import { chromiumPath, openBrowser } from './chromium.js'

const chromium = chromiumPath()
const skip = chromium ? false : 'needs Chromium'
const ada = { email: 'ada@example.com', username: 'ada', password }

const authOptions = () => ({
  prefix: '/auth',
  secret,
  users: memoryUsers(),
  passwords: { cost: cheap },
  transports: [sessionTransport({ managementRoutes: true })],
})

test('single-page app guide: the page signs in and out, and shows errors', { skip }, async (t) => {
  const block = blockNamed('docs/guides/single-page-app.md', 'spa-client')
  const html = `<!doctype html><meta charset="utf-8"><title>App</title>${await bundlePage(block.code)}`
  const app = Fastify({ forceCloseConnections: true })
  t.after(() => app.close())
  await app.register(crudAuth, authOptions())
  app.get('/', async (_request, reply) => reply.type('text/html').send(html))
  const url = (await app.listen({ host: '127.0.0.1', port: 0 })).replace('127.0.0.1', 'localhost')
  await app.inject({ method: 'POST', url: '/auth/register', payload: ada })

  const browser = await openBrowser(t, String(chromium))
  const context = await browser.newContext()
  const page = await context.newPage()
  await page.goto(url)
  const says = (text: RegExp) => page.getByRole('alert').filter({ hasText: text }).waitFor()
  const signIn = async (secret: string) => {
    await page.getByLabel('Email or username').fill('ada')
    await page.getByLabel('Password').fill(secret)
    await page.getByLabel('Stay signed in').check()
    await page.getByRole('button', { name: 'Sign in' }).click()
  }
  await signIn('wrong password')
  await says(/Name or password is wrong/)
  await signIn(password)
  await page.getByText('Hello, ada').waitFor()
  assert.ok(
    (await context.cookies()).some(({ expires }) => expires > 0),
    'stays signed in',
  )
  await page.reload()
  await page.getByText('Hello, ada').waitFor()
  await page.getByRole('button', { name: 'Sign out' }).click()
  await page.getByRole('button', { name: 'Sign in' }).waitFor()

  for (let n = 0; n < 6; n++) {
    await signIn('wrong password')
    await page.getByRole('alert').filter({ hasText: /./ }).waitFor()
  }
  await says(/Try again in \d+ seconds/)
  await app.close()
  await signIn(password)
  await says(/not reachable/)
})

test('client: the stores for React, Vue and Svelte follow sign-in and sign-out', {
  skip,
}, async (t) => {
  // React and Svelte aren't installed: Preact has React's hooks, and a store of Svelte is its contract.
  const svelte = `export const readable = (value, start) => {
    const subscribers = new Set()
    const set = (next) => { value = next; for (const run of subscribers) run(value) }
    return { subscribe(run) {
      subscribers.add(run)
      const stop = subscribers.size === 1 ? start(set) : undefined
      run(value)
      return () => { subscribers.delete(run); stop?.() }
    } }
  }`
  const show = `
    const name = (user) => user === undefined ? 'loading' : user === null ? 'nobody' : user.username
    export const say = (user) => { document.body.dataset.user = name(user) }`
  const pages: Record<string, { block: string; packages?: Record<string, string>; use: string }> = {
    react: {
      block: 'store-react',
      packages: { react: `export * from 'preact/hooks'` },
      use: `import { h, render } from 'preact'
        const User = () => { say(useUser(auth)); return null }
        render(h(User), document.body)`,
    },
    vue: {
      block: 'store-vue',
      packages: { vue: `export * from './node_modules/vue/dist/vue.runtime.esm-bundler.js'` },
      use: `import { watchEffect } from 'vue'
        const user = createUser(auth)
        watchEffect(() => say(user.value))`,
    },
    svelte: {
      block: 'store-svelte',
      packages: { 'svelte/store': svelte },
      use: 'createUser(auth).subscribe(say)',
    },
  }
  const app = Fastify({ forceCloseConnections: true })
  t.after(() => app.close())
  await app.register(crudAuth, authOptions())
  for (const [name, { block, packages, use }] of Object.entries(pages)) {
    const code = await bundleScript(
      `import { createAuthClient } from 'fastify-crudauth/client'
      import { say } from 'show'
      const auth = window.auth = createAuthClient({ baseUrl: '/auth' })
      ${blockNamed('docs/client.md', block).code}
      ${use}`,
      { ...packages, show },
    )
    const html = `<!doctype html><title>App</title><body><script type="module">${code}</script>`
    app.get(`/${name}`, async (_request, reply) => reply.type('text/html').send(html))
  }
  const url = (await app.listen({ host: '127.0.0.1', port: 0 })).replace('127.0.0.1', 'localhost')
  await app.inject({ method: 'POST', url: '/auth/register', payload: ada })
  const browser = await openBrowser(t, String(chromium))
  for (const name of Object.keys(pages)) {
    const page = await (await browser.newContext()).newPage()
    page.setDefaultTimeout(10_000)
    await page.goto(`${url}/${name}`)
    const user = (text: string) =>
      page.locator(`body[data-user=${text}]`).waitFor({ state: 'attached' })
    await user('nobody')
    await page.evaluate(`auth.login(${JSON.stringify({ username: 'ada', password })})`)
    await user('ada')
    await page.evaluate('auth.logout()')
    await user('nobody')
  }
})
