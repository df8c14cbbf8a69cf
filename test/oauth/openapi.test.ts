import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import swagger from '@fastify/swagger'
import { Validator } from '@seriousme/openapi-schema-validator'
import Fastify from 'fastify'
import crudAuth, {
  type CrudAuthOptions,
  google,
  memoryUsers,
  sessionTransport,
} from '../../src/index.js'
import { cheap, secret } from '../helpers/build.js'
import { baseUrl, fields } from '../helpers/oauth.js'

interface Operation {
  readonly operationId: string
  readonly summary: string
  readonly tags: string[]
  readonly security: object[]
  readonly parameters?: { name: string; in: string; required?: boolean }[]
  readonly responses: Record<
    string,
    { description: string; content?: Record<string, { schema: unknown }> }
  >
  readonly requestBody?: { required?: boolean; content: Record<string, unknown> }
}

const acme = google({ clientId: 'app', clientSecret: 's' })

async function documented(t: TestContext, auth: Partial<CrudAuthOptions> = {}, version = '3.1.0') {
  const app = Fastify()
  t.after(() => app.close())
  await app.register(swagger, {
    openapi: { openapi: version, info: { title: 'App', version: '1' } },
  })
  await app.register(crudAuth, {
    secret,
    users: memoryUsers({ fields }),
    transports: [sessionTransport()],
    passwords: { cost: cheap },
    oauth: { baseUrl, providers: { acme } },
    ...auth,
  })
  await app.ready()
  const document = app.swagger() as unknown as { paths: Record<string, Record<string, Operation>> }
  const found = Object.entries(document.paths)
    .filter(([path]) => path.includes('/oauth/'))
    .flatMap(([path, methods]) =>
      Object.entries(methods).map(([method, one]) => [`${method.toUpperCase()} ${path}`, one]),
    )
  return { document, operations: Object.fromEntries(found) as Record<string, Operation> }
}

/** The documented statuses and security requirements of each route. */
const contract: Record<string, { statuses: number[]; security: object[] }> = {
  'GET /oauth/{provider}/authorize': { statuses: [302, 400, 404, 414, 429, 503], security: [] },
  'GET /oauth/{provider}/callback': { statuses: [302, 400, 404, 414, 503], security: [] },
  'POST /oauth/{provider}/link': {
    statuses: [200, 400, 401, 403, 404, 409, 413, 414, 415, 503],
    security: [{ session: [], csrf: [] }],
  },
  'DELETE /oauth/{provider}': {
    statuses: [200, 400, 401, 403, 404, 409, 413, 414, 415, 503],
    security: [{ session: [], csrf: [] }],
  },
  'GET /oauth/accounts': { statuses: [200, 401, 503], security: [{ session: [] }] },
}

for (const version of ['3.0.3', '3.1.0']) {
  test(`OpenAPI ${version}: every OAuth route documents its security and responses`, async (t) => {
    const { document, operations } = await documented(t, {}, version)
    const result = await new Validator().validate(structuredClone(document) as never)
    assert.ok(result.valid, JSON.stringify(result).slice(0, 1000))
    assert.deepEqual(Object.keys(operations).sort(), Object.keys(contract).sort())
    for (const [name, { statuses, security }] of Object.entries(contract)) {
      const operation = operations[name] as Operation
      assert.deepEqual(operation.security, security, name)
      assert.deepEqual(Object.keys(operation.responses).map(Number), statuses, name)
      assert.deepEqual(operation.tags, ['oauth'])
      assert.match(operation.operationId, /^oauth[A-Z][A-Za-z]+$/)
      for (const { description } of Object.values(operation.responses))
        assert.ok(description.length > 3, name)
    }
    assert.equal(new Set(Object.values(operations).map(({ operationId }) => operationId)).size, 5)
  })
}

test('OpenAPI: authorize documents its query parameters, the callback none', async (t) => {
  const { operations } = await documented(t)
  const names = (name: string) =>
    (operations[name]?.parameters ?? []).map((one) => `${one.in} ${one.name}`).sort()
  assert.deepEqual(names('GET /oauth/{provider}/authorize'), [
    'path provider',
    'query redirect_to',
    'query remember_me',
  ])
  assert.deepEqual(names('GET /oauth/{provider}/callback'), ['path provider'])
  const { 302: redirect } = operations['GET /oauth/{provider}/authorize']?.responses ?? {}
  assert.equal(redirect?.content, undefined)
  assert.deepEqual(
    Object.keys(operations['POST /oauth/{provider}/link']?.requestBody?.content ?? {}),
    ['application/json'],
  )
})

test('OpenAPI: a form_post provider adds the POST callback with a form body', async (t) => {
  const { operations } = await documented(t, {
    prefix: '/auth',
    oauth: { baseUrl, providers: { acme: { ...acme, responseMode: 'form_post' } } },
  })
  const posted = operations['POST /auth/oauth/{provider}/callback']
  assert.deepEqual(Object.keys(posted?.responses ?? {}).map(Number), [303, 400, 404, 413, 414, 415])
  assert.deepEqual(posted?.security, [])
  assert.ok(
    Object.keys(posted?.requestBody?.content ?? {}).includes('application/x-www-form-urlencoded'),
  )
  assert.equal(Object.keys(operations).length, 6)
})

test('OpenAPI: no OAuth routes without the oauth option or its route group', async (t) => {
  assert.deepEqual((await documented(t, { oauth: undefined })).operations, {})
  assert.deepEqual((await documented(t, { routes: ['session'] })).operations, {})
})
