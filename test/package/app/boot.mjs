// A whole visit in an app that has nothing but the installed package and Fastify.
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import Fastify from 'fastify'
import crudAuth, { memoryUsers, oidc, sessionTransport } from 'fastify-crudauth'

const app = Fastify()
await app.register(crudAuth, {
  secret: randomBytes(48).toString('base64'),
  users: memoryUsers(),
  transports: [sessionTransport({ managementRoutes: true })],
  oauth: {
    baseUrl: 'https://app.example.com',
    providers: {
      // With these nothing is fetched before the callback.
      google: oidc({
        issuer: 'https://login.example.com',
        authorizationEndpoint: 'https://login.example.com/authorize',
        tokenEndpoint: 'https://login.example.com/token',
        jwksUri: 'https://login.example.com/jwks',
        clientId: 'app',
        clientSecret: 'never sent',
      }),
    },
  },
})
app.get('/mine', { preHandler: app.currentUser() }, async (request) => ({
  id: request.principal.userId,
}))

const password = 'a quite unlikely passphrase'
const registered = await app.inject({
  method: 'POST',
  url: '/register',
  payload: { email: 'ada@example.com', username: 'ada', password },
})
assert.equal(registered.statusCode, 201, registered.body)

const login = await app.inject({
  method: 'POST',
  url: '/login',
  headers: { 'content-type': 'application/x-www-form-urlencoded' },
  payload: new URLSearchParams({ username: 'ada@example.com', password }).toString(),
})
assert.equal(login.statusCode, 200, login.body)
const cookie = login.cookies.map(({ name, value }) => `${name}=${value}`).join('; ')

const me = await app.inject({ url: '/me', headers: { cookie } })
assert.equal(me.statusCode, 200, me.body)
assert.equal(me.json().username, 'ada')
assert.equal(me.json().via, 'session')

const mine = await app.inject({ url: '/mine', headers: { cookie } })
assert.deepEqual(mine.json(), { id: registered.json().id })
assert.equal((await app.inject('/mine')).statusCode, 401)

const sessions = await app.inject({ url: '/sessions', headers: { cookie } })
assert.equal(sessions.json().length, 1, sessions.body)

const begun = await app.inject('/oauth/google/authorize')
assert.equal(begun.statusCode, 302, begun.body)
const authorization = new URL(begun.headers.location)
assert.equal(authorization.host, 'login.example.com')
assert.equal(
  authorization.searchParams.get('redirect_uri'),
  'https://app.example.com/oauth/google/callback',
)
const refused = await app.inject('/oauth/google/callback?code=x&state=y')
assert.equal(refused.statusCode, 302, refused.body)
assert.equal(refused.headers.location, '/?error=invalid_state')

const headers = { cookie, 'x-csrf-token': login.json().csrf_token }
assert.equal(
  (await app.inject({ method: 'POST', url: '/logout', headers: { cookie } })).statusCode,
  403,
)
assert.equal((await app.inject({ method: 'POST', url: '/logout', headers })).statusCode, 200)
assert.equal((await app.inject({ url: '/me', headers: { cookie } })).statusCode, 401)
await app.close()
