import assert from 'node:assert/strict'
import { test } from 'node:test'
import Fastify, { type FastifyInstance } from 'fastify'
import { randomToken } from '../../src/crypto/random.js'
import crudAuth, { bearerTransport, memoryUsers, sessionTransport } from '../../src/index.js'
import { backends } from '../helpers/backends.js'
import { build, password, secret } from '../helpers/build.js'
import { Client, signedIn } from '../helpers/client.js'
import { sessionCookie } from '../helpers/hostile.js'
import { refuses } from '../helpers/refuses.js'

/** Moves all records of a tag to another, as if the secret that derived the tag were removed. */
async function moveRecords(app: FastifyInstance, tag: string, to: string): Promise<void> {
  for (const record of await app.sessionStore.list(tag)) {
    await app.sessionStore.create(to, record, Number.POSITIVE_INFINITY)
    await app.sessionStore.revoke(tag, record.handle)
  }
}

for (const backend of backends) {
  test(`${backend.name}: session cookie: a record under a tag that isn't its user's is refused`, async (t) => {
    const app = await build(t, { auth: backend.options() })
    const client = await signedIn(app, 'ann')
    const [secret = '', tag = ''] = (client.cookies.get(sessionCookie) ?? '').split('.')
    const other = randomToken(16)
    await moveRecords(app, tag, other)
    client.cookies.set(sessionCookie, `${secret}.${other}`)
    refuses(await client.get('/me'), 'CRUDAUTH_UNAUTHENTICATED')
    await moveRecords(app, other, tag)
    client.cookies.set(sessionCookie, `${secret}.${tag}`)
    assert.equal((await client.get('/me')).statusCode, 200)
  })

  test(`${backend.name}: POST /refresh: a token under a tag that isn't its user's is refused`, async (t) => {
    const app = await build(t, {
      auth: {
        ...backend.options(),
        transports: [sessionTransport(), bearerTransport({ refresh: 'body' })],
      },
    })
    await new Client(app).register('ann')
    const asked = { username: 'ann', password }
    const tokens = (await new Client(app).form('/token', asked)).json()
    const [family, tag = '', secret] = String(tokens.refresh_token).split('.')
    const other = randomToken(16)
    await moveRecords(app, tag, other)
    const moved = `${family}.${other}.${secret}`
    refuses(
      await new Client(app).post('/refresh', { refresh_token: moved }),
      'CRUDAUTH_INVALID_TOKEN',
    )
  })
}

test('currentUser: an app route with the config of a plugin route is still guarded', async (t) => {
  const configs: object[] = []
  const app = Fastify()
  t.after(() => app.close())
  app.addHook('onRoute', ({ url, config }) => {
    if (url === '/login') configs.push(config as object)
  })
  await app.register(crudAuth, { secret, users: memoryUsers() })
  app.get('/own', { config: configs[0] as never, onRequest: app.currentUser() }, async () => 'in')
  assert.equal(configs.length, 1)
  refuses(await app.inject('/own'), 'CRUDAUTH_UNAUTHENTICATED')
})
