import assert from 'node:assert/strict'
import { createHash, createHmac } from 'node:crypto'
import { test } from 'node:test'
import type { FastifyInstance } from 'fastify'
import { memoryUsers } from '../../src/index.js'
import { serverUrl, uniquePrefix } from '../helpers/backends.js'
import { build, captureLogs, password, secret } from '../helpers/build.js'
import { Client, signedIn } from '../helpers/client.js'
import { csrfCookie, deviceCookie, redisTexts, sessionCookie } from '../helpers/hostile.js'

const redis = serverUrl('TEST_REDIS_URL')

/** Everything in the texts that could be a secret: each text and its parts between separators. */
const pieces = (texts: readonly string[]) =>
  new Set(
    texts
      .flatMap((text) => [text, ...text.split(/[|:{}.,\s"]/)])
      .filter((piece) => piece.length > 3),
  )

async function opensNothing(
  app: FastifyInstance,
  texts: readonly string[],
  session: string,
): Promise<void> {
  const tag = session.split('.')[1] ?? ''
  for (const piece of pieces(texts)) {
    for (const value of [piece, `${piece}.${tag}`, `${piece}.${piece}`]) {
      for (const name of [sessionCookie, deviceCookie]) {
        const cookie = `${name}=${value.slice(0, 4000).replace(/[^\x21-\x7e]/g, '')}`
        const response = await app.inject({ method: 'GET', url: '/me', headers: { cookie } })
        assert.equal(response.statusCode, 401, value)
      }
    }
    const headers = {
      cookie: `${sessionCookie}=${session}`,
      'x-csrf-token': piece.replace(/[^\x21-\x7e]/g, ''),
    }
    const response = await app.inject({ method: 'POST', url: '/logout', headers })
    assert.equal(response.statusCode, 403, piece)
  }
}

test('Redis dump: contains no password, hash or usable cookie, no CSRF token', {
  skip: !redis,
}, async (t) => {
  const keyPrefix = uniquePrefix()
  const users = memoryUsers()
  const app = await build(t, { auth: { redis: redis as string, keyPrefix, users, rateLimits: {} } })
  const client = await signedIn(app, 'ann')
  const other = new Client(app)
  await other.login('ann', password, { remember_me: '1' })
  for (let i = 0; i < 7; i++)
    await new Client(app, '', { remoteAddress: '192.0.2.77' }).login(
      `nobody${i % 2}`,
      'a guessed password',
    )
  await client.post('/csrf/refresh')

  const texts = await redisTexts(keyPrefix)
  assert.ok(texts.length > 6)
  const hash = String((await users.findById(1))?.hashedPassword)
  const secrets = [
    ...[client, other].flatMap(({ cookies }) =>
      [sessionCookie, csrfCookie, deviceCookie].map((name) => cookies.get(name) ?? ''),
    ),
    ...[client, other].map(({ cookies }) => (cookies.get(sessionCookie) ?? '').split('.')[0] ?? ''),
    client.csrf ?? '',
    password,
    'a guessed password',
    hash,
    hash.split('$').at(-1) ?? '',
    secret,
    'ann@example.com',
    'nobody0',
    createHash('sha256').update(password).digest('base64url'),
    createHash('sha256').update('nobody0').digest('base64url'),
    createHmac('sha256', secret).update('nobody0').digest('base64url'),
  ]
  const dump = texts.join('\n')
  for (const text of secrets) {
    assert.ok(text.length > 5)
    assert.ok(!dump.includes(text), `${text} is stored in Redis`)
  }
  await opensNothing(app, texts, client.cookies.get(sessionCookie) ?? '')
  // The tag is not secret: it is part of the cookie and names the key.
  assert.ok(dump.includes(client.cookies.get(sessionCookie)?.split('.')[1] ?? '?'))
})

test('GET /sessions: no value in the list works as a cookie or CSRF token', async (t) => {
  const app = await build(t)
  const client = await signedIn(app, 'ann')
  const list = (await client.get('/sessions')).json() as Record<string, unknown>[]
  await opensNothing(
    app,
    list.flatMap((session) => Object.values(session).map(String)),
    client.cookies.get(sessionCookie) ?? '',
  )
})

for (const state of [{}, ...(redis ? [{ redis }] : [])]) {
  test(`${redis && 'redis' in state ? 'redis' : 'memory'}: no log line or error response contains a password, hash, cookie or token`, async (t) => {
    const { lines, logger } = captureLogs()
    const users = memoryUsers()
    const failing = { ...users }
    const app = await build(t, {
      fastify: { logger: { level: logger.level, stream: logger.stream } },
      auth: { ...state, keyPrefix: uniquePrefix(), users: failing, rateLimits: {} },
      routes(app) {
        app.post('/sudo', { onRequest: app.currentUser() }, async (request) => {
          await app.crudAuth.sudo.elevate(request, {
            password: (request.body as { password: string }).password,
          })
          return {}
        })
      },
    })
    const guessed = 'guessed-password-1'
    const next = 'the-next-password-2'
    const client = await signedIn(app, 'ann')
    const bodies: string[] = []
    const note = async (response: Promise<{ body: string; statusCode: number }>) => {
      const { body, statusCode } = await response
      if (statusCode >= 400) bodies.push(body)
    }
    await note(client.register('ann', guessed))
    await note(client.post('/register', { email: guessed, username: 'x', password: guessed }))
    await note(client.post('/register', { password: [guessed] }))
    await note(client.login('ann', guessed))
    await note(client.login('nobody', guessed))
    await note(client.post('/sudo', { password: guessed }))
    await note(client.post('/change-password', { current_password: guessed, new_password: next }))
    await note(
      client.post('/change-password', { current_password: password, new_password: 'short' }),
    )
    await note(client.post('/set-password', { new_password: next }))
    await note(client.request('POST', '/logout', { headers: { 'x-csrf-token': 'wrong-token' } }))
    await note(
      client.request('POST', '/login', {
        payload: `{"password":"${guessed}`,
        headers: { 'content-type': 'application/json' },
      }),
    )
    const hash = String((await users.findById(1))?.hashedPassword)
    const driver = (verb: string) => async () => {
      throw Object.assign(new Error(`${verb} failed for password ${'*'.repeat(3)}`), {
        parameters: [hash, guessed],
        sql: hash,
      })
    }
    Object.assign(failing, {
      create: driver('create'),
      findBy: driver('findBy'),
      findById: driver('findById'),
    })
    await note(client.register('bob', guessed))
    await note(client.login('ann', guessed))
    await note(client.get('/me'))

    assert.ok(bodies.length >= 11)
    assert.ok(lines.length > 20)
    const secrets = [
      guessed,
      next,
      password,
      hash,
      hash.split('$').at(-1) ?? '',
      client.csrf ?? '',
      'wrong-token',
      secret,
    ]
    for (const name of [sessionCookie, csrfCookie, deviceCookie])
      secrets.push(client.cookies.get(name) ?? '')
    for (const text of [...lines, ...bodies]) {
      for (const value of secrets)
        assert.ok(value && !text.includes(value), `${value} appears in ${text}`)
    }
    for (const body of bodies)
      assert.ok(!/failed for|\/work|node_modules|\.ts|at \w+ \(/.test(body), body)
  })
}
