import assert from 'node:assert/strict'
import { request } from 'node:http'
import { type TestContext, test } from 'node:test'
import swagger from '@fastify/swagger'
import Fastify, { type FastifyServerOptions } from 'fastify'
import crudAuth, { memoryUsers, oauthRoutes, sessionTransport } from '../../src/index.js'
import { secret as appSecret, captureLogs, cheap } from '../helpers/build.js'
import { listen } from '../helpers/hostile.js'
import { ada, Browser, baseUrl, buildOAuth, fields, landsOn, startAcme } from '../helpers/oauth.js'
import { refuses } from '../helpers/refuses.js'

/** An authorization code in the callback URL is never logged, whatever the method or path. */
const secret = 'secret-code-of-the-callback'
const query = `code=${secret}&state=${secret}`

interface Answer {
  readonly status: number
  readonly text: string
}

/** A real server's responses, and what it logs meanwhile. */
async function setUp(t: TestContext, fastify: FastifyServerOptions = {}, posts = false) {
  const { lines, logger } = captureLogs('trace')
  const provider = posts && {
    ...(await startAcme(t)).provider(),
    responseMode: 'form_post' as const,
  }
  const { app } = await buildOAuth(t, {
    fastify: { ...fastify, logger },
    ...(provider && { providers: { acme: provider } }),
  })
  const port = await listen(app)
  const send = (method: string, path: string) =>
    new Promise<Answer>((resolve, reject) => {
      const sent = request({ port, host: '127.0.0.1', method, path, agent: false }, (response) => {
        let body = ''
        response.setEncoding('utf8').on('data', (text) => {
          body += text
        })
        response.on('end', () => {
          resolve({
            status: response.statusCode ?? 0,
            text: `${JSON.stringify(response.headers)} ${body}`,
          })
        })
      })
      sent.on('error', reject)
      sent.end()
    })
  /** Asserts that the request is logged and the code is neither in the log nor in the response. */
  const keepsSecret = async (method: string, path: string) => {
    lines.length = 0
    const answer = await send(method, path)
    const what = `${method} ${path}`
    // The last line is logged after the response.
    while (!lines.some((line) => line.includes('request completed')))
      await new Promise(setImmediate)
    const log = lines.join('')
    assert.match(log, /\/oauth\//i, `${what} is logged`)
    assert.ok(!log.includes(secret), `${what} is in the log: ${log}`)
    assert.ok(!answer.text.includes(secret), `${what} is in the response: ${answer.text}`)
    return answer
  }
  return { app, keepsSecret }
}

const methods = ['HEAD', 'OPTIONS', 'TRACE', 'PUT', 'PATCH', 'DELETE', 'POST'] as const
const deeper = ['/', '/a', '/a/b', '/%2e%2e'] as const

for (const provider of ['acme', 'unknown']) {
  test(`callback of ${provider}: other methods and sub-paths are 404, and the code is not logged`, async (t) => {
    const { keepsSecret } = await setUp(t)
    for (const method of methods) {
      assert.equal(
        (await keepsSecret(method, `/oauth/${provider}/callback?${query}`)).status,
        404,
        method,
      )
    }
    for (const path of deeper) {
      for (const method of ['GET', ...methods]) {
        assert.equal(
          (await keepsSecret(method, `/oauth/${provider}/callback${path}?${query}`)).status,
          404,
          method + path,
        )
      }
    }
  })
}

test('form_post callback: other methods are 404, and a code in the query string is not logged', async (t) => {
  const { keepsSecret } = await setUp(t, {}, true)
  for (const method of methods.filter((method) => method !== 'POST')) {
    assert.equal((await keepsSecret(method, `/oauth/acme/callback?${query}`)).status, 404, method)
  }
  for (const path of ['/oauth/acme/callback', '/oauth/other/callback', '/oauth/acme/callback/']) {
    assert.ok((await keepsSecret('POST', `${path}?${query}`)).status >= 400, path)
  }
})

const base = '/oauth/acme/callback'
const routers = [
  {
    what: 'treats a semicolon as a question mark',
    routerOptions: { useSemicolonDelimiter: true, caseSensitive: true },
    paths: [`${base};${query}`, `${base};a=b?${query}`, `${base}/;${query}`],
  },
  {
    what: 'ignores case and duplicate slashes',
    routerOptions: {
      ignoreTrailingSlash: true,
      ignoreDuplicateSlashes: true,
      caseSensitive: false,
    },
    paths: [
      `${base}/?${query}`,
      `/oauth//acme///callback?${query}`,
      `/OAUTH/acme/CALLBACK?${query}`,
    ],
  },
]

for (const { what, routerOptions, paths } of routers) {
  test(`callback: the code is not logged when the router ${what}`, async (t) => {
    const { app, keepsSecret } = await setUp(t, { routerOptions })
    for (const path of [...paths, `${base}?${query}`]) {
      for (const method of ['GET', ...methods]) {
        const { status } = await keepsSecret(method, path)
        assert.ok(
          status === 404 || (method === 'GET' && status === 302),
          `${method} ${path}: ${status}`,
        )
      }
    }
    landsOn(await new Browser(app).signIn(ada), '/start')
  })
}

test('callback: other methods are 404 despite an app-wide gate, and not in the OpenAPI document', async (t) => {
  const app = Fastify()
  t.after(() => app.close())
  await app.register(swagger, { openapi: { info: { title: 'App', version: '1' } } })
  await app.register(crudAuth, {
    secret: appSecret,
    users: memoryUsers({ fields }),
    transports: [sessionTransport()],
    passwords: { cost: cheap },
    routes: ['session'],
    oauth: { baseUrl, providers: { acme: (await startAcme(t)).provider() } },
  })
  app.addHook('onRequest', app.currentUser())
  await app.register(oauthRoutes)
  await app.ready()
  for (const url of [`/oauth/acme/callback?${query}`, `/oauth/acme/callback/?${query}`]) {
    refuses(await app.inject({ method: 'PUT', url }), 'CRUDAUTH_NOT_FOUND')
  }
  refuses(await app.inject('/oauth/accounts'), 'CRUDAUTH_UNAUTHENTICATED')
  const { paths } = app.swagger() as unknown as { paths: Record<string, object> }
  assert.deepEqual(
    Object.keys(paths).filter((path) => path.includes('/callback')),
    ['/oauth/{provider}/callback'],
  )
  assert.deepEqual(Object.keys(paths['/oauth/{provider}/callback'] ?? {}), ['get'])
})
