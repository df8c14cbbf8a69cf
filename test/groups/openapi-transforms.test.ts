import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import swagger, { type FastifyDynamicSwaggerOptions } from '@fastify/swagger'
import Fastify, { type FastifyInstance } from 'fastify'
import crudAuth, {
  bearerTransport,
  type CrudAuthOptions,
  memoryUsers,
  sessionTransport,
} from '../../src/index.js'
import { secret } from '../helpers/build.js'

interface Operation {
  readonly security?: object[]
  readonly summary?: string
  readonly requestBody?: object
  readonly responses: Record<string, { description: string }>
}

async function documentOf(
  t: TestContext,
  routes: (app: FastifyInstance) => void,
  {
    transform,
    order = 'swagger first',
    auth = {},
  }: {
    transform?: FastifyDynamicSwaggerOptions['transform']
    order?: 'swagger first' | 'auth first'
    auth?: Partial<CrudAuthOptions>
  } = {},
) {
  const app = Fastify()
  t.after(() => app.close())
  const document = () =>
    app.register(swagger, {
      openapi: { info: { title: 'App', version: '1' } },
      ...(transform && { transform }),
    })
  if (order === 'swagger first') await document()
  await app.register(crudAuth, { secret, users: memoryUsers(), ...auth })
  if (order === 'auth first') await document()
  routes(app)
  await app.ready()
  return app.swagger() as unknown as {
    paths: Record<string, Record<string, Operation>>
    components: { securitySchemes: Record<string, object> }
  }
}

class Foreign {
  readonly shape = 'not JSON Schema'
}

for (const order of ['swagger first', 'auth first'] as const) {
  for (const routes of [true, false]) {
    test(`${order}, routes ${routes}: the app's transform sees guarded routes and can hide them`, async (t) => {
      const seen: string[] = []
      const { paths, components } = await documentOf(
        t,
        (app) => {
          app.get('/internal/guarded', { onRequest: app.currentUser() }, async () => 'in')
          app.get('/guarded', { onRequest: app.currentUser() }, async () => 'in')
        },
        {
          order,
          auth: { routes },
          transform({ schema, url }) {
            seen.push(url)
            return { schema: { ...schema, hide: url.startsWith('/internal/') } as object, url }
          },
        },
      )
      assert.deepEqual(seen.filter((url) => url.endsWith('guarded')).sort(), [
        '/guarded',
        '/internal/guarded',
      ])
      assert.equal(paths['/internal/guarded'], undefined)
      assert.deepEqual(paths['/guarded']?.get?.security, [{ session: [] }])
      assert.ok(paths['/guarded']?.get?.responses['401'])
      assert.ok(components.securitySchemes.session)
      assert.equal(paths['/crudauth-security-schemes'], undefined)
    })

    test(`${order}, routes ${routes}: a guarded route with another schema library gets security, no responses`, async (t) => {
      const { paths } = await documentOf(
        t,
        (app) => {
          app.setValidatorCompiler(() => () => true)
          app.get(
            '/foreign',
            { onRequest: app.currentUser(), schema: { querystring: new Foreign() } },
            async () => 'in',
          )
        },
        {
          order,
          auth: { routes },
          transform({ schema, url }) {
            const { querystring, response, ...rest } = (schema ?? {}) as Record<string, unknown>
            if (url === '/foreign') assert.equal(response, undefined)
            return { schema: rest, url }
          },
        },
      )
      assert.deepEqual(paths['/foreign']?.get?.security, [{ session: [] }])
    })
  }
}

test('rateLimit: adds 429 to the documented responses, alone and beside a gate', async (t) => {
  const { paths } = await documentOf(t, (app) => {
    const limit = app.crudAuth.rateLimit('own', { max: 3, windowSeconds: 60 })
    app.get('/limited', { onRequest: limit }, async () => 'in')
    app.post('/both', { onRequest: [app.currentUser(), limit] }, async () => 'in')
  })
  assert.deepEqual(Object.keys(paths['/limited']?.get?.responses ?? {}), ['200', '429'])
  assert.equal(paths['/limited']?.get?.security, undefined)
  assert.deepEqual(Object.keys(paths['/both']?.post?.responses ?? {}), ['200', '401', '403', '429'])
})

for (const refresh of ['cookie', 'body'] as const) {
  test(`POST /refresh, token in the ${refresh}: documents ${refresh === 'cookie' ? 'no' : 'a'} body`, async (t) => {
    const transports = [sessionTransport(), bearerTransport({ refresh })]
    const { paths } = await documentOf(t, () => {}, { auth: { transports } })
    assert.equal(paths['/refresh']?.post?.requestBody !== undefined, refresh === 'body')
  })
}
