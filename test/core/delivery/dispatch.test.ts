import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { NamedChannel } from '../../../src/core/delivery/dispatch.js'
import { createKeyring } from '../../../src/crypto/keys.js'
import type { DeliveryIntent, DeliveryJob } from '../../../src/ports/delivery-channel.js'
import {
  ada,
  deferred,
  intent,
  type LostMessage,
  limits,
  secret,
  testDispatch,
} from '../../helpers/delivery.js'

/** A channel that records its messages. */
function collector(name = 'email') {
  const got: DeliveryIntent[] = []
  const channel: NamedChannel = { name, deliver: (one) => void got.push(one) }
  return { channel, got }
}

const token = intent.token as string

test('dispatch: a message goes to every channel asynchronously', async () => {
  const [a, b] = [collector('a'), collector('b')]
  const { dispatch, idle, lines } = testDispatch({ channels: [a.channel, b.channel] })
  dispatch(intent)
  assert.deepEqual([a.got, b.got], [[], []])
  await idle()
  assert.deepEqual([a.got, b.got], [[intent], [intent]])
  assert.deepEqual(lines, [])
})

test('dispatch: a channel that throws, rejects, hangs or mutates does not affect the others', async (t) => {
  const good = collector('good')
  const hangs = deferred()
  const channels: NamedChannel[] = [
    {
      name: 'throws',
      deliver() {
        throw new Error('no')
      },
    },
    { name: 'rejects', deliver: () => Promise.reject(new Error('no')) },
    { name: 'hangs', deliver: () => hangs.promise },
    {
      name: 'meddles',
      deliver: (one) => Object.assign(one, { recipient: 'eve@example.com' }),
    },
    good.channel,
  ]
  const { dispatch, close } = testDispatch({ channels, limits: { ...limits, concurrency: 1 } })
  t.after(() => hangs.resolve())
  for (let i = 0; i < 3; i++) dispatch(intent)
  while (good.got.length < 3) await new Promise((resolve) => setImmediate(resolve))
  assert.deepEqual(
    good.got.map(({ recipient }) => recipient),
    Array(3).fill(intent.recipient),
  )
  await close(0)
})

test('dispatch: a queue full of verification emails does not block security alerts', async (t) => {
  const hangs = deferred()
  t.after(() => hangs.resolve())
  const alerts = [
    'password_changed',
    'email_changed',
    'provider_linked',
    'provider_unlinked',
    'mfa_enabled',
    'mfa_disabled',
    'recovery_code_used',
    'passkey_added',
    'passkey_removed',
  ] as const
  for (const kind of alerts) {
    const got: string[] = []
    const channel: NamedChannel = {
      name: 'email',
      deliver(one) {
        if (one.kind === 'verify_email') return hangs.promise
        got.push(one.kind)
      },
    }
    const { dispatch, close } = testDispatch({
      channels: [channel],
      limits: { ...limits, maxQueued: 2, concurrency: 1 },
    })
    for (let n = 0; n < 5; n++) dispatch({ ...intent, kind: 'verify_email' })
    dispatch({ ...intent, kind })
    for (let n = 0; n < 20; n++) await new Promise((resolve) => setImmediate(resolve))
    assert.deepEqual(got, [kind])
    await close(0)
  }
})

test('dispatch: a failing channel is retried without resending on the others', async () => {
  const good = collector('good')
  let attempts = 0
  const flaky: NamedChannel = {
    name: 'flaky',
    async deliver() {
      if (++attempts < 3) throw new Error('no')
    },
  }
  const { dispatch, idle, lines } = testDispatch({ channels: [flaky, good.channel] })
  dispatch(intent)
  await idle()
  assert.deepEqual([attempts, good.got.length], [3, 1])
  assert.equal(lines.length, 2)
})

test('onGivenUp: gets channel, kind, reason and attempts', async () => {
  const lost: LostMessage[] = []
  const broken: NamedChannel = { name: 'broken', deliver: () => Promise.reject(new Error('no')) }
  const { dispatch, idle, close, lines } = testDispatch({
    channels: [broken],
    limits: { ...limits, maxQueued: 1 },
    onGivenUp: (message) => lost.push(message),
  })
  dispatch(intent)
  dispatch({ ...intent, kind: 'verify_email' })
  await idle()
  await close(1000)
  dispatch(intent)
  assert.deepEqual(lost, [
    { channel: 'broken', kind: 'verify_email', reason: 'full', attempts: 0 },
    { channel: 'broken', kind: 'reset_password', reason: 'failed', attempts: 3 },
    { channel: 'broken', kind: 'reset_password', reason: 'closed', attempts: 0 },
  ])
  assert.match(lines.join('\n'), /error dropped a message: too many are waiting/)
})

test('log: an error of a channel reveals no token, address or credentials', async () => {
  const phone = '+4915112345678'
  const causes = [
    `550 <ada@example.com>: no such user; link https://app.example.com/reset?token=${token}`,
    `550 <Ada@Example.COM> unknown`,
    `POST https://key:pa55word@api.example.com/send?to=${encodeURIComponent(phone)}&t=${token}`,
    `could not text ${phone.slice(1)}`,
  ]
  const channel: NamedChannel = {
    name: 'talks',
    deliver: async () => {
      const text = causes.shift() as string
      const cause = new Error(`caused by ${text}`)
      throw Object.assign(new Error(text, { cause }), { code: 'ETALKS', token, to: phone })
    },
  }
  const { dispatch, idle, lines } = testDispatch({
    channels: [channel],
    limits: { ...limits, attempts: 2 },
  })
  dispatch(intent)
  await idle()
  dispatch({ ...intent, recipient: phone, factor: 'phone' })
  await idle()
  const text = lines.join('\n')
  assert.equal(causes.length, 0)
  for (const leak of [token, 'ada@', 'Ada@', 'xample.com>', '15112345678', 'pa55word'])
    assert.ok(!text.includes(leak), leak)
  for (const kept of [
    'ETALKS',
    '"channel":"talks"',
    '"kind":"reset_password"',
    '550',
    'no such user',
    'dispatch.test.ts',
  ]) {
    assert.ok(text.includes(kept), kept)
  }
})

test('dispatch: a channel that throws a non-error is retried and logged without the token', async () => {
  const causes: unknown[] = ['text', null, { token }]
  const channel: NamedChannel = {
    name: 'odd',
    deliver: () => Promise.reject(causes.shift()),
  }
  const { dispatch, idle, lines } = testDispatch({ channels: [channel] })
  dispatch(intent)
  await idle()
  assert.equal(lines.length, 3)
  assert.ok(!lines.join('').includes(token))
})

test('deliver: drops messages with an expired token and updates the remaining validity', async (t) => {
  t.mock.timers.enable({ apis: ['Date'], now: 1_000_000 })
  const { channel, got } = collector()
  const jobs: DeliveryJob[] = []
  const queue = testDispatch({ channels: [channel], enqueue: (job) => void jobs.push(job) })
  queue.dispatch(intent)
  queue.dispatch({ ...intent, kind: 'password_changed', token: null, expiresInSeconds: 0 })
  await queue.idle()
  const deliverAll = async () => {
    for (const job of jobs) await queue.deliver(job)
    return got.splice(0).map(({ kind, expiresInSeconds }) => [kind, expiresInSeconds])
  }
  t.mock.timers.tick(59_000)
  assert.deepEqual(await deliverAll(), [
    ['reset_password', 3600],
    ['password_changed', 0],
  ])
  t.mock.timers.tick(1_541_000)
  assert.deepEqual(await deliverAll(), [
    ['reset_password', 2000],
    ['password_changed', 0],
  ])
  t.mock.timers.tick(2_000_000)
  assert.deepEqual(await deliverAll(), [['password_changed', 0]])
})

test('delivery.enqueue: gets one job per channel, without token or address in plain text', async () => {
  const [a, b] = [collector('a'), collector('b')]
  const jobs: DeliveryJob[] = []
  const { dispatch, deliver, idle } = testDispatch({
    channels: [a.channel, b.channel],
    enqueue: async (job) => void jobs.push(job),
  })
  dispatch(intent)
  assert.equal(jobs.length, 0, 'dispatch does not wait for the queue')
  await idle()
  assert.equal(jobs.length, 2)
  assert.deepEqual([a.got, b.got], [[], []])
  const text =
    JSON.stringify(jobs) +
    jobs.map(({ payload }) => Buffer.from(payload, 'base64url').toString('latin1')).join()
  for (const secretPart of [token, 'ada@', 'reset_password', 'notes'])
    assert.ok(!text.includes(secretPart), secretPart)
  for (const { id } of jobs) assert.match(id, /^[\w-]{22}$/)
  assert.notEqual(jobs[0]?.id, jobs[1]?.id)

  // As returned by a queue that stores JSON.
  for (const job of jobs) await deliver(JSON.parse(JSON.stringify(job)))
  assert.deepEqual([a.got, b.got], [[{ ...intent, user: ada }], [{ ...intent, user: ada }]])
})

test('delivery.enqueue: a failure retries the same job and is logged without the address', async () => {
  const ids = new Set<string>()
  let attempts = 0
  const { dispatch, idle, lines } = testDispatch({
    channels: [collector().channel],
    async enqueue({ id, payload }) {
      ids.add(id + payload)
      attempts++
      throw new Error(`no room for ${intent.recipient}`)
    },
  })
  dispatch(intent)
  await idle()
  assert.deepEqual([attempts, ids.size, lines.length], [3, 1, 3])
  assert.ok(!lines.join('').includes('ada@'))
})

test('deliver: tries a job once and throws failures without token and address', async () => {
  let attempts = 0
  const channel: NamedChannel = {
    name: 'email',
    async deliver({ recipient }) {
      if (++attempts < 3)
        throw Object.assign(new Error(`no ${recipient} ${token}`), { permanent: attempts === 2 })
    },
  }
  const jobs: DeliveryJob[] = []
  const { dispatch, deliver, idle } = testDispatch({
    channels: [channel],
    enqueue: (job) => void jobs.push(job),
  })
  dispatch(intent)
  await idle()
  const failure = async () => {
    const error = (await deliver(jobs[0]).catch((cause) => cause)) as Error & { permanent: boolean }
    assert.equal(error.name, 'DeliveryFailedError')
    const text = `${error.message} ${error.stack} ${JSON.stringify(error)} ${error.cause}`
    for (const leak of [token, 'ada@']) assert.ok(!text.includes(leak), leak)
    return error.permanent
  }
  assert.equal(await failure(), false)
  assert.equal(attempts, 1)
  assert.equal(await failure(), true)
  await deliver(jobs[0])
  assert.equal(attempts, 3)
})

test('deliver: a channel that hangs fails with CRUDAUTH_DELIVERY_TIMEOUT', async () => {
  const jobs: DeliveryJob[] = []
  const alive = setInterval(() => {}, 1000)
  const { dispatch, deliver, idle } = testDispatch({
    channels: [{ name: 'email', deliver: () => new Promise(() => {}) }],
    limits: { ...limits, attemptTimeoutMs: 10 },
    enqueue: (job) => void jobs.push(job),
  })
  dispatch(intent)
  await idle()
  await assert.rejects(deliver(jobs[0]), { code: 'CRUDAUTH_DELIVERY_TIMEOUT' })
  clearInterval(alive)
})

test('deliver: a job of a user who is not found is dropped silently', async () => {
  const { channel, got } = collector()
  const jobs: DeliveryJob[] = []
  const { dispatch, deliver, idle, lines } = testDispatch({
    channels: [channel],
    enqueue: (job) => void jobs.push(job),
  })
  dispatch({ ...intent, user: { id: 2 } })
  await idle()
  await deliver(jobs[0])
  assert.deepEqual([got, lines], [[], []])
})

test('deliver: malformed, tampered and foreign jobs fail permanently', async () => {
  const { channel, got } = collector()
  const jobs: DeliveryJob[] = []
  const { dispatch, deliver, idle } = testDispatch({
    channels: [channel],
    enqueue: (job) => void jobs.push(job),
  })
  dispatch(intent)
  await idle()
  const { id, payload } = jobs[0] as DeliveryJob
  const first = payload[0] === 'A' ? 'B' : 'A'
  const foreign: DeliveryJob[] = []
  const stranger = testDispatch({
    channels: [channel],
    keys: createKeyring('Zq7-another-secret-of-thirty-two-bytes!')('delivery'),
    enqueue: (job) => void foreign.push(job),
  })
  stranger.dispatch(intent)
  await stranger.idle()
  const bad = [
    { id, payload: first + payload.slice(1) },
    { id, payload: payload.slice(0, -2) },
    { id, payload: '' },
    { id, payload: 'A'.repeat(20_000) },
    { id, payload: 7 },
    { id },
    foreign[0],
    'text',
    null,
    undefined,
    [],
  ]
  for (const job of bad) {
    const error = await deliver(job).then(
      () => assert.fail('delivered'),
      (cause) => cause,
    )
    assert.deepEqual([error.code, error.permanent], ['CRUDAUTH_BAD_REQUEST', true])
    assert.ok(!`${error.stack}`.includes(payload.slice(5, 40)))
  }
  assert.deepEqual(got, [])
})

test('deliver: a job survives secret rotation while the old secret is listed', async () => {
  const { channel, got } = collector()
  const jobs: DeliveryJob[] = []
  const before = testDispatch({ channels: [channel], enqueue: (job) => void jobs.push(job) })
  before.dispatch(intent)
  await before.idle()
  const next = 'Zq7-another-secret-of-thirty-two-bytes!'
  const rotating = testDispatch({
    channels: [channel],
    keys: createKeyring([next, secret])('delivery'),
  })
  await rotating.deliver(jobs[0])
  assert.equal(got.length, 1)
  const rotated = testDispatch({ channels: [channel], keys: createKeyring(next)('delivery') })
  await assert.rejects(rotated.deliver(jobs[0]), { code: 'CRUDAUTH_BAD_REQUEST' })
})

test('deliver: a job for an unknown channel fails but can be retried', async () => {
  const jobs: DeliveryJob[] = []
  const before = testDispatch({
    channels: [collector('sms').channel],
    enqueue: (job) => void jobs.push(job),
  })
  before.dispatch(intent)
  await before.idle()
  const after = testDispatch({ channels: [collector('email').channel] })
  await assert.rejects(after.deliver(jobs[0]), {
    message: 'This app has no channel "sms"',
    permanent: false,
  })
})

test('deliver: rejects if the user store fails', async () => {
  const { channel, got } = collector()
  const jobs: DeliveryJob[] = []
  const { dispatch, deliver, idle } = testDispatch({
    channels: [channel],
    enqueue: (job) => void jobs.push(job),
    findUser: () => Promise.reject(new Error('down')),
  })
  dispatch(intent)
  await idle()
  await assert.rejects(deliver(jobs[0]), { message: 'down' })
  assert.deepEqual(got, [])
})

test('close: waits for messages and jobs, then closes the channels once', async () => {
  const order: string[] = []
  const gate = deferred()
  const channel: NamedChannel = {
    name: 'email',
    async deliver({ kind }) {
      await gate.promise
      order.push(kind)
    },
    close: () => void order.push('closed'),
  }
  const jobs: DeliveryJob[] = []
  const enqueuing = testDispatch({ channels: [channel], enqueue: (job) => void jobs.push(job) })
  enqueuing.dispatch({ ...intent, kind: 'verify_email' })
  await enqueuing.idle()
  const { dispatch, deliver, close } = testDispatch({ channels: [channel] })
  dispatch(intent)
  const delivered = deliver(jobs[0])
  const closed = close(60_000)
  assert.equal(close(0), closed)
  await assert.rejects(deliver(jobs[0]), { code: 'CRUDAUTH_UNAVAILABLE' })
  gate.resolve()
  await Promise.all([delivered, closed])
  assert.deepEqual(order.toSorted(), ['closed', 'reset_password', 'verify_email'])
  assert.equal(order.at(-1), 'closed')
})

test('close: returns even if a channel hangs in deliver and close', async () => {
  const alive = setInterval(() => {}, 1000)
  const hang = () => new Promise(() => {})
  const { dispatch, close, lines } = testDispatch({
    channels: [
      { name: 'hangs', deliver: hang, close: hang },
      {
        name: 'breaks',
        deliver() {},
        close() {
          throw new Error('smtp://u:pa55word@mail')
        },
      },
    ],
  })
  dispatch(intent)
  await close(20)
  clearInterval(alive)
  const text = lines.join('\n')
  assert.match(text, /the app closed before it was delivered.*"channel":"hangs"/)
  assert.equal(text.match(/could not close a channel/g)?.length, 2)
  assert.ok(!text.includes('pa55word'))
})
