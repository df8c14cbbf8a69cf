import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { backends } from '../helpers/backends.js'
import { limitsOff, password } from '../helpers/build.js'
import { addressOf, mailApp } from '../helpers/email.js'
import { times } from '../helpers/hostile.js'
import { Mailbox } from '../helpers/mailbox.js'

/** About as long as an SMTP server on another continent takes; a response takes a thousandth. */
const sendingMs = 20
const rounds = 120

const milliseconds = async (run: () => Promise<{ statusCode: number }>): Promise<number> => {
  const start = performance.now()
  assert.equal((await run()).statusCode, 202)
  return performance.now() - start
}

/** Ratio of the two durations at their fastest third, over interleaved runs in random order. */
async function ratio(
  count: number,
  one: (i: number) => Promise<{ statusCode: number }>,
  other: typeof one,
): Promise<number> {
  const taken = { one: [] as number[], other: [] as number[] }
  for (const i of times(count, (index) => index)) {
    const runs = [['one', one] as const, ['other', other] as const]
    if (Math.random() < 0.5) runs.reverse()
    for (const [name, run] of runs) {
      taken[name].push(await milliseconds(() => run(i)))
      // Background work of this request must not delay the next one.
      await sleep(4)
    }
  }
  // A patient attacker uses the fastest third, which has the least noise.
  const third = (values: number[]) =>
    values.sort((a, b) => a - b)[Math.floor(values.length / 3)] as number
  return third(taken.one) / third(taken.other)
}

const alike = (value: number) => value < 2 && value > 0.5

for (const backend of backends) {
  test(`${backend.name}: verify and reset requests: timing does not reveal whether an account exists`, async (t) => {
    const mail = new Mailbox()
    const send = () => sleep(sendingMs)
    const { app, anyone, users } = await mailApp(t, backend, {
      auth: {
        email: { ...mail.options(), sender: { send } },
        rateLimits: { ...limitsOff, recipient: false },
        delivery: { concurrency: 50 },
      },
      routes(app) {
        // A counterexample: a route that waits for the delivery.
        app.post('/leaky', async (request, reply) => {
          const { email } = request.body as { email: string }
          if (await app.crudAuth.users.findBy('email', email)) await send()
          return reply.code(202).send({ detail: 'If this account exists, a message was sent' })
        })
      },
    })
    await users.create({ email: addressOf('known'), username: 'known', hashedPassword: null })
    const ask = (url: string, name: string) => () => anyone.post(url, { email: addressOf(name) })
    for (const url of ['/password/reset-request', '/email/verify-request', '/leaky']) {
      for (const name of ['known', 'unknown']) for (let i = 0; i < 10; i++) await ask(url, name)()
    }
    assert.ok(
      !alike(await ratio(30, ask('/leaky', 'known'), ask('/leaky', 'unknown'))),
      'the test can tell',
    )
    for (const url of ['/password/reset-request', '/email/verify-request']) {
      const found = await ratio(rounds, ask(url, 'known'), ask(url, 'unknown'))
      assert.ok(alike(found), `${url}: a known address takes ${found.toFixed(2)} times as long`)
    }
    assert.ok(app)
  })

  test(`${backend.name}: POST /register: timing does not reveal whether the address is known`, async (t) => {
    const mail = new Mailbox()
    const { anyone } = await mailApp(t, backend, {
      auth: {
        email: { ...mail.options(), sender: { send: () => sleep(sendingMs) } },
        rateLimits: { ...limitsOff, recipient: false },
        delivery: { concurrency: 50 },
        // The real cost, which dominates the duration of a sign-up.
        passwords: {},
      },
      routes(app) {
        app.post('/leaky', async (request, reply) => {
          const { email } = request.body as { email: string }
          if (!(await app.crudAuth.users.findBy('email', email)))
            await app.crudAuth.passwords.hash(password)
          return reply.code(202).send({ detail: '…' })
        })
      },
    })
    let at = 0
    const sign = (url: string, email: () => string) => () =>
      anyone.post(url, { email: email(), username: `name${at++}`, password })
    const known = () => addressOf('known')
    const fresh = () => addressOf(`fresh${at}`)
    for (let i = 0; i < 3; i++) for (const email of [known, fresh]) await sign('/register', email)()
    assert.ok(
      !alike(await ratio(12, sign('/leaky', known), sign('/leaky', fresh))),
      'the test can tell',
    )
    const found = await ratio(40, sign('/register', known), sign('/register', fresh))
    assert.ok(alike(found), `a known address takes ${found.toFixed(2)} times as long`)
  })
}
