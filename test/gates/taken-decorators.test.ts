import assert from 'node:assert/strict'
import { test } from 'node:test'
import Fastify, { type FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'
import crudAuth, { memoryUsers } from '../../src/index.js'
import { cheap, secret } from '../helpers/build.js'
import { signedIn } from '../helpers/client.js'

const options = () => ({ secret, users: memoryUsers(), passwords: { cost: cheap } })

const fails = (run: () => Promise<unknown>, ...patterns: RegExp[]) =>
  assert.rejects(run, (error: Error & { code: string }) => {
    assert.equal(error.code, 'CRUDAUTH_CONFIG')
    for (const pattern of patterns) assert.match(error.message, pattern)
    return true
  })

const decorators = [
  ...['crudAuth', 'currentUser', 'requireSudo', 'requireFresh', 'sessionStore'].map((name) => ({
    name,
    request: false,
  })),
  ...['principal', 'maybePrincipal'].map((name) => ({ name, request: true })),
]

for (const { name, request } of decorators) {
  test(`registration: another plugin's ${request ? 'request decorator' : 'decorator'} "${name}" is an error that names the remedy`, async (t) => {
    const other = fp(async (app: FastifyInstance) => {
      if (request) app.decorateRequest(name, null)
      else app.decorate(name, () => {})
    })
    const app = Fastify()
    t.after(() => app.close())
    await app.register(other)
    const register = async () => {
      await app.register(crudAuth, options())
      await app.ready()
    }
    await fails(register, new RegExp(`"${name}"`), /context of its own/)
  })
}

test('registration: a plugin with a conflicting decorator works in a sibling context', async (t) => {
  const app = Fastify()
  t.after(() => app.close())
  await app.register(async (child) => void child.decorate('currentUser' as string, () => {}))
  await app.register(async (child) => void (await child.register(crudAuth, options())))
  await app.ready()
  assert.equal((await (await signedIn(app, 'ann')).get('/me')).statusCode, 200)
})

test('registration: registering twice, also in a child context, is a clear error', async (t) => {
  const twice: ((app: FastifyInstance) => Promise<unknown>)[] = [
    async (app) => app.register(crudAuth, options()),
    async (app) => app.register(crudAuth, { ...options(), prefix: '/other', routes: false }),
    async (app) =>
      app.register(async (child) => void (await child.register(crudAuth, options())), {
        prefix: '/below',
      }),
  ]
  for (const again of twice) {
    const app = Fastify()
    t.after(() => app.close())
    await app.register(crudAuth, options())
    const register = async () => {
      await again(app)
      await app.ready()
    }
    await fails(register, /registered twice/, /register it once/)
  }
})
