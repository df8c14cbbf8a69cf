import assert from 'node:assert/strict'
import { test } from 'node:test'
import { sessionTransport, type Transport } from '../../src/index.js'
import { backends } from '../helpers/backends.js'
import { build, password } from '../helpers/build.js'
import { Client, signedIn } from '../helpers/client.js'
import { refuses } from '../helpers/refuses.js'

/** A stand-in for API keys: reads the username from a header. */
const apikey: Transport = {
  name: 'apikey',
  async authenticate(request, auth) {
    const name = request.headers['x-key']
    const user = typeof name === 'string' ? await auth.users.findBy('username', name) : null
    return user && auth.createPrincipal(user, { transport: 'apikey' })
  },
}

for (const backend of backends) {
  test(`${backend.name}: gates refuse a request whose credentials belong to two users`, async (t) => {
    const handled: unknown[] = []
    const app = await build(t, {
      auth: { ...backend.options(), transports: [sessionTransport(), apikey] },
      routes(app) {
        const key = app.currentUser({ transport: 'apikey' })
        const handler = async (request: {
          principal: { transport: string; user: Record<string, unknown> }
        }) => {
          const { transport, user } = request.principal
          handled.push(user.username)
          return { transport, username: user.username }
        }
        app.post(
          '/elevate',
          { onRequest: app.currentUser({ transport: 'session' }) },
          async (request) => app.crudAuth.sudo.elevate(request, { password: password }),
        )
        app.get('/sudo', { onRequest: [app.requireSudo, key] }, handler)
        app.get('/fresh', { onRequest: [app.requireFresh, key] }, handler)
        app.get(
          '/both',
          { onRequest: app.currentUser({ transport: 'session' }), preHandler: key },
          handler,
        )
        app.get(
          '/reverse',
          { onRequest: key, preHandler: app.currentUser({ transport: 'session' }) },
          handler,
        )
      },
    })
    await new Client(app).register('bob')
    const ann = await signedIn(app, 'ann')
    assert.equal((await ann.post('/elevate')).statusCode, 200)
    const as = (name: string) => ({ headers: { 'x-key': name } })

    for (const url of ['/sudo', '/fresh', '/both', '/reverse']) {
      refuses(await ann.get(url, as('bob')), 'CRUDAUTH_FORBIDDEN', ['bob'])
      assert.deepEqual(handled, [], url)
      const transport = url === '/reverse' ? 'session' : 'apikey'
      assert.deepEqual((await ann.get(url, as('ann'))).json(), { transport, username: 'ann' })
      assert.deepEqual(handled.splice(0), ['ann'])
      // Without an API key, the gate for keys answers 401.
      refuses(await ann.get(url), 'CRUDAUTH_UNAUTHENTICATED')
    }
  })
}
