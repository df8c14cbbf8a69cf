import assert from 'node:assert/strict'
import { test } from 'node:test'
import Fastify from 'fastify'
import {
  bearerRoutes,
  bearerTransport,
  type CrudAuthOptions,
  crudAuth,
  memoryUsers,
  sessionTransport,
} from '../../src/index.js'
import { answers } from '../helpers/answers.js'
import {
  asBearer,
  askRefresh,
  askToken,
  bearerApp,
  pairFor,
  postJson,
  signedInBearer,
} from '../helpers/bearer.js'
import { build, cheap, password, secret } from '../helpers/build.js'
import { Client } from '../helpers/client.js'

const pair = pairFor('EdDSA')
const other = pairFor('ES256')
const publicOnly = [{ kid: 'k', alg: 'EdDSA', publicKey: pair.publicKey }] as const
const withPrivate = [
  ...publicOnly,
  { kid: 'p', alg: 'ES256', privateKey: other.privateKey },
] as const
const jwksUrl = '/.well-known/jwks.json'

test('verify-only app: no /token or /refresh; bearer tokens, sessions and JWKS work', async (t) => {
  const users = memoryUsers()
  const issuing = await bearerApp(
    t,
    null,
    { keys: [{ kid: 'k', alg: 'EdDSA', privateKey: pair.privateKey }] },
    { users },
  )
  const { access_token } = await signedInBearer(issuing)
  const transports = [
    sessionTransport(),
    bearerTransport({ refresh: 'body', keys: publicOnly, jwks: true }),
  ]
  const app = await build(t, { auth: { users, transports } })
  assert.equal((await askToken(app)).statusCode, 404)
  assert.equal((await askRefresh(app, 'x')).statusCode, 404)
  answers(await asBearer(app, access_token), 200)
  answers(await new Client(app).login('ann'), 200)
  const { keys } = (await app.inject(jwksUrl)).json()
  assert.deepEqual(
    keys.map((key: { kid: string }) => key.kid),
    ['k'],
  )
})

test('verify-only app: bearer routes requested explicitly fail at start-up', async (t) => {
  const transports = [bearerTransport({ keys: publicOnly })]
  const named = async () => {
    const app = Fastify()
    t.after(() => app.close())
    await app.register(crudAuth, {
      secret,
      users: memoryUsers(),
      transports,
      routes: ['account', 'bearer'],
    })
  }
  await assert.rejects(named, { code: 'CRUDAUTH_CONFIG', message: /"bearer".*privateKey/ })
  const byHand = (routes: boolean) =>
    build(t, {
      auth: { transports, routes },
      routes: async (app) => void (await app.register(bearerRoutes, { prefix: '/x' })),
    })
  for (const routes of [true, false])
    await assert.rejects(() => byHand(routes), { code: 'CRUDAUTH_CONFIG', message: /privateKey/ })
})

test('bearer routes: one private key in the list is enough', async (t) => {
  const app = await bearerApp(t, null, { keys: withPrivate }, { routes: ['account', 'bearer'] })
  answers(await asBearer(app, (await signedInBearer(app)).access_token), 200)
})

test('JWKS: served at the root with jwks: true, whatever the routes option', async (t) => {
  const routes: CrudAuthOptions['routes'][] = [true, false, ['account'], ['bearer'], []]
  for (const keys of [publicOnly, withPrivate]) {
    for (const mounted of routes) {
      if (keys === publicOnly && Array.isArray(mounted) && mounted.includes('bearer')) continue
      for (const jwks of [true, false]) {
        const transports = [bearerTransport({ keys, jwks })]
        const app = await build(t, { auth: { prefix: '/auth', transports, routes: mounted } })
        const what = `${JSON.stringify(mounted)}, jwks: ${jwks}`
        assert.equal((await app.inject(jwksUrl)).statusCode, jwks ? 200 : 404, what)
        assert.equal((await app.inject(`/auth${jwksUrl}`)).statusCode, 404, what)
      }
    }
  }
})

test('JWKS: served at the root if bearerRoutes is registered separately', async (t) => {
  const transports = [bearerTransport({ keys: withPrivate, jwks: true, refresh: 'body' })]
  const app = Fastify()
  t.after(() => app.close())
  await app.register(crudAuth, {
    secret,
    users: memoryUsers(),
    transports,
    routes: false,
    passwords: { cost: cheap },
  })
  await app.register(bearerRoutes, { prefix: '/api' })
  await app.ready()
  assert.equal((await app.inject(jwksUrl)).statusCode, 200)
  assert.equal(
    (await postJson(app, '/api/token', { username: 'nobody', password })).statusCode,
    401,
  )
})
