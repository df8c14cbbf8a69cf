import assert from 'node:assert/strict'
import http2 from 'node:http2'
import type { AddressInfo } from 'node:net'
import { describe, test } from 'node:test'
import Fastify, { type FastifyInstance, type FastifyServerOptions } from 'fastify'
import fp from 'fastify-plugin'
import crudAuth, { memoryUsers, sessionTransport } from '../../src/index.js'
import { answers, refusesOwn } from '../helpers/answers.js'
import { build, cheap, password, secret } from '../helpers/build.js'
import { Client, signedIn } from '../helpers/client.js'
import { refuses } from '../helpers/refuses.js'

const options = () => ({
  secret,
  users: memoryUsers(),
  passwords: { cost: cheap },
  transports: [sessionTransport({ managementRoutes: true })],
})

type Step = (app: FastifyInstance) => void | Promise<void>

/** An app that is configured before or after the plugin is registered. */
async function around(
  t: Parameters<typeof build>[0],
  steps: { before?: Step; after?: Step; fastify?: FastifyServerOptions },
) {
  const app = Fastify(steps.fastify ?? {})
  t.after(() => app.close())
  await steps.before?.(app)
  await app.register(crudAuth, options())
  await steps.after?.(app)
  await app.ready()
  return app
}

/** Everything that a front end does. The responses must be the same in every app. */
async function fullCircle(app: FastifyInstance, prefix = ''): Promise<void> {
  const client = new Client(app, prefix)
  refusesOwn(
    await client.post('/register', { email: ['ann@example.com'], username: 'ann', password }),
    'FST_ERR_VALIDATION',
  )
  refusesOwn(
    await client.post('/register', { email: 'ann@example.com', username: 5, password }),
    'FST_ERR_VALIDATION',
  )
  refusesOwn(
    await client.post('/register', { email: 'ann@example.com', username: 'ann', password: null }),
    'FST_ERR_VALIDATION',
  )
  const registered = answers(
    await client.post('/register', {
      email: 'ann@example.com',
      username: 'ann',
      password,
      more: 1,
    }),
    201,
  )
  assert.deepEqual(Object.keys(registered), ['id', 'email', 'username'])
  refusesOwn(await client.login('ann', 'wrong password'), 'CRUDAUTH_BAD_CREDENTIALS')
  answers(await client.login('ann'), 200)
  const me = answers(await client.get('/me'), 200)
  assert.deepEqual(Object.keys(me).sort(), [
    'email',
    'email_verified',
    'has_password',
    'id',
    'is_superuser',
    'scopes',
    'user_id',
    'username',
    'via',
  ])
  assert.equal(answers(await client.get('/sessions'), 200).length, 1)
  const text = await client.post('/change-password', undefined, {
    headers: { 'content-type': 'text/plain' },
    payload: 'x',
  })
  answers(text, 415)
  refusesOwn(await client.post('/logout-all?keep_current=maybe'), 'FST_ERR_VALIDATION')
  answers(await client.post('/logout'), 200)
  refusesOwn(await client.get('/me'), 'CRUDAUTH_UNAUTHENTICATED')
}

describe('the routes behave the same in every app', () => {
  const settings: [what: string, steps: Parameters<typeof around>[1]][] = [
    ['with default settings', {}],
    [
      'whose validator coerces types, fills in defaults and removes members',
      {
        fastify: {
          ajv: {
            customOptions: {
              coerceTypes: 'array',
              useDefaults: true,
              removeAdditional: 'all',
              allErrors: true,
            },
          },
        },
      },
    ],
    [
      'whose compilers accept only the schemas of another library',
      {
        before(app) {
          app.setValidatorCompiler(({ schema }) => {
            const { safeParse } = schema as { safeParse?: unknown }
            if (typeof safeParse !== 'function') throw new Error('unsupported schema')
            return () => true
          })
          app.setSerializerCompiler(({ schema }) => {
            if (!('safeParse' in (schema as object))) throw new Error('unsupported schema')
            return (data) => JSON.stringify({ wrapped: data })
          })
        },
      },
    ],
    [
      'with its own reply serializer',
      { before: (app) => void app.setReplySerializer(() => '"replaced"') },
    ],
    [
      'that adds cookie and form parsers before the plugin',
      {
        before(app) {
          app.addContentTypeParser(
            'application/x-www-form-urlencoded',
            { parseAs: 'string' },
            (_request, _body, done) => done(null, { username: 'from the app’s parser' }),
          )
          app.register(
            fp(async (inner) => {
              inner.decorateRequest('cookies', null as never)
              inner.decorateReply('setCookie', (() => 'app') as never)
              inner.decorateReply('clearCookie', (() => 'app') as never)
              inner.decorate('parseCookie', (() => ({})) as never)
              inner.addHook('onRequest', async (request) => {
                ;(request as unknown as { cookies: object }).cookies = {}
              })
            }),
          )
        },
      },
    ],
    [
      'that adds cookie and form parsers after the plugin',
      {
        after(app) {
          app.addContentTypeParser(
            'application/x-www-form-urlencoded',
            { parseAs: 'string' },
            (_request, _body, done) => done(null, { username: 'from the app’s parser' }),
          )
          app.decorateRequest('cookies', null as never)
          app.decorateReply('setCookie', (() => 'app') as never)
          app.decorateReply('clearCookie', (() => 'app') as never)
          app.decorate('parseCookie', (() => ({})) as never)
        },
      },
    ],
    [
      'with only a catch-all body parser',
      {
        before(app) {
          app.removeAllContentTypeParsers()
          app.addContentTypeParser('*', (_request, _payload, done) =>
            done(null, { username: 'from the app’s parser' }),
          )
        },
      },
    ],
    [
      'with its own JSON parser',
      {
        before(app) {
          app.removeContentTypeParser('application/json')
          app.addContentTypeParser(
            'application/json',
            { parseAs: 'string' },
            (_request, _body, done) => done(null, { a: 1 }),
          )
        },
      },
    ],
    ['with trustProxy', { fastify: { trustProxy: ['127.0.0.1'] } }],
    ['with a small body limit', { fastify: { bodyLimit: 10 } }],
    [
      'with preHandler, preSerialization and onSend hooks',
      {
        before(app) {
          app.addHook('preHandler', async () => {})
          app.addHook('preSerialization', async (_request, _reply, payload) => payload)
          app.addHook('onSend', async (_request, reply) => void reply.header('x-powered-by', 'app'))
        },
      },
    ],
    [
      'with shared schemas that have the ids of the plugin',
      { before: (app) => void app.addSchema({ $id: 'Me', type: 'object' }) },
    ],
    ['without HEAD routes', { fastify: { exposeHeadRoutes: false } }],
    [
      'that returns 503 while closing',
      { fastify: { return503OnClosing: true, forceCloseConnections: true } },
    ],
  ]
  for (const [what, steps] of settings) {
    test(`routes: same responses in an app ${what}`, async (t) =>
      fullCircle(await around(t, steps)))
  }

  test('prefix: routes work with and without a trailing slash in it', async (t) => {
    for (const prefix of ['/auth', '/auth/', '/api/v1/auth']) {
      const app = await build(t, { auth: { prefix } })
      await fullCircle(app, prefix.replace(/\/$/, ''))
      assert.equal((await app.inject('/me')).statusCode, 404)
    }
  })

  test('router options: folded case and slashes bypass neither rate limits nor CSRF', async (t) => {
    const routerOptions = {
      ignoreTrailingSlash: true,
      caseSensitive: false,
      ignoreDuplicateSlashes: true,
      useSemicolonDelimiter: true,
    }
    const app = Fastify({ routerOptions })
    t.after(() => app.close())
    await app.register(crudAuth, {
      ...options(),
      prefix: '/auth',
      rateLimits: { register: { max: 3, windowSeconds: 60 } },
    })
    const send = (url: string, name: string) =>
      app.inject({
        method: 'POST',
        url,
        payload: { email: `${name}@example.com`, username: name, password },
      })
    const urls = ['/auth/register', '/AUTH/Register/', '//auth///register']
    for (const [index, url] of urls.entries()) answers(await send(url, `user${index}`), 201)
    for (const url of [...urls, '/auth/register;x=1'])
      refusesOwn(await send(url, 'more'), 'CRUDAUTH_RATE_LIMITED')
    const client = new Client(app)
    client.csrf = answers(
      await client.form('//Auth/LOGIN/', { username: 'user0', password }),
      200,
    ).csrf_token
    const { session_id } = answers(await client.get('/auth/SESSIONS'), 200)[0]
    const { csrf } = client
    client.csrf = null
    for (const url of ['/auth/logout', '//auth//logout/', '/AUTH/LOGOUT'])
      refusesOwn(await client.post(url), 'CRUDAUTH_CSRF')
    client.csrf = csrf
    // The session handle keeps its case.
    answers(await client.delete(`//AUTH/Sessions/${session_id}/`), 200)
  })
})

describe('the app’s own error handler', () => {
  const own: Step = (app) =>
    void app.setErrorHandler(
      (error: Error & { code?: string; statusCode?: number }, _request, reply) => {
        reply
          .code(error.statusCode ?? 500)
          .send({ ok: false, problem: { code: error.code, nested: [1, 2] } })
      },
    )

  test('error handler: its response is sent unchanged, with Retry-After and no-store', async (t) => {
    const app = await around(t, {
      before: own,
      after: (app) => {
        app.get('/guarded', { onRequest: app.currentUser() }, async () => 'in')
        app.get(
          '/limited',
          { onRequest: app.crudAuth.rateLimit('x', { max: 1, windowSeconds: 60 }) },
          async () => 'in',
        )
      },
    })
    const shape = (code: string) => ({ ok: false, problem: { code, nested: [1, 2] } })
    const client = new Client(app)
    await client.register('ann')
    const bad = await client.post('/register', {})
    assert.equal(bad.statusCode, 400)
    assert.deepEqual(bad.json(), shape('FST_ERR_VALIDATION'))
    assert.equal(bad.headers['cache-control'], 'no-store')
    assert.deepEqual((await client.register('ann')).json(), shape('CRUDAUTH_DUPLICATE'))
    for (const url of ['/me', '/guarded']) {
      const response = await app.inject(url)
      assert.equal(response.statusCode, 401)
      assert.deepEqual(response.json(), shape('CRUDAUTH_UNAUTHENTICATED'))
    }
    for (let n = 0; n < 5; n++) await client.login('ann', 'wrong password')
    const locked = await client.login('ann')
    assert.equal(locked.statusCode, 429)
    assert.deepEqual(locked.json(), shape('CRUDAUTH_LOCKED_OUT'))
    assert.ok(Number(locked.headers['retry-after']) >= 1)
    assert.equal(locked.headers['cache-control'], 'no-store')
    await app.inject('/limited')
    const limited = await app.inject('/limited')
    assert.deepEqual(limited.json(), shape('CRUDAUTH_RATE_LIMITED'))
    assert.ok(Number(limited.headers['retry-after']) >= 1)
  })

  test('error handler: can be set after a registration that is not awaited', async (t) => {
    const app = Fastify()
    t.after(() => app.close())
    // Not awaited: routes get the error handler that is set when Fastify loads their plugin.
    app.register(crudAuth, options())
    await own(app)
    assert.equal((await app.inject('/me')).json().problem.code, 'CRUDAUTH_UNAUTHENTICATED')
  })

  test('error handler: the headers of an error are kept', async (t) => {
    const app = await around(t, { before: own })
    const client = await signedIn(app, 'ann')
    client.csrf = 'wrong'
    const response = await client.post('/logout')
    assert.equal(response.headers['x-csrf-error'], 'true')
  })

  test('schemaErrorFormatter: the one of the app is used', async (t) => {
    const app = await around(t, {
      fastify: {
        schemaErrorFormatter: (errors) => new Error(`formatted by the app: ${errors.length}`),
      },
    })
    const response = await new Client(app).post('/register', {})
    assert.equal(response.statusCode, 400)
    assert.match(response.json().message, /formatted by the app/)
  })
})

describe('several registrations', () => {
  test('registration: twice on one instance, or again in its child, is a clear error', async (t) => {
    for (const twice of [
      async (app: FastifyInstance) => void (await app.register(crudAuth, options())),
      async (app: FastifyInstance) =>
        void (await app.register(
          async (child) => void (await child.register(crudAuth, options())),
        )),
    ]) {
      const app = Fastify()
      t.after(() => app.close())
      await app.register(crudAuth, options())
      await assert.rejects(
        async () => {
          await twice(app)
          await app.ready()
        },
        (error: Error & { code: string }) => {
          assert.equal(error.code, 'CRUDAUTH_CONFIG')
          assert.match(error.message, /twice/)
          return true
        },
      )
    }
  })

  test('registration: two sibling contexts are independent, even with the same secret', async (t) => {
    const app = Fastify()
    t.after(() => app.close())
    for (const name of ['one', 'two']) {
      app.register(
        async (child) => {
          await child.register(crudAuth, { ...options(), prefix: '/auth' })
          child.get(
            '/own',
            { onRequest: child.currentUser() },
            async (request) => request.principal.user.username,
          )
        },
        { prefix: `/${name}` },
      )
    }
    await app.ready()
    const one = await signedIn(app, 'ann', '/one/auth')
    answers(await one.get('/me'), 200)
    const two = new Client(app, '/two/auth')
    for (const [name, value] of one.cookies) two.cookies.set(name, value)
    refusesOwn(await two.get('/me'), 'CRUDAUTH_UNAUTHENTICATED')
    two.cookies.clear()
    answers(await two.register('bob'), 201)
    answers(await two.login('bob'), 200)
    assert.equal(
      (await new Client(app, '/two').request('GET', '/own', { headers: { cookie: cookieOf(two) } }))
        .body,
      'bob',
    )
    refuses(
      await app.inject({ url: '/one/own', headers: { cookie: cookieOf(two) } }),
      'CRUDAUTH_UNAUTHENTICATED',
    )
    assert.equal(app.hasDecorator('auth'), false)
  })

  test('prefix: is added to the prefix of the enclosing context', async (t) => {
    const app = Fastify()
    t.after(() => app.close())
    app.register(
      async (child) => void (await child.register(crudAuth, { ...options(), prefix: '/auth' })),
      { prefix: '/api' },
    )
    await app.ready()
    await fullCircle(app, '/api/auth')
  })
})

const cookieOf = (client: Client) => [...client.cookies].map((pair) => pair.join('=')).join('; ')

describe('an HTTP/2 app', () => {
  test('HTTP/2: registration, sign-in, gates and logout work', async (t) => {
    const app = Fastify({ http2: true })
    await app.register(crudAuth, options())
    app.post('/own', { onRequest: app.currentUser() }, async (request) => ({
      id: request.principal.userId,
    }))
    await app.listen({ port: 0, host: '127.0.0.1' })
    const origin = `http://127.0.0.1:${(app.server.address() as AddressInfo).port}`
    const session = http2.connect(origin)
    t.after(async () => {
      // First: the server waits more than a minute for open HTTP/2 sessions.
      session.destroy()
      await app.close()
    })

    const send = (
      method: string,
      path: string,
      headers: Record<string, string> = {},
      body?: string,
    ) =>
      new Promise<{ status: number; headers: http2.IncomingHttpHeaders; body: string }>(
        (resolve, reject) => {
          const stream = session.request({ ':method': method, ':path': path, ...headers })
          let got: http2.IncomingHttpHeaders = {}
          let text = ''
          stream.on('response', (answer) => {
            got = answer
          })
          stream.setEncoding('utf8')
          stream.on('data', (chunk: string) => {
            text += chunk
          })
          stream.on('end', () =>
            resolve({ status: Number(got[':status']), headers: got, body: text }),
          )
          stream.on('error', reject)
          stream.end(body)
        },
      )

    const json = { 'content-type': 'application/json' }
    const user = JSON.stringify({ email: 'ann@example.com', username: 'ann', password })
    assert.equal((await send('POST', '/register', json, user)).status, 201)
    const form = { 'content-type': 'application/x-www-form-urlencoded' }
    const fields = new URLSearchParams({ username: 'ann', password }).toString()
    assert.equal(
      (await send('POST', '/login', { ...form, origin: 'https://evil.example' }, fields)).status,
      403,
    )
    const login = await send('POST', '/login', { ...form, origin }, fields)
    assert.equal(login.status, 200)
    const cookie = (login.headers['set-cookie'] ?? []).map((line) => line.split(';')[0]).join('; ')
    const csrf = JSON.parse(login.body).csrf_token
    assert.equal((await send('GET', '/me', { cookie })).status, 200)
    assert.equal((await send('GET', '/me')).status, 401)
    assert.equal((await send('POST', '/own', { cookie })).status, 403)
    assert.deepEqual(
      JSON.parse((await send('POST', '/own', { cookie, 'x-csrf-token': csrf })).body),
      { id: 1 },
    )
    assert.equal((await send('POST', '/logout', { cookie, 'x-csrf-token': csrf })).status, 200)
    assert.equal((await send('GET', '/me', { cookie })).status, 401)
  })
})
