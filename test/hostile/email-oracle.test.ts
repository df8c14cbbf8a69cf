import assert from 'node:assert/strict'
import { createRequire } from 'node:module'
import { type TestContext, test } from 'node:test'
import type * as Argon from '@node-rs/argon2'
import type { LightMyRequestResponse } from 'fastify'
import { Redis } from 'ioredis'
import type { EmailMessage } from '../../src/index.js'

// Patched before any module imports it: every hash of the real library is counted.
const argon = createRequire(import.meta.url)('@node-rs/argon2') as {
  -readonly [K in keyof typeof Argon]: (typeof Argon)[K]
}
let hashes = 0
const { verify, hash } = argon
argon.verify = (...args) => {
  hashes++
  return verify(...args)
}
argon.hash = (...args) => {
  hashes++
  return hash(...args)
}
const { answers } = await import('../helpers/answers.js')
const { serverUrl, uniquePrefix } = await import('../helpers/backends.js')
const { password } = await import('../helpers/build.js')
const { Client } = await import('../helpers/client.js')
const { Mailbox, settle } = await import('../helpers/mailbox.js')
const { countingUsers } = await import('../helpers/users.js')
const { addressOf, mailApp } = await import('../helpers/email.js')
const { noUnhandledRejections } = await import('../helpers/hostile.js')

const redisUrl = serverUrl('TEST_REDIS_URL')
const states = ['memory', ...(redisUrl ? ['redis'] : [])]

/** A Redis client that records the names of its commands, in order. */
function spiedRedis(t: TestContext) {
  const client = new Redis(redisUrl ?? '')
  t.after(() => client.disconnect())
  const commands: string[] = []
  const send = client.sendCommand.bind(client)
  client.sendCommand = (command, ...rest) => {
    commands.push(command.name)
    return send(command, ...rest)
  }
  return { client, commands }
}

/** An app that records the user, Redis and argon2 calls made before each response is sent. */
async function watched(t: TestContext, state: string, sender: (message: EmailMessage) => unknown) {
  noUnhandledRejections(t)
  const users = countingUsers()
  const spied = state === 'redis' ? spiedRedis(t) : null
  const asked = () => ({ ...users.calls, hashes, redis: spied ? spied.commands.length : 0 })
  let begun = asked()
  let seen: unknown
  const mail = new Mailbox()
  const made = await mailApp(
    t,
    {
      name: state,
      options: () => (spied ? { redis: spied.client, keyPrefix: uniquePrefix() } : {}),
    },
    {
      auth: {
        users: users.store,
        email: { ...mail.options(), sender: { send: sender } },
        delivery: { attempts: 2, firstRetrySeconds: 0.01, attemptSeconds: 1, drainSeconds: 0 },
        rateLimits: {
          email_verify_request: { max: 1e6, windowSeconds: 60 },
          password_reset_request: { max: 1e6, windowSeconds: 60 },
          register: { max: 1e6, windowSeconds: 60 },
        },
      },
      async routes(app) {
        app.addHook('onSend', async () => {
          const { redis, ...rest } = asked()
          const counts = Object.entries(rest).map(([name, count]) => [
            name,
            count - ((begun as Record<string, number>)[name] ?? 0),
          ])
          seen = {
            ...Object.fromEntries(counts),
            commands: spied ? spied.commands.slice(begun.redis, redis) : [],
          }
        })
      },
    },
  )
  /** Sends a request once background work has settled. Returns the response and its cost. */
  const ask = async (send: () => Promise<LightMyRequestResponse>) => {
    await settle()
    begun = asked()
    const response = await send()
    const {
      date,
      'x-ratelimit-remaining': remaining,
      'x-ratelimit-reset': reset,
      ...headers
    } = response.headers
    return {
      status: response.statusCode,
      body: response.body,
      headers,
      cost: seen as Record<string, unknown>,
    }
  }
  const row = (name: string, values: object = {}) =>
    users.store.create({
      email: addressOf(name),
      username: name,
      hashedPassword: '!unusable',
      ...values,
    })
  return { ...made, ask, row }
}

const senders: Record<string, () => unknown> = {
  'a mail server that works': () => {},
  'a mail server that refuses': () => Promise.reject(new Error('554 go away')),
  'a mail server that hangs': () => new Promise(() => {}),
  'a sender that throws synchronously': () => {
    throw new Error('no such host')
  },
}

for (const state of states) {
  test(`${state}: POST /register: a reserved address costs the same work as a new one`, async (t) => {
    const sent: EmailMessage[] = []
    const { ask, anyone, app, row } = await watched(t, state, (message) => sent.push(message))
    await row('mover', { emailVerified: true, hashedPassword: await hash(password) })
    const mover = new Client(app)
    answers(await mover.login('mover'), 200)
    answers(
      await mover.post('/email/change-request', { new_email: 'moved@example.com', password }),
      202,
    )
    await app.crudAuth.delivery.settled()
    const token = /token=([\w-]+)/.exec(sent.at(-1)?.text ?? '')?.[1]
    answers(await anyone.post('/email/change-confirm', { token }), 200)
    await app.crudAuth.delivery.settled()
    const register = (email: string, username: string) =>
      ask(() => anyone.post('/register', { email, username, password }))
    await register('first@example.com', 'first')
    const workOf = ({ cost, ...rest }: Awaited<ReturnType<typeof register>>) => {
      const { create, update, compareAndSet, findBy, findById, ...others } = cost as Record<
        string,
        number
      >
      return {
        ...rest,
        ...others,
        writes: Number(create) + Number(update) + Number(compareAndSet),
        reads: Number(findBy) + Number(findById),
      }
    }
    const fresh = workOf(await register('fresh@example.com', 'fresh'))
    assert.equal(fresh.writes, 2)
    assert.deepEqual(workOf(await register(addressOf('mover'), 'other')), fresh)
  })

  for (const [what, send] of Object.entries(senders)) {
    test(`${state}, ${what}: verify and reset requests: response and work are the same for every address`, async (t) => {
      const { ask, anyone, row } = await watched(t, state, send)
      await row('known', { emailVerified: false })
      await row('verified', { emailVerified: true })
      await row('inactive', { isActive: false })
      await row('nopassword', { hashedPassword: null })
      for (const url of ['/email/verify-request', '/password/reset-request']) {
        // The first request opens the rate limit window.
        await ask(() => anyone.post(url, { email: addressOf('first') }))
        const all = []
        for (const name of [
          'known',
          'unknown',
          'verified',
          'inactive',
          'nopassword',
          'known',
          'unknown',
        ]) {
          all.push(
            await ask(() => anyone.post(url, { email: addressOf(name), redirect_to: '/on' })),
          )
        }
        for (const each of all) assert.deepEqual(each, all[0])
        const { status, cost } = all[0] as (typeof all)[number]
        assert.equal(status, 202)
        const { commands, ...rest } = cost as { commands: string[] }
        assert.deepEqual(rest, {
          findById: 0,
          findBy: 0,
          create: 0,
          update: 0,
          compareAndSet: 0,
          hashes: 0,
        })
        assert.equal(commands.length, state === 'redis' ? 1 : 0, `${commands}`)
      }
    })

    test(`${state}, ${what}: POST /register: response and work are the same for new and known addresses`, async (t) => {
      const { ask, anyone, row } = await watched(t, state, send)
      await row('known')
      await row('inactive', { isActive: false })
      let at = 0
      const register = (email: string) =>
        ask(() => anyone.post('/register', { email, username: `name${at++}`, password }))
      await register('first@example.com')
      const fresh = await register('fresh@example.com')
      const others = [
        await register(addressOf('known')),
        await register(addressOf('inactive')),
        await register('fresh@example.com'),
      ]
      assert.equal(fresh.status, 202)
      /** Every committed write counts as one, whether it creates a row or leaves one unchanged. */
      const worked = ({ cost, ...rest }: typeof fresh) => {
        const { create, update, compareAndSet, ...others } = cost as Record<string, number>
        return {
          ...rest,
          ...others,
          writes: Number(create) + Number(update) + Number(compareAndSet),
        }
      }
      for (const other of [...others, await register('fresher@example.com')])
        assert.deepEqual(worked(other), worked(fresh))
      const { writes, findById, findBy, hashes } = worked(fresh) as Record<string, unknown>
      assert.deepEqual(
        { writes, findById, findBy, hashes },
        { writes: 2, findById: 0, findBy: 4, hashes: 1 },
      )
    })

    test(`${state}, ${what}: email change request: response and work are the same for free and taken addresses`, async (t) => {
      const { app, ask, row } = await watched(t, state, send)
      const client = new Client(app)
      answers(await client.register('ann'), 202)
      answers(await client.login('ann'), 200)
      await row('taken')
      const request = (new_email: string) =>
        ask(() => client.post('/email/change-request', { new_email, password }))
      await request('first@example.com')
      const free = await request('free@example.com')
      assert.equal(free.status, 202)
      assert.deepEqual(await request(addressOf('taken')), free)
      assert.equal(free.cost.hashes, 1)
      assert.equal(free.cost.findBy, 0)
    })
  }
}
