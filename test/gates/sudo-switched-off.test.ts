import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { FastifyInstance } from 'fastify'
import { memoryUsers } from '../../src/index.js'
import { backends } from '../helpers/backends.js'
import { build, password } from '../helpers/build.js'
import { Client, signedIn } from '../helpers/client.js'
import { sessionCookie } from '../helpers/hostile.js'
import { refuses } from '../helpers/refuses.js'

const routes = (app: FastifyInstance) => {
  app.post('/elevate', { onRequest: app.currentUser() }, async (request) =>
    app.crudAuth.sudo.elevate(request, { password: password }),
  )
  app.get('/danger', { onRequest: app.requireSudo }, async () => 'done')
}

for (const backend of backends) {
  test(`${backend.name}: with sudo off, requireSudo refuses a session elevated in the store`, async (t) => {
    const app = await build(t, { auth: { ...backend.options(), sudo: false }, routes })
    const ann = await signedIn(app, 'ann')
    const tag = ann.cookies.get(sessionCookie)?.split('.')[1] ?? ''
    const [session] = await app.sessionStore.list(tag)
    assert.equal(
      await app.sessionStore.update(tag, session?.handle ?? '', {
        sudoUntilMs: Date.now() + 60_000,
      }),
      true,
    )
    refuses(await ann.get('/danger'), 'CRUDAUTH_SUDO_REQUIRED')
    assert.equal((await ann.get('/me')).statusCode, 200)
  })
}

for (const backend of backends.filter(({ name }) => name === 'redis')) {
  test('redis: a process with sudo off refuses an elevation granted by one with sudo on', async (t) => {
    const auth = { ...backend.options(), users: memoryUsers() }
    const [on, off] = [
      await build(t, { auth, routes }),
      await build(t, { auth: { ...auth, sudo: false }, routes }),
    ]
    const ann = await signedIn(on, 'ann')
    assert.equal((await ann.post('/elevate')).statusCode, 200)
    const elsewhere = new Client(off)
    for (const [name, value] of ann.cookies) elsewhere.cookies.set(name, value)
    elsewhere.csrf = ann.csrf
    assert.equal((await elsewhere.get('/me')).statusCode, 200)
    refuses(await elsewhere.get('/danger'), 'CRUDAUTH_SUDO_REQUIRED')
    refuses(await elsewhere.post('/elevate'), 'CRUDAUTH_SUDO_REQUIRED')
    assert.equal((await ann.get('/danger')).statusCode, 200)
  })
}
