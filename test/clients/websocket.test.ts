import assert from 'node:assert/strict'
import { once } from 'node:events'
import { type TestContext, test } from 'node:test'
import websocket from '@fastify/websocket'
import { bearerTransport, memoryUsers, sessionTransport } from '../../src/index.js'
import { authorization, getRaw, listenOn, signedInBearer } from '../helpers/bearer.js'
import { build } from '../helpers/build.js'
import { signedIn } from '../helpers/client.js'

const upgrade = [
  'connection: Upgrade',
  'upgrade: websocket',
  'sec-websocket-version: 13',
  'sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==',
]

async function start(t: TestContext) {
  const users = memoryUsers()
  const app = await build(t, {
    auth: {
      users,
      transports: [
        sessionTransport(),
        bearerTransport({ refresh: 'body', defaultScopes: ['live'] }),
      ],
    },
    async routes(app) {
      await app.register(websocket)
      app.get(
        '/live',
        { websocket: true, onRequest: app.currentUser({ scopes: ['live'], transport: 'bearer' }) },
        (socket, request) => {
          socket.send(
            JSON.stringify({ who: request.principal.userId, via: request.principal.transport }),
          )
          socket.on('message', () =>
            socket.send(String((request.principal.user as { username: string }).username)),
          )
        },
      )
      app.get('/any', { websocket: true, preValidation: app.currentUser() }, (socket, request) => {
        socket.send(
          JSON.stringify({ who: request.principal.userId, via: request.principal.transport }),
        )
      })
      app.get(
        '/maybe',
        { websocket: true, onRequest: app.currentUser({ optional: true }) },
        (socket, request) => {
          socket.send(JSON.stringify({ who: request.maybePrincipal?.userId ?? null }))
        },
      )
    },
  })
  const tokens = await signedInBearer(app)
  return { app, users, tokens }
}

type Start = Awaited<ReturnType<typeof start>>

/** Opens a WebSocket and returns it with its first message. */
async function open({ app }: Start, url: string, headers: Record<string, string>) {
  let first: Promise<unknown[]> | undefined
  const socket = await app.injectWS(
    url,
    { headers },
    {
      onInit(ws) {
        first = once(ws, 'message')
      },
    },
  )
  const [message] = (await first) ?? []
  return { socket, message: JSON.parse(String(message)) }
}

test('WebSocket: an upgrade with an access token authenticates the socket', async (t) => {
  const started = await start(t)
  const { socket, message } = await open(
    started,
    '/live',
    authorization(started.tokens.access_token),
  )
  assert.deepEqual(message, { who: 1, via: 'bearer' })
  const answer = once(socket, 'message')
  socket.send('who am I?')
  assert.equal(String((await answer)[0]), 'ann')
  socket.terminate()
})

test('WebSocket: a session cookie authenticates only where any transport is accepted', async (t) => {
  const started = await start(t)
  const client = await signedIn(started.app, 'bob')
  const cookie = [...client.cookies].map(([name, value]) => `${name}=${value}`).join('; ')
  const { socket, message } = await open(started, '/any', { cookie })
  assert.deepEqual(message, { who: 2, via: 'session' })
  socket.terminate()
  await assert.rejects(open(started, '/live', { cookie }), /401/)
})

test('WebSocket: missing, forged, revoked and under-scoped tokens are refused', async (t) => {
  const started = await start(t)
  const { app, users, tokens } = started
  const port = await listenOn(app)
  const lines = (token: string) => [`authorization: Bearer ${token}`]
  for (const [url, headers, status] of [
    ['/live', [], 401],
    ['/any', [], 401],
    ['/live', lines('forged'), 401],
    ['/maybe', lines('forged'), 401],
    ['/any', lines('forged'), 401],
  ] as const) {
    const answer = await getRaw(port, url, [...upgrade, ...headers])
    assert.equal(answer.status, status, url)
    assert.match(answer.text, /www-authenticate: Bearer/i)
    assert.doesNotMatch(answer.text, /sec-websocket-accept/i)
  }
  await users.update(1, { tokenVersion: 1 })
  assert.equal(
    (await getRaw(port, '/live', [...upgrade, ...lines(tokens.access_token)])).status,
    401,
  )
  const { socket, message } = await open(started, '/maybe', authorization(tokens.access_token))
  assert.deepEqual(message, { who: null }, 'an ended token is anonymous')
  socket.terminate()
  const weak = await app.crudAuth.issueTokens((await users.findById(1)) as never, {
    scopes: ['other'],
  })
  assert.equal((await getRaw(port, '/live', [...upgrade, ...lines(weak.accessToken)])).status, 403)
})
