import assert from 'node:assert/strict'
import { test } from 'node:test'
import { resolveDelivery } from '../../../src/core/delivery/options.js'

type Options = Parameters<typeof resolveDelivery>[0]

const sender = { send() {} }
const email = { sender, frontendUrl: 'https://app.example.com' }
const sms = { name: 'sms', deliver() {} }

const emailWith = (options: object) => ({ email: { ...email, ...options } }) as Options

test('resolveDelivery: returns null without email and channels', () => {
  assert.equal(resolveDelivery({}), null)
  assert.equal(resolveDelivery({ channels: [] }), null)
})

test('resolveDelivery: applies the defaults and freezes the result', () => {
  const resolved = resolveDelivery({ email })
  assert.deepEqual(resolved, {
    email: {
      sender,
      frontendUrl: 'https://app.example.com',
      paths: {
        verify: '/verify-email',
        reset: '/reset-password',
        change: '/confirm-email-change',
        revert: '/revert-email',
      },
      render: undefined,
    },
    channels: [],
    lifetimes: {
      verifySeconds: 86_400,
      resetSeconds: 3600,
      changeSeconds: 3600,
      revertSeconds: 259_200,
    },
    enqueue: undefined,
    limits: {
      maxQueued: 1000,
      concurrency: 4,
      attempts: 6,
      firstRetryMs: 1000,
      maxRetryMs: 300_000,
      attemptTimeoutMs: 30_000,
    },
    drainMs: 10_000,
  })
  for (const part of [
    resolved,
    resolved?.email,
    resolved?.email?.paths,
    resolved?.channels,
    resolved?.limits,
    resolved?.lifetimes,
  ]) {
    assert.ok(Object.isFrozen(part))
  }
})

test('resolveDelivery: given options override the defaults', () => {
  const render = () => ({ subject: 's', text: 't' })
  const enqueue = () => {}
  const resolved = resolveDelivery({
    email: { ...email, paths: { reset: '/auth/reset/' }, resetSeconds: 600, render },
    delivery: { enqueue, firstRetrySeconds: 0.5, attemptSeconds: 2, drainSeconds: 0 },
  })
  assert.equal(resolved?.email?.paths.reset, '/auth/reset/')
  assert.equal(resolved?.email?.paths.verify, '/verify-email')
  assert.equal(resolved?.email?.render, render)
  assert.equal(resolved?.lifetimes.resetSeconds, 600)
  assert.equal(resolved?.enqueue, enqueue)
  assert.deepEqual(
    [resolved?.limits.firstRetryMs, resolved?.limits.attemptTimeoutMs, resolved?.drainMs],
    [500, 2000, 0],
  )
})

test('delivery.firstRetrySeconds: a long first delay raises the maximum delay', () => {
  assert.equal(
    resolveDelivery({ email, delivery: { firstRetrySeconds: 600 } })?.limits.maxRetryMs,
    600_000,
  )
})

test('channels: methods stay bound, and unnamed channels are named by position', async () => {
  class Sms {
    readonly name = 'sms'
    readonly sent: unknown[] = []
    closed = false
    deliver(intent: unknown) {
      this.sent.push(intent)
    }
    close() {
      this.closed = true
    }
  }
  const channel = new Sms()
  const resolved = resolveDelivery({ channels: [{ deliver() {} }, channel, { deliver() {} }] })
  assert.equal(resolved?.email, null)
  assert.deepEqual(
    resolved?.channels.map(({ name }) => name),
    ['channel-1', 'sms', 'channel-3'],
  )
  const bound = resolved?.channels[1]
  const { deliver, close } = bound ?? assert.fail('no channel')
  await deliver('intent' as never)
  await close?.()
  assert.deepEqual([channel.sent, channel.closed], [['intent'], true])
  assert.equal(resolved?.channels[0]?.close, undefined)
})

for (const url of [
  'https://app.example.com/',
  'https://app.example.com/account',
  'http://localhost:5173',
  'http://127.0.0.1:8080',
  'http://[::1]:8080',
  'http://shop.localhost',
  'https://bücher.example',
]) {
  test(`email.frontendUrl: ${url} is accepted, and a trailing slash is removed`, () => {
    const frontendUrl = resolveDelivery(emailWith({ frontendUrl: url }))?.email?.frontendUrl
    assert.equal(frontendUrl, new URL(url).href.replace(/\/$/, ''))
  })
}

for (const url of [
  'http://app.example.com',
  'http://127.0.0.1.example.com',
  'http://localhost.example.com',
  'https://user:pa55word@app.example.com',
  'https://app.example.com/?',
  'https://app.example.com/#',
  'https://app.example.com/?a=b',
  'https://app.example.com/#a',
  'app.example.com',
  '/app',
  '//app.example.com',
  'javascript:alert(1)',
  '',
  7,
  undefined,
]) {
  test(`email.frontendUrl: ${JSON.stringify(url)} is refused`, () => {
    assert.throws(
      () => resolveDelivery(emailWith({ frontendUrl: url })),
      (error: Error & { code: string }) => {
        assert.equal(error.code, 'CRUDAUTH_CONFIG')
        assert.match(error.message, /^"email\.frontendUrl" must/)
        assert.ok(!error.message.includes('pa55word'))
        return true
      },
    )
  })
}

for (const path of [
  'verify',
  '',
  '/',
  '//evil.example',
  '/a//b',
  '/a?b',
  '/a#b',
  '/a b',
  '/a\n',
  'https://evil.example/',
  7,
  null,
]) {
  test(`email.paths: ${JSON.stringify(path)} is refused`, () => {
    assert.throws(() => resolveDelivery(emailWith({ paths: { reset: path } })), {
      code: 'CRUDAUTH_CONFIG',
      message: /^"email\.paths\.reset" must be a path such as "\/reset-password"/,
    })
  })
}

const mistakes: [what: string, options: object, message: RegExp][] = [
  [
    'no sender',
    { email: { frontendUrl: 'https://a.example' } },
    /"email\.sender" must have a "send" function, got undefined/,
  ],
  ['a sender that is a function', emailWith({ sender() {} }), /"email\.sender" must have/],
  [
    'a sender whose close is not a function',
    emailWith({ sender: { send() {}, close: true } }),
    /"email\.sender\.close" must be a function/,
  ],
  ['email as a string', { email: 'smtp://mail' }, /"email" must be an object/],
  ['an unknown option of email', emailWith({ url: 'x' }), /"email" has no option "url"/],
  [
    'an unknown page',
    emailWith({ paths: { login: '/login' } }),
    /"email\.paths" has no option "login"/,
  ],
  [
    'a lifetime of 0',
    emailWith({ resetSeconds: 0 }),
    /"email\.resetSeconds" must be a whole number/,
  ],
  [
    'an infinite lifetime',
    emailWith({ verifySeconds: Number.POSITIVE_INFINITY }),
    /"email\.verifySeconds" must be/,
  ],
  [
    'a render that is not a function',
    emailWith({ render: 'x' }),
    /"email\.render" must be a function/,
  ],
  ['channels that are not an array', { channels: sms }, /"channels" must be an array/],
  [
    'a channel without deliver',
    { channels: [{ name: 'sms' }] },
    /"channels" takes objects with a "deliver" function; the one at 0/,
  ],
  ['null as a channel', { channels: [null] }, /"channels" takes objects/],
  [
    'a channel name with a space',
    { channels: [{ name: 'a b', deliver() {} }] },
    /"name" of the channel at 0/,
  ],
  ['two channels with one name', { channels: [sms, sms] }, /"channels" has two of the name "sms"/],
  [
    'a channel with the default name of another',
    { channels: [{ ...sms, name: 'channel-2' }, { deliver() {} }] },
    /two of the name/,
  ],
  [
    'a channel with the name of the email channel',
    { email, channels: [{ ...sms, name: 'email' }] },
    /two of the name "email"/,
  ],
  ['delivery without a channel', { delivery: {} }, /"delivery" needs "email" or "channels"/],
  [
    'an unknown option of delivery',
    { email, delivery: { retries: 3 } },
    /"delivery" has no option "retries"/,
  ],
  [
    'an "attempts" of 0',
    { email, delivery: { attempts: 0 } },
    /"delivery\.attempts" must be a whole number from 1/,
  ],
  ['a concurrency of 0', { email, delivery: { concurrency: 0 } }, /"delivery\.concurrency"/],
  ['a maxQueued of 0', { email, delivery: { maxQueued: 0 } }, /"delivery\.maxQueued"/],
  [
    'a firstRetrySeconds of 0',
    { email, delivery: { firstRetrySeconds: 0 } },
    /"delivery\.firstRetrySeconds" must be a number above 0/,
  ],
  [
    'an attemptSeconds of a day',
    { email, delivery: { attemptSeconds: 86_400 } },
    /"delivery\.attemptSeconds" must be/,
  ],
  [
    'a negative drainSeconds',
    { email, delivery: { drainSeconds: -1 } },
    /"delivery\.drainSeconds"/,
  ],
  [
    'an enqueue that is not a function',
    { email, delivery: { enqueue: {} } },
    /"delivery\.enqueue" must be a function/,
  ],
]

for (const [what, options, message] of mistakes) {
  test(`${what}: refused with a message that says what to change`, () => {
    assert.throws(() => resolveDelivery(options as Options), { code: 'CRUDAUTH_CONFIG', message })
  })
}

test('channels: the name "email" is allowed without the email channel', () => {
  assert.equal(
    resolveDelivery({ channels: [{ ...sms, name: 'email' }] })?.channels[0]?.name,
    'email',
  )
})

test('identity.recovery: a field that no channel can reach is refused', () => {
  assert.throws(
    () => resolveDelivery({ email }, 'phone'),
    /"identity.recovery" is "phone", which email cannot reach/,
  )
  assert.ok(resolveDelivery({ email, channels: [{ deliver() {} }] }, 'phone'))
  assert.ok(resolveDelivery({ email }, 'email'))
  assert.ok(resolveDelivery({ email }, null))
})

for (const path of ['/../x', '/a/./b', '/a/..']) {
  test(`email.paths: dot segments are refused: ${path}`, () => {
    assert.throws(
      () => resolveDelivery({ email: { ...email, paths: { reset: path } } }),
      /"email.paths.reset"/,
    )
  })
}
