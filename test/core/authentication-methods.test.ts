import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import type { FastifyRequest, LightMyRequestResponse } from 'fastify'
import { decodeJwt } from 'jose'
import { methodsOfClaim } from '../../src/core/principal/methods.js'
import { createClientRecords } from '../../src/core/sessions/client-record.js'
import { createKeyring } from '../../src/crypto/keys.js'
import { createSeal } from '../../src/crypto/seal.js'
import {
  type AuthenticationMethod,
  bearerTransport,
  type CrudAuthOptions,
  sessionTransport,
  type Transport,
} from '../../src/index.js'
import { answers } from '../helpers/answers.js'
import { backends } from '../helpers/backends.js'
import { asBearer, postJson } from '../helpers/bearer.js'
import { build, password, secret } from '../helpers/build.js'
import { Client } from '../helpers/client.js'
import { ada, Browser, buildOAuth } from '../helpers/oauth.js'
import { refuses } from '../helpers/refuses.js'

/** A route of the app answered 200. Returns the body. */
function succeeds(response: LightMyRequestResponse) {
  assert.equal(response.statusCode, 200, response.body)
  return response.json()
}

for (const backend of backends) {
  const setUp = async (t: TestContext, auth: Partial<CrudAuthOptions> = {}) => {
    const app = await build(t, {
      auth: {
        ...backend.options(),
        transports: [
          sessionTransport({ managementRoutes: true }),
          bearerTransport({ refresh: 'body' }),
        ],
        ...auth,
      },
      routes(app) {
        const onRequest = app.currentUser()
        app.get('/methods', { onRequest }, ({ principal }) => ({ amr: principal.amr }))
        app.get('/strong', { onRequest: app.currentUser({ mfa: true }) }, () => ({}))
        app.post('/hand/login', async (request, reply) => {
          const user = await app.crudAuth.authenticatePassword(request, 'ann', password)
          return app.crudAuth.completeLogin(request, reply, user, request.body as object)
        })
        app.post('/hand/tokens', async (request) => {
          const user = await app.crudAuth.authenticatePassword(request, 'ann', password)
          return app.crudAuth.issueTokens(user, request.body as object)
        })
      },
    })
    await new Client(app).register('ann')
    return app
  }
  const methodsBySession = async (client: Client) => (await client.get('/methods')).json().amr

  test(`${backend.name}: amr: a session started at /login has pwd`, async (t) => {
    const client = new Client(await setUp(t))
    await client.login('ann')
    assert.deepEqual(await methodsBySession(client), ['pwd'])
    refuses(await client.get('/strong'), 'CRUDAUTH_MFA_REQUIRED')
    // The list of sessions shows nothing new.
    const [session] = (await client.get('/sessions')).json()
    assert.ok(!('amr' in session) && !('methods' in session.device))
  })

  test(`${backend.name}: amr: a token from /token has the claim pwd, and a refresh keeps it`, async (t) => {
    const app = await setUp(t)
    const { access_token, refresh_token } = (
      await new Client(app).form('/token', { username: 'ann', password })
    ).json()
    const refreshed = answers(await postJson(app, '/refresh', { refresh_token }), 200)
    for (const token of [access_token, refreshed.access_token]) {
      assert.deepEqual(decodeJwt(token).amr, ['pwd'])
      assert.deepEqual((await asBearer(app, token, '/methods')).json(), { amr: ['pwd'] })
      refuses(await asBearer(app, token, '/strong'), 'CRUDAUTH_MFA_REQUIRED')
    }
  })

  test(`${backend.name}: amr: a session started at a provider has oauth`, async (t) => {
    let seen: unknown
    const { app } = await buildOAuth(t, {
      auth: backend.options(),
      routes(app) {
        app.get('/methods', { onRequest: app.currentUser() }, ({ principal }) => {
          seen = principal.amr
          return {}
        })
      },
    })
    const browser = new Browser(app)
    await browser.signIn(ada)
    assert.equal((await browser.get('/methods')).statusCode, 200)
    assert.deepEqual(seen, ['oauth'])
  })

  test(`${backend.name}: amr: completeLogin and issueTokens take what the app verified`, async (t) => {
    const app = await setUp(t)
    const client = new Client(app)
    succeeds(await client.post('/hand/login', { amr: ['pwd', 'otp', 'mfa', 'pwd'] }))
    assert.deepEqual(await methodsBySession(client), ['pwd', 'otp', 'mfa'])
    succeeds(await client.get('/strong'))

    const amr = ['webauthn', 'recovery', 'mfa', 'oauth']
    const made = succeeds(await postJson(app, '/hand/tokens', { amr }))
    assert.deepEqual(decodeJwt(made.accessToken).amr, ['swk', 'mfa'])
    succeeds(await asBearer(app, made.accessToken, '/strong'))
    const { refreshToken: refresh_token } = made
    const next = answers(await postJson(app, '/refresh', { refresh_token }), 200)
    assert.deepEqual((await asBearer(app, next.access_token, '/methods')).json(), {
      amr: ['webauthn', 'mfa'],
    })
  })

  test(`${backend.name}: amr: without it a hand-written login has none, and no claim`, async (t) => {
    const app = await setUp(t)
    const client = new Client(app)
    succeeds(await client.post('/hand/login', {}))
    assert.deepEqual(await methodsBySession(client), [])
    refuses(await client.get('/strong'), 'CRUDAUTH_MFA_REQUIRED')
    const { accessToken } = succeeds(await postJson(app, '/hand/tokens', {}))
    assert.ok(!('amr' in decodeJwt(accessToken)))
    refuses(await asBearer(app, accessToken, '/strong'), 'CRUDAUTH_MFA_REQUIRED')
  })

  test(`${backend.name}: amr: unknown methods fail before anything is stored`, async (t) => {
    const app = await setUp(t)
    for (const amr of ['mfa', ['pwd', 'sms'], [1], {}, ['constructor']]) {
      refuses(await postJson(app, '/hand/login', { amr }), 'CRUDAUTH_INTERNAL')
      refuses(await postJson(app, '/hand/login', { amr, transport: 'bearer' }), 'CRUDAUTH_INTERNAL')
      refuses(await postJson(app, '/hand/tokens', { amr }), 'CRUDAUTH_INTERNAL')
    }
    assert.deepEqual(await app.crudAuth.sessions.list(1), [])
  })

  test(`${backend.name}: amr: a failed bearer sign-in remembers no device`, async (t) => {
    const app = await setUp(t)
    const create = t.mock.method(app.sessionStore, 'create')
    const body = { amr: ['sms'], transport: 'bearer' }
    refuses(await postJson(app, '/hand/login', body), 'CRUDAUTH_INTERNAL')
    assert.equal(create.mock.callCount(), 0)
  })

  test(`${backend.name}: completeLogin: the session is the default, whatever the order of transports`, async (t) => {
    const app = await setUp(t, { transports: [bearerTransport(), sessionTransport()] })
    const body = succeeds(await new Client(app).post('/hand/login', {}))
    assert.ok('csrf_token' in body)
  })
}

test('amr: a record of an earlier version has none, and methods of a later version are dropped', () => {
  const seal = createSeal(createKeyring(secret)('client'))
  const { methodsOf, open } = createClientRecords(seal)
  const client = ['::1', 'Firefox', '140', 'Linux', null, 'desktop']
  assert.deepEqual(methodsOf(seal.seal(JSON.stringify(client))), [])
  const later = seal.seal(JSON.stringify([...client, ['face', 'mfa', 7]]))
  assert.deepEqual(methodsOf(later), ['mfa'])
  assert.equal(open(later).browser, 'Firefox')
  assert.deepEqual(methodsOf(seal.seal(JSON.stringify([...client, 'mfa']))), [])
  assert.deepEqual(methodsOf('not sealed'), [])
})

test('amr: a token alone carries it in stateless mode', async (t) => {
  const app = await build(t, {
    auth: { transports: [bearerTransport({ refresh: 'body', statelessUser: true })] },
    routes(app) {
      app.get('/methods', { onRequest: app.currentUser() }, ({ principal }) => ({
        amr: principal.amr,
      }))
    },
  })
  await new Client(app).register('ann')
  const tokens = (await new Client(app).form('/token', { username: 'ann', password })).json()
  assert.deepEqual((await asBearer(app, tokens.access_token, '/methods')).json(), { amr: ['pwd'] })
})

test('amr: a transport of the app sets its own, and none by default', async (t) => {
  const keyed = (amr?: AuthenticationMethod[]): Transport => ({
    name: amr ? 'strong' : 'plain',
    async authenticate(request, auth) {
      if (request.headers['x-key'] !== (amr ? 'strong' : 'plain')) return null
      const user = await auth.users.findById(1)
      return user && auth.createPrincipal(user, { transport: 'keyed', ...(amr && { amr }) })
    },
  })
  const app = await build(t, {
    auth: { transports: [sessionTransport(), keyed(), keyed(['webauthn', 'mfa'])] },
    routes: (app) =>
      void app.get('/strong', { onRequest: app.currentUser({ mfa: true }) }, () => ({})),
  })
  await new Client(app).register('ann')
  const ask = (key: string) => app.inject({ url: '/strong', headers: { 'x-key': key } })
  refuses(await ask('plain'), 'CRUDAUTH_MFA_REQUIRED')
  succeeds(await ask('strong'))
})

test('amr: a value that is not an array of known methods never passes the mfa gate', async (t) => {
  const kept: AuthenticationMethod[] = ['pwd']
  const values: Record<string, unknown> = {
    text: 'mfa',
    part: 'pwd no-mfa',
    liar: { includes: () => true },
    set: new Set(['mfa']),
    later: ['face'],
    kept,
  }
  const transport = (name: string, principalOf: Transport['authenticate']): Transport => ({
    name,
    authenticate: async (request, auth) =>
      request.headers['x-by'] === name ? principalOf(request, auth) : null,
  })
  const amrOf = (request: FastifyRequest) =>
    values[String(request.headers['x-key'])] as AuthenticationMethod[]
  const app = await build(t, {
    auth: {
      transports: [
        sessionTransport(),
        transport('plugin', async (request, auth) => {
          const user = await auth.users.findById(1)
          return user && auth.createPrincipal(user, { transport: 'plugin', amr: amrOf(request) })
        }),
        transport('hand', async (request, auth) => {
          const user = await auth.users.findById(1)
          const principal = user && auth.createPrincipal(user, { transport: 'hand' })
          return principal && Object.create(principal, { amr: { value: amrOf(request) } })
        }),
      ],
    },
    routes(app) {
      app.get('/strong', { onRequest: app.currentUser({ mfa: true }) }, () => ({}))
      app.get('/push', { onRequest: app.currentUser() }, ({ principal }) => {
        ;(principal.amr as AuthenticationMethod[]).push('mfa')
        return {}
      })
    },
  })
  await new Client(app).register('ann')
  const ask = (url: string, by: string, key: string) =>
    app.inject({ url, headers: { 'x-by': by, 'x-key': key } })
  for (const key of ['text', 'part', 'liar', 'set', 'later']) {
    refuses(await ask('/strong', 'plugin', key), 'CRUDAUTH_INTERNAL')
    refuses(await ask('/strong', 'hand', key), 'CRUDAUTH_MFA_REQUIRED')
  }
  assert.equal((await ask('/push', 'plugin', 'kept')).statusCode, 500)
  refuses(await ask('/strong', 'plugin', 'kept'), 'CRUDAUTH_MFA_REQUIRED')
  assert.deepEqual(kept, ['pwd'])
})

test('amr: claims that are not an array of registered names count as none', () => {
  for (const claim of ['mfa', ['MFA'], [['mfa']], { 0: 'mfa', length: 1 }, null, [null], 7])
    assert.deepEqual(methodsOfClaim(claim), [])
  assert.deepEqual(methodsOfClaim(['mfa', 'hwk', 'swk']), ['webauthn', 'mfa'])
})
