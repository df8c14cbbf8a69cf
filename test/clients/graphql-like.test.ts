import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import { bearerTransport, sessionTransport } from '../../src/index.js'
import {
  askRefresh,
  authorization,
  claimsOf,
  forge,
  headerOf,
  postJson,
  signedInBearer,
} from '../helpers/bearer.js'
import { build, password } from '../helpers/build.js'
import { Client, signedIn } from '../helpers/client.js'
import { refuses } from '../helpers/refuses.js'

/**
 * Mounts one route for all operations, like a GraphQL server.
 * Resolvers read `maybePrincipal` and sign in with the app's own code.
 */
function mountApi(app: FastifyInstance): void {
  const operations: Record<
    string,
    (request: FastifyRequest, variables: Record<string, string>) => unknown
  > = {
    viewer: ({ maybePrincipal }) =>
      maybePrincipal && { id: maybePrincipal.userId, via: maybePrincipal.transport },
    secrets({ maybePrincipal }) {
      if (!maybePrincipal?.hasScopes('secrets:read'))
        throw Object.assign(new Error('forbidden'), { extension: 'FORBIDDEN' })
      return ['42']
    },
    async signIn(request, { username = '', password = '', scope = '' }) {
      const user = await app.crudAuth.authenticatePassword(request, username, password)
      return app.crudAuth.issueTokens(user, { scopes: scope.split(' '), request })
    },
  }
  app.post('/graphql', { onRequest: app.currentUser({ optional: true }) }, async (request) => {
    const { operation, variables = {} } = request.body as {
      operation: string
      variables?: Record<string, string>
    }
    const resolve = Object.hasOwn(operations, operation) ? operations[operation] : undefined
    try {
      return { data: (await resolve?.(request, variables)) ?? null }
    } catch (error) {
      const { code, extension } = error as { code?: string; extension?: string }
      return { data: null, errors: [{ code: code ?? extension }] }
    }
  })
}

const start = (t: TestContext) =>
  build(t, {
    auth: {
      transports: [
        bearerTransport({ refresh: 'body', grantableScopes: ['secrets:read'] }),
        sessionTransport(),
      ],
    },
    routes: mountApi,
  })

const ask = async (
  app: FastifyInstance,
  operation: string,
  variables: object = {},
  headers: Record<string, string> = {},
) => (await postJson(app, '/graphql', { operation, variables }, headers)).json()

test('GraphQL-like route: distinguishes anonymous, bearer and session callers', async (t) => {
  const app = await start(t)
  const { access_token } = await signedInBearer(app, 'ann', { scope: 'secrets:read' })
  const bob = await signedIn(app, 'bob')
  const header = authorization(access_token)
  assert.deepEqual(await ask(app, 'viewer'), { data: null })
  assert.deepEqual(await ask(app, 'viewer', {}, header), { data: { id: 1, via: 'bearer' } })
  assert.deepEqual((await bob.post('/graphql', { operation: 'viewer' })).json(), {
    data: { id: 2, via: 'session' },
  })
  assert.deepEqual(await ask(app, 'secrets', {}, header), { data: ['42'] })
  assert.deepEqual(await ask(app, 'secrets'), { data: null, errors: [{ code: 'FORBIDDEN' }] })
  assert.deepEqual((await bob.post('/graphql', { operation: 'secrets' })).json().errors, [
    { code: 'FORBIDDEN' },
  ])
})

test('GraphQL-like route: an expired token is anonymous, a forged one or a wrong CSRF header fails', async (t) => {
  const app = await start(t)
  const { access_token } = await signedInBearer(app)
  const expired = forge(headerOf(access_token), { ...claimsOf(access_token), exp: 1 })
  assert.deepEqual(await ask(app, 'viewer', {}, authorization(expired)), { data: null })
  refuses(
    await postJson(app, '/graphql', { operation: 'viewer' }, authorization('forged')),
    'CRUDAUTH_INVALID_TOKEN',
  )
  const bob = await signedIn(app, 'bob')
  refuses(
    await bob.post('/graphql', { operation: 'viewer' }, { headers: { 'x-csrf-token': 'wrong' } }),
    'CRUDAUTH_CSRF',
  )
})

test('GraphQL-like route: a custom sign-in issues tokens and shares the lockout of /token', async (t) => {
  const app = await start(t)
  await new Client(app).register('ann')
  const { data } = await ask(app, 'signIn', {
    username: 'ann',
    password,
    scope: 'secrets:read admin',
  })
  assert.deepEqual(data.scopes, ['secrets:read'])
  assert.deepEqual(await ask(app, 'viewer', {}, authorization(data.accessToken)), {
    data: { id: 1, via: 'bearer' },
  })
  assert.equal((await askRefresh(app, data.refreshToken)).statusCode, 200)
  const [line] = await app.crudAuth.sessions.list(1)
  assert.equal(line?.ip, '127.0.0.1')
  for (let n = 0; n < 5; n++) {
    assert.deepEqual(
      (await ask(app, 'signIn', { username: 'ann', password: 'wrong password' })).errors,
      [{ code: 'CRUDAUTH_BAD_CREDENTIALS' }],
    )
  }
  assert.deepEqual((await ask(app, 'signIn', { username: 'ann', password })).errors, [
    { code: 'CRUDAUTH_LOCKED_OUT' },
  ])
  refuses(await postJson(app, '/token', { username: 'ann', password }), 'CRUDAUTH_LOCKED_OUT')
})
