import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import type { CrudAuthOptions, DeliveryIntent, EmailMessage } from '../../src/index.js'
import { answers } from '../helpers/answers.js'
import { backends } from '../helpers/backends.js'
import { captureLogs } from '../helpers/build.js'
import { addressOf, mailApp, next } from '../helpers/email.js'
import { noUnhandledRejections, times } from '../helpers/hostile.js'
import { Mailbox } from '../helpers/mailbox.js'
import { breakableUsers } from '../helpers/users.js'

const until = async (holds: () => boolean, what: string) => {
  for (let tries = 0; tries < 1000; tries++) {
    if (holds()) return
    await delay(5)
  }
  assert.fail(what)
}

for (const backend of backends) {
  const open = (
    t: TestContext,
    send: (message: EmailMessage) => unknown,
    auth: Partial<CrudAuthOptions> = {},
  ) => {
    noUnhandledRejections(t)
    const { lines, logger } = captureLogs('warn')
    const lost: Record<string, unknown>[] = []
    const made = mailApp(t, backend, {
      fastify: { logger: { level: logger.level, stream: logger.stream } },
      auth: {
        email: { ...new Mailbox().options(), sender: { send } },
        delivery: { firstRetrySeconds: 0.01, attempts: 3 },
        hooks: { onDeliveryFailed: (event) => void lost.push({ ...event }) },
        ...auth,
      },
    })
    return made.then((app) => ({ ...app, lines, lost }))
  }

  test(`${backend.name}: sender: a failed message is retried with the same token until it is sent`, async (t) => {
    const seen: EmailMessage[] = []
    const { anyone, lost } = await open(t, (message) => {
      seen.push(message)
      if (seen.length < 3) throw new Error('451 greylisted, come back later')
    })
    answers(await anyone.register('ann'), 202)
    await until(() => seen.length === 3, 'it is tried three times')
    assert.equal(new Set(seen.map(({ context }) => context.link)).size, 1)
    const token = new URL(seen[2]?.context.link ?? '').searchParams.get('token')
    answers(await anyone.post('/email/verify-confirm', { token }), 200)
    assert.deepEqual(lost, [])
  })

  test(`${backend.name}: sender: after the last attempt, onDeliveryFailed and the log report the failure`, async (t) => {
    let tries = 0
    const { anyone, lost, lines } = await open(t, () => {
      tries++
      throw new Error('554 no')
    })
    answers(await anyone.register('ann'), 202)
    await until(() => lost.length > 0, 'it is given up')
    assert.deepEqual(lost, [
      { kind: 'verify_email', channel: 'email', reason: 'failed', attempts: 3 },
    ])
    assert.equal(tries, 3)
    assert.equal(lines.filter((line) => line.includes('554 no')).length, 3)
    for (const line of lines) assert.doesNotMatch(line, /ann@example\.com|token=/)
  })

  test(`${backend.name}: sender: a permanent error is not retried`, async (t) => {
    let tries = 0
    const { anyone, lost } = await open(t, () => {
      tries++
      throw Object.assign(new Error('550 no such mailbox'), { permanent: true })
    })
    answers(await anyone.register('ann'), 202)
    await until(() => lost.length > 0, 'it is given up')
    assert.equal(tries, 1)
    assert.equal(lost[0]?.attempts, 1)
  })

  test(`${backend.name}: sender: one that hangs delays no response and is given up`, async (t) => {
    const { anyone, lost } = await open(t, () => new Promise(() => {}), {
      delivery: { attempts: 1, attemptSeconds: 0.05, drainSeconds: 0 },
    })
    const asked = await Promise.all(times(20, (i) => anyone.register(`user${i}`)))
    for (const response of asked) answers(response, 202)
    await until(() => lost.length === 20, 'all are given up')
    assert.deepEqual([...new Set(lost.map(({ reason }) => reason))], ['failed'])
  })

  test(`${backend.name}: channels: one that throws or hangs does not keep others from delivering`, async (t) => {
    const got: DeliveryIntent[] = []
    const mail = new Mailbox()
    const { anyone, lost, lines } = await open(t, () => {}, {
      email: mail.options(),
      delivery: { attempts: 1, attemptSeconds: 0.3, drainSeconds: 0 },
      channels: [
        {
          name: 'throws',
          deliver() {
            throw new Error('out of order')
          },
        },
        { name: 'hangs', deliver: () => new Promise(() => {}) },
        { name: 'works', deliver: (intent) => void got.push(intent) },
      ],
    })
    const registered = await anyone.register('ann')
    answers(registered, 202)
    assert.ok(!registered.body.includes('out of order'))
    const token = await mail.token(addressOf('ann'), 'verify_email')
    await until(() => got.length === 1, 'the last channel delivers too')
    assert.ok(!JSON.stringify([mail.messages, got]).includes('out of order'))
    assert.equal(got[0]?.token, token)
    assert.ok(Object.isFrozen(got[0]))
    await until(() => lost.length === 2, 'both are given up')
    assert.deepEqual(lost.map(({ channel }) => channel).sort(), ['hangs', 'throws'])
    assert.ok(!JSON.stringify(lost).includes('out of order'))
    const told = lines.map((line) => JSON.parse(line)).filter(({ channel }) => channel)
    assert.deepEqual(
      told.map(({ channel, err }) => [channel, err.message === 'out of order']).sort(),
      [
        ['hangs', false],
        ['throws', true],
      ],
    )
  })

  test(`${backend.name}: app.close(): waits for messages that are still being prepared or sent`, async (t) => {
    const sent: string[] = []
    const { app, anyone, lost } = await open(t, async ({ kind }) => {
      await delay(80)
      sent.push(kind)
    })
    answers(await anyone.register('ann'), 202)
    answers(await anyone.post('/password/reset-request', { email: addressOf('ann') }), 202)
    await app.close()
    assert.deepEqual(sent.sort(), ['reset_password', 'verify_email'])
    assert.deepEqual(lost, [])
  })

  test(`${backend.name}: app.close(): stops waiting after drainSeconds and reports unfinished messages`, async (t) => {
    const { app, anyone, lost } = await open(t, () => new Promise(() => {}), {
      delivery: { drainSeconds: 1 },
    })
    answers(await anyone.register('ann'), 202)
    await delay(50)
    await app.close()
    assert.deepEqual(
      lost.map(({ kind, reason }) => ({ kind, reason })),
      [{ kind: 'verify_email', reason: 'closed' }],
    )
  })

  test(`${backend.name}: render: an invalid result sends nothing, and the account is still created`, async (t) => {
    const mail = new Mailbox()
    const results: unknown[] = [
      undefined,
      {},
      { subject: 'a\nBcc: x@example.com', text: 'x' },
      { subject: '', text: 'x' },
    ]
    for (const result of results) {
      const { anyone, lost, users } = await open(t, () => {}, {
        email: mail.options({ render: () => result as never }),
      })
      answers(await anyone.register('ann'), 202)
      await until(() => lost.length === 1, 'it is given up')
      assert.notEqual(await users.findBy('username', 'ann'), null)
    }
    assert.deepEqual(mail.messages, [])
  })

  test(`${backend.name}: delivery queue full: messages are dropped and reported; the response stays the same`, async (t) => {
    const { anyone, lost } = await open(t, () => new Promise(() => {}), {
      delivery: { maxQueued: 3, attempts: 1, attemptSeconds: 60, drainSeconds: 0 },
      rateLimits: { recipient: false, register: false, password_reset_request: false },
    })
    answers(await anyone.register('ann'), 202)
    const asked = await Promise.all(
      times(20, () => anyone.post('/password/reset-request', { email: addressOf('ann') })),
    )
    for (const response of asked)
      assert.equal(answers(response, 202).detail, asked[0]?.json().detail)
    await until(() => lost.some(({ reason }) => reason === 'full'), 'the drop is reported')
    assert.equal(
      (await anyone.post('/password/reset-confirm', { token: 'A'.repeat(22), new_password: next }))
        .statusCode,
      400,
    )
  })
}

test('app.close(): waits for preparing and sending messages together, not for each', async (t) => {
  const hang = () => new Promise<never>(() => {})
  const users = breakableUsers()
  let isSending = false
  const { app, anyone } = await mailApp(t, backends[0] as (typeof backends)[number], {
    auth: {
      users: users.store,
      email: {
        ...new Mailbox().options(),
        sender: {
          send() {
            isSending = true
            return hang()
          },
        },
      },
      delivery: { drainSeconds: 1 },
    },
  })
  answers(await anyone.register('ann'), 202)
  await until(() => isSending, 'the sender hangs')
  users.broken.findBy = hang
  answers(await anyone.post('/password/reset-request', { email: addressOf('ann') }), 202)
  const startMs = performance.now()
  await app.close()
  const tookMs = performance.now() - startMs
  assert.ok(tookMs < 1700, `it took ${tookMs} ms`)
})
