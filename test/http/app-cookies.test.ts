import assert from 'node:assert/strict'
import { describe, type TestContext, test } from 'node:test'
import cookie, { type FastifyCookieOptions } from '@fastify/cookie'
import Fastify, { type FastifyInstance } from 'fastify'
import { crudAuth, currentUser, memoryUsers, sessionTransport } from '../../src/index.js'
import { answers, setCookies } from '../helpers/answers.js'
import { cheap, password, secret } from '../helpers/build.js'
import { Client } from '../helpers/client.js'

const useCrudAuth = (app: FastifyInstance) =>
  app.register(crudAuth, {
    secret,
    users: memoryUsers(),
    passwords: { cost: cheap },
    transports: [sessionTransport()],
  })

/** A route of the app behind a gate, which sets its own cookie if @fastify/cookie is registered. */
const useRoutes = async (app: FastifyInstance) => {
  app.get('/own', { preHandler: currentUser() }, async (request, reply) => {
    if (app.hasReplyDecorator('setCookie')) reply.setCookie('theirs', 'a b', { path: '/' })
    return { id: request.principal?.userId, theirs: request.cookies?.theirs ?? null }
  })
}

const hooks: FastifyCookieOptions['hook'][] = [
  undefined,
  'onRequest',
  'preParsing',
  'preValidation',
  'preHandler',
  false,
]

/** Where an app registers @fastify/cookie. */
const arrangements: Record<
  string,
  (app: FastifyInstance, options: FastifyCookieOptions) => Promise<void>
> = {
  before: async (app, options) => {
    await app.register(cookie, options)
    await useCrudAuth(app)
    await useRoutes(app)
  },
  after: async (app, options) => {
    await useCrudAuth(app)
    await app.register(cookie, options)
    await useRoutes(app)
  },
  'after, without awaiting': async (app, options) => {
    app.register(crudAuth, {
      secret,
      users: memoryUsers(),
      passwords: { cost: cheap },
      transports: [sessionTransport()],
    })
    app.register(cookie, options)
    app.register(async (scope) => useRoutes(scope))
  },
  'in its own scope': async (app, options) => {
    await useCrudAuth(app)
    await app.register(async (scope) => {
      await scope.register(cookie, options)
      await useRoutes(scope)
    })
  },
  'outside, with the plugin in a scope': async (app, options) => {
    await app.register(cookie, options)
    await app.register(async (scope) => {
      await useCrudAuth(scope)
      await useRoutes(scope)
    })
  },
}

async function signInAndOut(t: TestContext, app: FastifyInstance) {
  t.after(() => app.close())
  await app.ready()
  const client = new Client(app)
  const account = { email: 'ann@example.com', username: 'ann', password }
  const { id } = answers(await client.post('/register', account), 201)
  answers(await client.login('ann'), 200)
  const own = await client.get('/own')
  assert.deepEqual([own.statusCode, own.json().id], [200, id])
  const out = await client.post('/logout')
  answers(out, 200)
  assert.ok(Object.keys(setCookies(out)).length >= 2, 'the cookies are cleared')
  answers(await client.get('/me'), 401)
  return own
}

for (const [name, arrange] of Object.entries(arrangements)) {
  describe(`sign-in with @fastify/cookie registered ${name}`, () => {
    for (const hook of hooks) {
      test(`works with hook: ${hook}`, async (t) => {
        const app = Fastify()
        await arrange(app, hook === undefined ? {} : { hook })
        const own = await signInAndOut(t, app)
        if (hook !== false)
          assert.match(
            String(own.headers['set-cookie']),
            /theirs=a%20b/,
            "the app's own cookie is set",
          )
      })
    }

    test('works with a decoder that changes every value, and a secret', async (t) => {
      const app = Fastify()
      await arrange(app, {
        secret: 'x'.repeat(32),
        parseOptions: { decode: () => 'changed' } as object,
      })
      await signInAndOut(t, app)
    })
  })
}

test('sign-in works without @fastify/cookie and adds none of its decorators', async (t) => {
  const app = Fastify()
  await useCrudAuth(app)
  await useRoutes(app)
  await signInAndOut(t, app)
  assert.equal(app.hasReplyDecorator('setCookie'), false)
})

test('duplicate session cookies do not authenticate, whichever one @fastify/cookie reads', async (t) => {
  const app = Fastify()
  await app.register(cookie)
  await useCrudAuth(app)
  t.after(() => app.close())
  const client = new Client(app)
  answers(
    await client.post('/register', { email: 'ann@example.com', username: 'ann', password }),
    201,
  )
  const login = await client.login('ann')
  answers(login, 200)
  const session = [login.headers['set-cookie']]
    .flat()
    .map((text) => String(text).split(';', 1)[0] as string)
    .find((pair) => pair.startsWith('__Host-crudauth_session=')) as string
  const [name, value] = session.split('=') as [string, string]
  const me = (header: string) => app.inject({ url: '/me', headers: { cookie: header } })
  answers(await me(session), 200)
  for (const header of [
    `${session}; ${session}`,
    `${session}; ${name}=x`,
    `${name}=x; ${session}`,
    `${name}=; ${session}`,
    `${session};${name} =x`,
    `${session};\t${name}=x`,
    `${name}=x; other=1; ${session}`,
  ])
    answers(await me(header), 401)
  // A longer name, or a value that contains the name, is not a duplicate.
  for (const header of [
    `x${name}=1; ${session}`,
    `${name}x=1; ${session}`,
    `other=${name}; ${session}`,
    `${name}; ${session}`.replace(`${name}; `, 'flag; '),
  ])
    answers(await me(header), 200)
  // The value is compared without decoding it.
  answers(await me(`${name}=%${value.charCodeAt(0).toString(16)}${value.slice(1)}`), 401)
})
