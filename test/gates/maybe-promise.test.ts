import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { FastifyRequest } from 'fastify'
import { currentUser, memoryUsers, type Transport } from '../../src/index.js'
import { answersAtOnce } from '../../src/lib/maybe-promise.js'
import { build } from '../helpers/build.js'
import { signedIn } from '../helpers/client.js'
import { refuses } from '../helpers/refuses.js'

test('a store whose verb an app or a mock has put another in the place of is asked by that one', async (t) => {
  const store = memoryUsers()
  let wrapped = 0
  const around = {
    ...store,
    findById: (id: string | number | bigint) => {
      wrapped++
      return store.findById(id)
    },
  }
  const client = await signedIn(await build(t, { auth: { users: around } }), 'ann')
  wrapped = 0
  assert.equal((await client.get('/me')).statusCode, 200)
  assert.equal(wrapped, 1)

  const mocked = memoryUsers()
  const other = await signedIn(await build(t, { auth: { users: mocked } }), 'ann')
  assert.equal((await other.get('/me')).statusCode, 200)
  const mock = t.mock.method(mocked, 'findById')
  assert.equal((await other.get('/me')).statusCode, 200)
  assert.equal(mock.mock.callCount(), 1)
  mock.mock.mockImplementation(() => {
    throw new Error('gone')
  })
  assert.equal((await other.get('/me')).statusCode, 503)
  mock.mock.mockImplementation(async () => null)
  assert.equal((await other.get('/me')).statusCode, 401)
})

test('a store that fails at once is asked by its promise, which says what is wrong', async (t) => {
  const store = memoryUsers()
  let promised = 0
  const findById = answersAtOnce(
    (id: string | number | bigint) => {
      promised++
      return store.findById(id)
    },
    () => {
      throw new Error('not now')
    },
  )
  const client = await signedIn(await build(t, { auth: { users: { ...store, findById } } }), 'ann')
  promised = 0
  assert.equal((await client.get('/me')).statusCode, 200)
  assert.equal(promised, 1)
})

test('a handler that fails at once is answered as one that fails later', async (t) => {
  const nobody = { userId: 1, user: undefined, transport: 'own', scopes: [], metadata: {} }
  const own: Transport = { name: 'own', authenticate: async () => nobody as never }
  refuses(await (await build(t, { auth: { transports: [own], routes: ['account'] } })).inject('/me'), 'CRUDAUTH_INTERNAL')
})

test('a gate called by hand promises, and with a callback calls it once and only to let pass', async (t) => {
  const seen: string[] = []
  const app = await build(t, {
    routes(app) {
      const gate = app.currentUser() as (request: unknown, reply: unknown, next?: () => void) => Promise<void> | undefined
      app.get('/promise', {
        async onRequest(request, reply) {
          assert.equal(await gate(request, reply), undefined)
          seen.push('promise')
        },
        handler: async (request) => ({ id: request.principal.userId }),
      })
      app.get('/callback', {
        onRequest(request, reply, done) {
          let calls = 0
          const next = () => {
            calls++
            seen.push(`callback ${calls}`)
          }
          const promise = gate(request, reply, next)
          if (promise) promise.then(() => done(), done)
          else done()
        },
        handler: async (request) => ({ id: request.principal.userId }),
      })
    },
  })
  const client = await signedIn(app, 'ann')
  for (const url of ['/promise', '/callback']) {
    assert.deepEqual((await client.get(url)).json(), { id: 1 })
    assert.equal((await app.inject(url)).statusCode, 401)
  }
  assert.deepEqual(seen, ['promise', 'callback 1'])
})

test('what a transport has answered at once is not asked again, be it somebody, nobody or an error', async (t) => {
  const again = currentUser({ optional: true })
  let calls = 0
  const atOnce = (answer: (request: FastifyRequest) => unknown): Transport => ({
    name: 'own',
    authenticate: ((request: FastifyRequest) => {
      calls++
      return answer(request)
    }) as Transport['authenticate'],
  })
  const answers: [answer: (request: FastifyRequest) => unknown, status: number][] = [
    [(request) => request.server.auth.createPrincipal({ id: 1, isActive: true } as never, { transport: 'own' }), 200],
    [() => null, 401],
    [() => undefined, 401],
    [
      () => {
        throw Object.assign(new Error('tampered'), { statusCode: 401 })
      },
      401,
    ],
  ]
  for (const [answer, status] of answers) {
    calls = 0
    const app = await build(t, {
      auth: { transports: [atOnce(answer)], routes: [] },
      routes(app) {
        app.get('/', { onRequest: [app.currentUser({ optional: true }), app.currentUser()] }, async () => ({}))
        app.setErrorHandler(async (error: { statusCode?: number }, request, reply) => {
          await again(request, reply).catch(() => {})
          return reply.code(error.statusCode ?? 500).send({})
        })
      },
    })
    assert.equal((await app.inject('/')).statusCode, status)
    assert.equal(calls, 1)
  }
})
