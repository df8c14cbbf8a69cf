import assert from 'node:assert/strict'
import diagnosticsChannel from 'node:diagnostics_channel'
import { describe, test } from 'node:test'
import type { FastifyInstance } from 'fastify'
import {
  type AuthEvent,
  type AuthEventType,
  type CrudAuthHooks,
  ForbiddenError,
  RateLimitedError,
} from '../../src/index.js'
import { answers, refusesOwn } from '../helpers/answers.js'
import { build, captureLogs, password } from '../helpers/build.js'
import { Client, signedIn } from '../helpers/client.js'

const next = 'another good phrase'
const names: AuthEventType[] = [
  'onAfterRegister',
  'onAfterLogin',
  'onAfterLogout',
  'onLoginFailed',
  'onLockout',
  'onAfterPasswordChanged',
  'onAfterSudo',
]

const sudo = (app: FastifyInstance) => {
  app.post('/sudo', { preHandler: app.currentUser() }, async (request) => {
    await app.crudAuth.sudo.elevate(request, {
      password: (request.body as { password: string }).password,
    })
    return 'up'
  })
}

/** Sends requests that trigger each event of `names`. */
async function everything(app: FastifyInstance): Promise<void> {
  const client = await signedIn(app, 'ann')
  await client.post('/sudo', { password })
  await client.post('/change-password', { current_password: password, new_password: next })
  await client.post('/logout')
  for (let n = 0; n < 6; n++) await new Client(app).login('ann', 'wrong password')
}

describe('after-hooks', () => {
  test('each event calls its hook once, with subject and context', async (t) => {
    const told: [string, Record<string, unknown>, Record<string, unknown>][] = []
    const hooks = Object.fromEntries(
      names.map((name) => [
        name,
        (subject: object, context: object) =>
          void told.push([name, { ...subject }, { ...context }]),
      ]),
    ) as CrudAuthHooks
    const app = await build(t, { auth: { hooks }, routes: sudo })
    await everything(app)
    assert.deepEqual(
      told.map(([name]) => name),
      [
        'onAfterRegister',
        'onAfterLogin',
        'onAfterSudo',
        'onAfterPasswordChanged',
        'onAfterLogout',
        ...new Array(5).fill('onLoginFailed'),
        'onLockout',
      ],
    )
    const of = (name: string) => told.find((entry) => entry[0] === name) as (typeof told)[number]
    for (const [, , { request }] of told)
      assert.equal(typeof (request as { url: unknown }).url, 'string')
    for (const name of [
      'onAfterRegister',
      'onAfterLogin',
      'onAfterSudo',
      'onAfterPasswordChanged',
      'onAfterLogout',
    ]) {
      assert.equal(of(name)[1].username, 'ann', name)
    }
    assert.equal(of('onAfterRegister')[2].source, 'register')
    assert.equal(of('onAfterLogin')[2].transport, 'session')
    assert.equal(of('onAfterPasswordChanged')[1].tokenVersion, 1)
    assert.ok(of('onAfterSudo')[2].until instanceof Date)
    assert.deepEqual(of('onLoginFailed')[1], { identifier: 'ann', reason: 'wrong_password' })
    assert.deepEqual(of('onLockout')[1], { identifier: 'ann', reason: 'identifier' })
  })

  test('onLoginFailed gets the reason, which the response does not reveal', async (t) => {
    const reasons: string[] = []
    const app = await build(t, {
      auth: { hooks: { onLoginFailed: ({ reason }) => void reasons.push(reason) } },
    })
    const base = { isActive: true, tokenVersion: 0 }
    await app.crudAuth.users.create({
      ...base,
      username: 'free',
      email: 'free@example.com',
      hashedPassword: '!x',
    })
    await new Client(app).register('ann')
    await new Client(app).register('off')
    await app.crudAuth.users.update(3, { isActive: false })
    for (const name of ['nobody', 'free', 'off'])
      refusesOwn(await new Client(app).login(name), 'CRUDAUTH_BAD_CREDENTIALS')
    refusesOwn(await new Client(app).login('ann', 'wrong password'), 'CRUDAUTH_BAD_CREDENTIALS')
    assert.deepEqual(reasons, ['unknown_identifier', 'no_password', 'inactive', 'wrong_password'])
  })

  test('onAfterLogout fires only when the current session ends', async (t) => {
    const told: unknown[] = []
    const app = await build(t, {
      auth: { hooks: { onAfterLogout: (user) => void told.push(user.username) } },
    })
    const client = await signedIn(app, 'ann')
    const other = new Client(app)
    await other.login('ann')
    const list = (await other.get('/sessions')).json() as { session_id: string; current: boolean }[]
    const handle = (current: boolean) =>
      list.find((session) => session.current === current)?.session_id
    await other.delete(`/sessions/${handle(false)}`)
    await other.post('/logout-all?keep_current=true')
    assert.deepEqual(told, [])
    await other.delete(`/sessions/${handle(true)}`)
    assert.deepEqual(told, ['ann'])
    await client.login('ann')
    await client.post('/logout-all')
    assert.deepEqual(told, ['ann', 'ann'])
    await client.post('/logout')
    assert.deepEqual(told, ['ann', 'ann'])
    await client.login('ann')
    answers(await client.post('/logout'), 200)
    assert.deepEqual(told, ['ann', 'ann', 'ann'])
  })

  for (const how of ['throws', 'rejects'] as const) {
    test(`a hook that ${how} is logged and does not affect the response`, async (t) => {
      const { lines, logger } = captureLogs()
      const bad = () => {
        const error = new Error('hook trouble')
        if (how === 'throws') throw error
        return Promise.reject(error)
      }
      const hooks = Object.fromEntries(names.map((name) => [name, bad])) as CrudAuthHooks
      const app = await build(t, { auth: { hooks }, fastify: { logger }, routes: sudo })
      const client = new Client(app)
      answers(await client.register('ann'), 201)
      answers(await client.login('ann'), 200)
      assert.equal((await client.post('/sudo', { password })).body, 'up')
      answers(
        await client.post('/change-password', { current_password: password, new_password: next }),
        200,
      )
      answers(await client.post('/logout'), 200)
      for (let n = 0; n < 5; n++)
        refusesOwn(await new Client(app).login('ann', password), 'CRUDAUTH_BAD_CREDENTIALS')
      refusesOwn(await new Client(app).login('ann', password), 'CRUDAUTH_LOCKED_OUT')
      for (const name of names) {
        assert.ok(
          lines.some((line) => line.includes('hook trouble') && line.includes(`"${name}"`)),
          name,
        )
      }
    })
  }
})

describe('before-hooks', () => {
  test('onBeforeRegister gets no password, and its refusal stores nothing', async (t) => {
    const seen: unknown[] = []
    const app = await build(t, {
      auth: {
        hooks: {
          async onBeforeRegister(values, { request }) {
            seen.push({ ...values })
            if (request.headers['x-invite'] !== 'yes') throw new Error('invitation table says no')
          },
        },
      },
    })
    refusesOwn(await new Client(app).register('ann'), 'CRUDAUTH_FORBIDDEN', [
      'invitation',
      password,
    ])
    assert.equal(await app.crudAuth.users.findById(1), null)
    answers(await new Client(app, '', { headers: { 'x-invite': 'yes' } }).register('ann'), 201)
    assert.deepEqual(seen[0], { email: 'ann@example.com', username: 'ann' })
  })

  test('onBeforeLogin runs only after a correct password, and its refusal creates no session', async (t) => {
    let asked = 0
    const app = await build(t, {
      auth: {
        hooks: {
          onBeforeLogin(user) {
            asked++
            if (user.username === 'ann') throw new ForbiddenError()
          },
        },
      },
    })
    for (const name of ['ann', 'bob']) await new Client(app).register(name)
    refusesOwn(await new Client(app).login('ann', 'wrong password'), 'CRUDAUTH_BAD_CREDENTIALS')
    refusesOwn(await new Client(app).login('nobody'), 'CRUDAUTH_BAD_CREDENTIALS')
    assert.equal(asked, 0)
    const refused = await new Client(app).login('ann')
    refusesOwn(refused, 'CRUDAUTH_FORBIDDEN')
    assert.equal(refused.headers['set-cookie'], undefined)
    assert.deepEqual(await app.crudAuth.sessions.list(1), [])
    answers(await new Client(app).login('bob'), 200)
    assert.equal(asked, 2)
  })

  test('an HTTP error from a hook is returned unchanged, with its headers', async (t) => {
    const app = await build(t, {
      auth: {
        hooks: {
          onBeforeLogin() {
            const error = new RateLimitedError()
            error.headers = { 'retry-after': '7' }
            throw error
          },
          onBeforeRegister(values) {
            if (values.username === 'teapot')
              throw Object.assign(new Error('short and stout'), { statusCode: 418 })
          },
        },
      },
    })
    await new Client(app).register('ann')
    const login = await new Client(app).login('ann')
    refusesOwn(login, 'CRUDAUTH_RATE_LIMITED')
    assert.equal(login.headers['retry-after'], '7')
    const register = await new Client(app).register('teapot')
    assert.equal(answers(register, 418).message, 'short and stout')
  })

  for (const thrown of [
    undefined,
    null,
    'no',
    { statusCode: 200 },
    { statusCode: '403' },
    { statusCode: 600 },
  ]) {
    test(`${JSON.stringify(thrown) ?? 'undefined'} thrown by a hook responds with 403`, async (t) => {
      const app = await build(t, {
        auth: {
          hooks: {
            onBeforeLogin() {
              throw thrown
            },
          },
        },
      })
      await new Client(app).register('ann')
      refusesOwn(await new Client(app).login('ann'), 'CRUDAUTH_FORBIDDEN')
    })
  }
})

describe('diagnostics_channel', () => {
  test('publishes each event once as crudauth:<type> if the app has hooks, even if they throw', async (t) => {
    const told: string[] = []
    for (const name of names) {
      const listen = () => void told.push(`channel ${name}`)
      diagnosticsChannel.subscribe(`crudauth:${name}`, listen)
      t.after(() => diagnosticsChannel.unsubscribe(`crudauth:${name}`, listen))
    }
    const hooks = Object.fromEntries(
      names.map((name) => [
        name,
        () => {
          told.push(`hook ${name}`)
          throw new Error('hook trouble')
        },
      ]),
    ) as CrudAuthHooks
    await everything(await build(t, { auth: { hooks }, routes: sudo }))
    const of = (listener: string) =>
      told.filter((line) => line.startsWith(listener)).map((line) => line.split(' ')[1])
    assert.equal(told.length, 22)
    assert.deepEqual(of('channel'), of('hook'))
    assert.deepEqual([...new Set(of('channel'))].sort(), [...names].sort())
  })

  test('publishes each event as crudauth:<type>, even if the app has no hooks', async (t) => {
    const events: AuthEvent[] = []
    const listen = (message: unknown) => void events.push(message as AuthEvent)
    for (const name of names) {
      diagnosticsChannel.subscribe(`crudauth:${name}`, listen)
      t.after(() => diagnosticsChannel.unsubscribe(`crudauth:${name}`, listen))
    }
    const app = await build(t, { routes: sudo })
    await everything(app)
    assert.deepEqual([...new Set(events.map(({ type }) => type))].sort(), [...names].sort())
    for (const event of events) assert.equal(event.request?.server.hasDecorator('crudAuth'), true)
    const failed = events.find((event) => event.type === 'onLoginFailed')
    assert.equal(failed?.reason, 'wrong_password')
    assert.ok(
      !JSON.stringify(
        events.map(({ request, ...rest }) => ({ ...rest, url: request?.url })),
      ).includes('wrong password'),
    )
  })
})
