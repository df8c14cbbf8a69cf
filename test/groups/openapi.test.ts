import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { describe, test } from 'node:test'
import swagger, { type FastifyDynamicSwaggerOptions } from '@fastify/swagger'
import { Validator } from '@seriousme/openapi-schema-validator'
import Fastify, { type FastifyInstance } from 'fastify'
import { openapiText } from '../../scripts/openapi.js'
import crudAuth, {
  bearerTransport,
  type CrudAuthOptions,
  currentUser,
  github,
  memoryUsers,
  securitySchemes,
  sessionRoutes,
  sessionTransport,
  type Transport,
} from '../../src/index.js'
import { captureLogs, cheap, secret } from '../helpers/build.js'
import { signedIn } from '../helpers/client.js'
import { refuses } from '../helpers/refuses.js'

interface Operation {
  readonly operationId?: string
  readonly summary?: string
  readonly tags?: string[]
  readonly security?: Record<string, string[]>[]
  readonly responses: Record<string, { description?: string; content?: Record<string, unknown> }>
  readonly parameters?: readonly { readonly name: string; readonly in: string }[]
  readonly requestBody?: { content: Record<string, unknown> }
}
interface Document {
  readonly openapi: string
  readonly info: { version: string }
  readonly paths: Record<string, Record<string, Operation>>
  readonly components?: { securitySchemes?: Record<string, unknown> }
}

const committed = JSON.parse(
  readFileSync(new URL('../../docs/openapi.json', import.meta.url), 'utf8'),
) as Document
const manifest = JSON.parse(
  readFileSync(new URL('../../package.json', import.meta.url), 'utf8'),
) as { version: string }

const apiKey: Transport = {
  name: 'key',
  securityScheme: { type: 'apiKey', in: 'header', name: 'X-API-Key' },
  authenticate: async () => null,
}
const authOptions = (auth: Partial<CrudAuthOptions> = {}): CrudAuthOptions => ({
  secret,
  users: memoryUsers(),
  passwords: { cost: cheap },
  transports: [sessionTransport({ managementRoutes: true })],
  ...auth,
})

interface Setup {
  readonly order?: 'swagger first' | 'auth first'
  readonly auth?: Partial<CrudAuthOptions>
  readonly openapi?: FastifyDynamicSwaggerOptions['openapi']
  readonly swagger?: FastifyDynamicSwaggerOptions
  readonly routes?: (app: FastifyInstance) => void | Promise<void>
}

async function documented(t: { after(fn: () => unknown): void }, setup: Setup = {}) {
  const { lines, logger } = captureLogs('warn')
  const app = Fastify({ logger })
  t.after(() => app.close())
  const addSwagger = () =>
    app.register(swagger, { openapi: setup.openapi ?? { openapi: '3.1.0' }, ...setup.swagger })
  if (setup.order !== 'auth first') await addSwagger()
  await app.register(crudAuth, authOptions(setup.auth))
  if (setup.order === 'auth first') await addSwagger()
  await setup.routes?.(app)
  await app.ready()
  const document = app.swagger() as unknown as Document
  return { app, lines, document, warned: lines.some((line) => line.includes('@fastify/swagger')) }
}

async function isValid(document: object): Promise<void> {
  const result = await new Validator().validate(
    structuredClone(document) as Record<string, unknown>,
  )
  assert.ok(result.valid, JSON.stringify(result, null, 2).slice(0, 2000))
}

const operations = (document: Document) =>
  Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({
      name: `${method.toUpperCase()} ${path}`,
      operation,
    })),
  )

/** What the contract lists for each route, besides the responses common to all routes. */
const contract: Record<string, { statuses: number[]; security: object[] }> = {
  'POST /register': { statuses: [201, 202, 400, 409, 413, 415, 429, 503], security: [] },
  'GET /me': { statuses: [200, 401, 503], security: [{ session: [] }, { bearer: [] }] },
  'POST /set-password': {
    statuses: [200, 400, 401, 403, 413, 415, 503],
    security: [{ session: [], csrf: [] }, { bearer: [] }],
  },
  'POST /change-password': {
    statuses: [200, 400, 401, 403, 413, 415, 429, 503],
    security: [{ session: [], csrf: [] }, { bearer: [] }],
  },
  'POST /login': { statuses: [200, 400, 401, 403, 413, 415, 429, 503], security: [] },
  'POST /logout': {
    statuses: [200, 400, 401, 403, 413, 415, 503],
    security: [{ session: [], csrf: [] }],
  },
  'GET /sessions': { statuses: [200, 401, 503], security: [{ session: [] }] },
  'DELETE /sessions/{session_id}': {
    statuses: [200, 400, 401, 403, 404, 413, 414, 415, 503],
    security: [{ session: [], csrf: [] }],
  },
  'POST /logout-all': {
    statuses: [200, 400, 401, 403, 413, 415, 429, 503],
    security: [{ session: [], csrf: [] }],
  },
  'POST /csrf/refresh': {
    statuses: [200, 400, 401, 413, 415, 429, 503],
    security: [{ session: [] }],
  },
  'POST /token': { statuses: [200, 400, 401, 403, 413, 415, 429, 503], security: [] },
  'POST /refresh': { statuses: [200, 400, 401, 413, 415, 503], security: [] },
  'GET /.well-known/jwks.json': { statuses: [200], security: [] },
  'POST /email/verify-request': { statuses: [202, 400, 413, 415, 429], security: [] },
  'POST /email/verify-confirm': { statuses: [200, 400, 413, 415, 503], security: [] },
  'POST /password/reset-request': { statuses: [202, 400, 413, 415, 429], security: [] },
  'POST /password/reset-confirm': { statuses: [200, 400, 413, 415, 503], security: [] },
  'POST /email/change-request': {
    statuses: [202, 400, 401, 403, 413, 415, 429, 503],
    security: [{ session: [], csrf: [] }, { bearer: [] }],
  },
  'POST /email/change-confirm': { statuses: [200, 400, 409, 413, 415, 503], security: [] },
  'POST /email/change-revert': { statuses: [200, 400, 413, 415, 503], security: [] },
  'GET /oauth/{provider}/authorize': { statuses: [302, 400, 404, 414, 429, 503], security: [] },
  'GET /oauth/{provider}/callback': { statuses: [302, 400, 404, 414, 503], security: [] },
  'POST /oauth/{provider}/callback': { statuses: [303, 400, 404, 413, 414, 415], security: [] },
  'POST /oauth/{provider}/link': {
    statuses: [200, 400, 401, 403, 404, 409, 413, 414, 415, 503],
    security: [{ session: [], csrf: [] }],
  },
  'DELETE /oauth/{provider}': {
    statuses: [200, 400, 401, 403, 404, 409, 413, 414, 415, 503],
    security: [{ session: [], csrf: [] }],
  },
  'GET /oauth/accounts': { statuses: [200, 401, 503], security: [{ session: [] }] },
  'POST /mfa/verify': { statuses: [200, 400, 401, 403, 413, 415, 429, 503], security: [] },
  'POST /mfa/challenge': { statuses: [200, 400, 413, 415, 503], security: [] },
  'POST /mfa/passkey/options': { statuses: [200, 400, 413, 415, 429, 503], security: [] },
  'POST /passkeys/login/options': { statuses: [200, 400, 413, 415, 429, 503], security: [] },
  'POST /passkeys/login/verify': {
    statuses: [200, 400, 401, 403, 413, 415, 429, 503],
    security: [],
  },
  'POST /passkeys/register/options': {
    statuses: [200, 400, 401, 403, 409, 413, 415, 503],
    security: [{ session: [], csrf: [] }, { bearer: [] }],
  },
  'POST /passkeys/register/verify': {
    statuses: [201, 400, 401, 403, 409, 413, 415, 503],
    security: [{ session: [], csrf: [] }, { bearer: [] }],
  },
  'GET /passkeys': { statuses: [200, 401, 503], security: [{ session: [] }, { bearer: [] }] },
  'PATCH /passkeys/{id}': {
    statuses: [200, 400, 401, 403, 404, 413, 414, 415, 503],
    security: [{ session: [], csrf: [] }, { bearer: [] }],
  },
  'DELETE /passkeys/{id}': {
    statuses: [200, 400, 401, 403, 404, 409, 413, 414, 415, 503],
    security: [{ session: [], csrf: [] }, { bearer: [] }],
  },
  'GET /mfa': { statuses: [200, 401, 503], security: [{ session: [] }, { bearer: [] }] },
  'POST /mfa/totp/setup': {
    statuses: [200, 400, 401, 403, 413, 415, 429, 503],
    security: [{ session: [], csrf: [] }, { bearer: [] }],
  },
  'POST /mfa/totp/confirm': {
    statuses: [200, 400, 401, 403, 413, 415, 429, 503],
    security: [{ session: [], csrf: [] }, { bearer: [] }],
  },
  'POST /mfa/totp/disable': {
    statuses: [200, 400, 401, 403, 413, 415, 429, 503],
    security: [{ session: [], csrf: [] }, { bearer: [] }],
  },
  'POST /mfa/recovery-codes/regenerate': {
    statuses: [200, 400, 401, 403, 413, 415, 429, 503],
    security: [{ session: [], csrf: [] }, { bearer: [] }],
  },
}

/** Redirects have no body. */
const isRedirect = (status: string | number) => Math.trunc(Number(status) / 100) === 3

describe('docs/openapi.json', () => {
  test('docs/openapi.json: equals the generated document and has the package version', async () => {
    assert.equal(
      await openapiText(),
      readFileSync(new URL('../../docs/openapi.json', import.meta.url), 'utf8'),
    )
    assert.equal(committed.info.version, manifest.version)
  })

  test('docs/openapi.json: is valid OpenAPI', async () => isValid(committed))

  test('docs/openapi.json: has every route of the contract and no other', () => {
    assert.deepEqual(
      operations(committed)
        .map(({ name }) => name)
        .sort(),
      Object.keys(contract).sort(),
    )
  })

  test('docs/openapi.json: operations have a unique id, one tag, a summary, described responses', () => {
    const ids = operations(committed).map(({ operation }) => operation.operationId)
    assert.equal(new Set(ids).size, ids.length)
    for (const { name, operation } of operations(committed)) {
      assert.match(operation.operationId ?? '', /^[a-z][A-Za-z]+$/, name)
      assert.equal(operation.tags?.length, 1, name)
      assert.ok((operation.summary ?? '').length > 3, name)
      for (const [status, response] of Object.entries(operation.responses)) {
        assert.ok((response.description ?? '').length > 3, `${name} ${status}`)
        assert.equal(
          Boolean(response.content?.['application/json']),
          !isRedirect(status),
          `${name} ${status}`,
        )
      }
    }
  })

  for (const [name, { statuses, security }] of Object.entries(contract)) {
    test(`${name}: documents its security and status codes`, () => {
      const found = operations(committed).find((one) => one.name === name)
      assert.deepEqual(found?.operation.security, security)
      const documentedStatuses = Object.keys(found?.operation.responses ?? {}).map(Number)
      // POST /register is 403 if a hook of the app refuses the registration.
      const expected = name === 'POST /register' ? [...statuses, 403] : statuses
      assert.deepEqual(documentedStatuses.sort(), [...expected].sort())
    })
  }

  test('docs/openapi.json: documents which routes take forms and which only JSON', () => {
    const content = (path: string) =>
      Object.keys(committed.paths[path]?.post?.requestBody?.content ?? {}).sort()
    for (const path of ['/login', '/token', '/refresh', '/logout']) {
      assert.deepEqual(content(path), ['application/json', 'application/x-www-form-urlencoded'])
    }
    for (const path of [
      '/register',
      '/set-password',
      '/change-password',
      '/oauth/{provider}/link',
    ]) {
      assert.deepEqual(content(path), ['application/json'])
    }
    // Providers post a form.
    assert.ok(content('/oauth/{provider}/callback').includes('application/x-www-form-urlencoded'))
  })

  test('GET /oauth/{provider}/authorize: documents its parameters', () => {
    const { parameters = [] } = committed.paths['/oauth/{provider}/authorize']?.get ?? {}
    assert.deepEqual(
      parameters.map(({ name, in: place }) => `${place} ${name}`),
      ['query redirect_to', 'query remember_me', 'path provider'],
    )
  })

  test('docs/openapi.json: defines the session, CSRF and bearer security schemes', () => {
    assert.deepEqual(committed.components?.securitySchemes, {
      session: { type: 'apiKey', in: 'cookie', name: '__Host-crudauth_session' },
      csrf: { type: 'apiKey', in: 'header', name: 'X-CSRF-Token' },
      bearer: { type: 'http', scheme: 'bearer', bearerFormat: 'JWT' },
    })
  })
})

describe('the document of an app', () => {
  for (const version of ['3.0.3', '3.1.0']) {
    test(`OpenAPI ${version}: valid with a prefix, tokens, email, OAuth, extra fields, a custom transport`, async (t) => {
      const { document } = await documented(t, {
        openapi: { openapi: version, info: { title: 'App', version: '1' } },
        auth: {
          prefix: '/auth',
          transports: [sessionTransport({ managementRoutes: true }), bearerTransport(), apiKey],
          email: { sender: { send() {} }, frontendUrl: 'https://app.example.com' },
          oauth: {
            baseUrl: 'https://app.example.com',
            providers: { github: github({ clientId: 'app', clientSecret: 'x' }) },
          },
          registration: {
            extraFields: ['plan', 'age'],
            schema: {
              type: 'object',
              properties: {
                plan: { type: 'string', enum: ['free', 'gold'] },
                username: { minLength: 3 },
              },
            },
          },
        },
        routes: (app) => void app.get('/own', { onRequest: app.currentUser() }, async () => 'in'),
      })
      assert.equal(document.openapi, version)
      await isValid(document)
      for (const path of [
        'sessions/{session_id}',
        'token',
        'refresh',
        'email/verify-request',
        'oauth/{provider}/link',
      ])
        assert.ok(document.paths[`/auth/${path}`], path)
    })
  }

  test('OpenAPI: valid with the default settings of @fastify/swagger', async (t) => {
    const { document } = await documented(t, { openapi: {} })
    await isValid(document)
  })

  test('security: shared routes list every transport, session routes only the session', async (t) => {
    const { document } = await documented(t, {
      auth: {
        transports: [sessionTransport({ managementRoutes: true }), bearerTransport(), apiKey],
      },
    })
    assert.deepEqual(document.paths['/me']?.get?.security, [
      { session: [] },
      { bearer: [] },
      { key: [] },
    ])
    assert.deepEqual(document.paths['/change-password']?.post?.security, [
      { session: [], csrf: [] },
      { bearer: [] },
      { key: [] },
    ])
    assert.deepEqual(document.paths['/sessions']?.get?.security, [{ session: [] }])
    for (const path of ['/token', '/refresh'])
      assert.deepEqual(document.paths[path]?.post?.security, [], path)
    assert.deepEqual(document.components?.securitySchemes?.bearer, {
      type: 'http',
      scheme: 'bearer',
      bearerFormat: 'JWT',
    })
    assert.deepEqual(document.components?.securitySchemes?.key, apiKey.securityScheme)
  })

  test('security: without CSRF there is no CSRF scheme, and a renamed cookie is documented', async (t) => {
    const { document } = await documented(t, {
      auth: {
        transports: [
          sessionTransport({ csrf: false, cookies: { secure: false, names: { session: 'sid' } } }),
        ],
      },
    })
    assert.deepEqual(document.components?.securitySchemes, {
      session: { type: 'apiKey', in: 'cookie', name: 'sid' },
    })
    assert.deepEqual(document.paths['/logout']?.post?.security, [{ session: [] }])
  })

  test('POST /register: the documented body includes the extraFields', async (t) => {
    const { document } = await documented(t, {
      auth: {
        registration: {
          extraFields: ['plan'],
          schema: { type: 'object', properties: { plan: { type: 'string' } } },
        },
      },
    })
    const body = document.paths['/register']?.post?.requestBody?.content['application/json'] as {
      schema: { properties: object; required: string[] }
    }
    assert.deepEqual(Object.keys(body.schema.properties).sort(), [
      'email',
      'password',
      'plan',
      'username',
    ])
    assert.deepEqual([...body.schema.required].sort(), ['email', 'password', 'username'])
  })

  test('security: a scheme of the app with the same name is kept', async (t) => {
    const mine = { type: 'apiKey', in: 'cookie', name: 'mine' } as const
    const { document } = await documented(t, {
      openapi: { openapi: '3.1.0', components: { securitySchemes: { session: mine } } },
    })
    assert.deepEqual(document.components?.securitySchemes?.session, mine)
    assert.ok(document.components?.securitySchemes?.csrf)
  })

  test('with routes: false, the document has no paths of the plugin', async (t) => {
    const { document } = await documented(t, { auth: { routes: false } })
    assert.deepEqual(document.paths, {})
    await isValid(document)
  })
})

for (const order of ['swagger first', 'auth first'] as const) {
  describe(`the app’s own guarded routes, ${order}`, () => {
    const operation = async (
      t: Parameters<typeof documented>[0],
      routes: (app: FastifyInstance) => void,
      auth = {},
    ) => {
      const { document, app } = await documented(t, {
        order,
        routes,
        auth: { transports: [sessionTransport({ scopes: ['a'] }), apiKey], ...auth },
      })
      await isValid(document)
      const one = Object.values(document.paths['/own'] ?? {})[0]
      assert.ok(one, 'the route is documented')
      return { one, app, document }
    }
    const statuses = (one: Operation) => Object.keys(one.responses)

    test('guarded routes: document security and 401, and 403 if the gate can forbid', async (t) => {
      const cases: [(app: FastifyInstance) => object, 'GET' | 'POST', object[], string[]][] = [
        [
          (app) => ({ onRequest: app.currentUser() }),
          'GET',
          [{ session: [] }, { key: [] }],
          ['200', '401'],
        ],
        [
          (app) => ({ preValidation: [app.currentUser()] }),
          'POST',
          [{ session: [], csrf: [] }, { key: [] }],
          ['200', '401', '403'],
        ],
        [
          (app) => ({ preHandler: [async () => {}, app.requireSudo] }),
          'GET',
          [{ session: [] }, { key: [] }],
          ['200', '401', '403'],
        ],
        [
          () => ({ preHandler: currentUser({ scopes: ['a'] }) }),
          'GET',
          [{ session: [] }, { key: [] }],
          ['200', '401', '403'],
        ],
        [
          (app) => ({ onRequest: app.currentUser({ transport: 'key' }) }),
          'POST',
          [{ key: [] }],
          ['200', '401'],
        ],
        [
          (app) => ({ onRequest: app.currentUser({ transport: 'session' }) }),
          'POST',
          [{ session: [], csrf: [] }],
          ['200', '401', '403'],
        ],
        // A tampered credential is refused even there. A tampered session cookie is ignored.
        [
          (app) => ({ onRequest: app.currentUser({ optional: true }) }),
          'GET',
          [{ session: [] }, { key: [] }, {}],
          ['200', '401'],
        ],
        [
          (app) => ({ onRequest: app.currentUser({ optional: true, transport: 'session' }) }),
          'GET',
          [{ session: [] }, {}],
          ['200'],
        ],
        [
          (app) => ({
            onRequest: app.currentUser({ optional: true }),
            preHandler: app.currentUser(),
          }),
          'GET',
          [{ session: [] }, { key: [] }],
          ['200', '401'],
        ],
      ]
      for (const [gate, method, security, expected] of cases) {
        const { one } = await operation(
          t,
          (app) => void app.route({ method, url: '/own', ...gate(app), handler: async () => 'in' }),
        )
        assert.deepEqual(one.security, security)
        assert.deepEqual(statuses(one), expected)
      }
    })

    test('guarded routes: the app’s summary, tags, security and responses are kept', async (t) => {
      const schema = {
        summary: 'Mine',
        tags: ['own'],
        security: [{ key: [] }],
        response: {
          200: { description: 'Fine', type: 'object', properties: { a: { type: 'string' } } },
          401: { description: 'My 401', type: 'null' },
        },
      }
      const { one } = await operation(
        t,
        (app) =>
          void app.get('/own', { onRequest: app.currentUser(), schema }, async () => ({ a: 'b' })),
      )
      assert.equal(one.summary, 'Mine')
      assert.deepEqual(one.tags, ['own'])
      assert.deepEqual(one.security, [{ key: [] }])
      assert.equal(one.responses['401']?.description, 'My 401')
      assert.equal(one.responses['200']?.description, 'Fine')
    })

    test('guarded routes: schema and config objects shared with other routes are not modified', async (t) => {
      const schema = { summary: 'Shared', response: { 200: { type: 'string', description: 'ok' } } }
      const before = JSON.stringify(schema)
      const config = Object.freeze({ mine: 1 })
      const { document } = await operation(t, (app) => {
        app.get('/own', { onRequest: app.currentUser(), schema, config } as never, async () => 'in')
        app.get('/open', { schema, config } as never, async () => 'in')
      })
      assert.equal(document.paths['/open']?.get?.security, undefined)
      assert.deepEqual(Object.keys(document.paths['/open']?.get?.responses ?? {}), ['200'])
      assert.equal(JSON.stringify(schema), before)
    })

    test('guarded routes: their own swaggerTransform still runs', async (t) => {
      let called = 0
      const swaggerTransform = ({ schema, url }: { schema: object; url: string }) => {
        called++
        return { schema: { ...schema, summary: 'Transformed' }, url }
      }
      const { one } = await operation(
        t,
        (app) =>
          void app.get(
            '/own',
            { onRequest: app.currentUser(), config: { swaggerTransform } as never },
            async () => 'in',
          ),
      )
      assert.ok(called > 0)
      assert.equal(one.summary, 'Transformed')
      assert.deepEqual(one.security, [{ session: [] }, { key: [] }])
    })

    test('guarded routes: a route with schema.hide stays hidden', async (t) => {
      const { document } = await documented(t, {
        order,
        routes: (app) =>
          void app.get(
            '/own',
            { onRequest: app.currentUser(), schema: { hide: true } as never },
            async () => 'in',
          ),
      })
      assert.equal(document.paths['/own'], undefined)
    })

    test('guarded routes: the documented responses do not filter what the app sends', async (t) => {
      const { app } = await documented(t, {
        order,
        routes(app) {
          app.get('/own', { onRequest: app.currentUser() }, async () => ({ any: { nested: [1] } }))
          app.get('/sends', { onRequest: app.currentUser() }, async (_request, reply) =>
            reply.code(401).send({ mine: true }),
          )
          app.get('/throws', { onRequest: app.currentUser({ superuser: true }) }, async () => 'in')
        },
      })
      refuses(await app.inject('/own'), 'CRUDAUTH_UNAUTHENTICATED')
      assert.deepEqual(Object.keys((await app.inject('/own')).json()).sort(), [
        'code',
        'error',
        'message',
        'statusCode',
      ])
      const client = await signedIn(app, 'ann')
      assert.deepEqual((await client.get('/own')).json(), { any: { nested: [1] } })
      assert.deepEqual((await client.get('/sends')).json(), { mine: true })
      refuses(await client.get('/throws'), 'CRUDAUTH_FORBIDDEN')
    })

    test('guarded routes: are documented with routes: false too', async (t) => {
      const { one } = await operation(
        t,
        (app) => void app.get('/own', { onRequest: app.currentUser() }, async () => 'in'),
        {
          routes: false,
        },
      )
      assert.deepEqual(statuses(one), ['200', '401'])
    })

    test('guarded routes: schemas of another library are left to the app’s own transform', async (t) => {
      class Foreign {
        readonly shape = 'not JSON Schema'
      }
      const { document } = await documented(t, {
        order,
        auth: { routes: false },
        swagger: { transform: ({ url }) => ({ schema: { summary: 'By the app' }, url }) },
        routes(app) {
          app.setValidatorCompiler(() => () => true)
          app.get(
            '/own',
            { onRequest: app.currentUser(), schema: { querystring: new Foreign() } },
            async () => 'in',
          )
        },
      })
      assert.equal(document.paths['/own']?.get?.summary, 'By the app')
    })
  })
}

describe('the plugin’s own routes', () => {
  test('plugin routes: documented even if the app’s transform throws', async (t) => {
    const transform = () => {
      throw new Error('unsupported schema')
    }
    const { document } = await documented(t, { swagger: { transform } })
    assert.ok(document.paths['/login'])
    await isValid(document)
  })

  test('plugin routes: missing, with a warning, if @fastify/swagger is registered later', async (t) => {
    const late = await documented(t, { order: 'auth first' })
    assert.equal(late.document.paths['/login'], undefined)
    assert.ok(late.warned)
    const early = await documented(t)
    assert.ok(early.document.paths['/login'])
    assert.ok(!early.warned)
  })

  test('plugin routes: a group mounted after @fastify/swagger is documented without a warning', async (t) => {
    const late = await documented(t, {
      order: 'auth first',
      auth: { routes: false },
      routes: (app) => void app.register(sessionRoutes, { prefix: '/web' }),
    })
    assert.ok(late.document.paths['/web/login'])
    assert.ok(!late.warned)
  })

  test('plugin routes: no warning without @fastify/swagger', async (t) => {
    const { lines, logger } = captureLogs('warn')
    const app = Fastify({ logger })
    t.after(() => app.close())
    await app.register(crudAuth, authOptions())
    await app.ready()
    assert.ok(!lines.some((line) => line.includes('swagger')))
  })
})

describe('app.crudAuth.securitySchemes()', () => {
  test('app.crudAuth.securitySchemes: returns a copy of the schemes', async (t) => {
    const { app } = await documented(t, { auth: { transports: [sessionTransport(), apiKey] } })
    const schemes = app.crudAuth.securitySchemes()
    assert.deepEqual(Object.keys(schemes).sort(), ['csrf', 'key', 'session'])
    delete schemes.session
    assert.ok(app.crudAuth.securitySchemes().session)
  })
})

describe('securitySchemes()', () => {
  const settings: [what: string, options: Pick<CrudAuthOptions, 'transports' | 'cookies'>][] = [
    ['defaults', {}],
    ['another transport', { transports: [apiKey, sessionTransport()] }],
    ['no session', { transports: [apiKey] }],
    ['bearer tokens', { transports: [sessionTransport(), bearerTransport()] }],
    ['CSRF off', { transports: [sessionTransport({ csrf: false })] }],
    ['insecure cookies of another name', { cookies: { secure: false, names: { session: 'sid' } } }],
    [
      'cookies of the transport’s own',
      {
        cookies: { path: '/a' },
        transports: [sessionTransport({ cookies: { path: '/', names: { session: 's' } } })],
      },
    ],
  ]
  for (const [what, options] of settings) {
    test(`securitySchemes: equals the schemes of an app with the same options: ${what}`, async (t) => {
      const { app } = await documented(t, { auth: { transports: undefined, ...options } })
      assert.deepEqual(securitySchemes(options), app.crudAuth.securitySchemes())
    })
  }

  test('securitySchemes: an invalid option throws CRUDAUTH_CONFIG', () => {
    assert.throws(() => securitySchemes({ cookies: { sameSite: 'none' } }), {
      code: 'CRUDAUTH_CONFIG',
    })
  })
})
