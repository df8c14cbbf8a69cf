import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { logSender } from '../../src/email-senders/log.js'
import type { EmailMessage } from '../../src/ports/email-sender.js'

const message: EmailMessage = {
  to: 'ada@example.com',
  subject: 'Reset your password',
  text: 'Here:\nhttp://localhost:3000/reset-password?token=abc\n',
  html: '<p>Here</p>',
  kind: 'reset_password',
  context: {
    link: 'http://localhost:3000/reset-password?token=abc',
    recipient: 'ada@example.com',
    expiresInSeconds: 3600,
  },
}

function inEnvironment(t: TestContext, value: string | undefined) {
  const { NODE_ENV } = process.env
  const set = (to: string | undefined) => {
    if (to === undefined) delete process.env.NODE_ENV
    else process.env.NODE_ENV = to
  }
  set(value)
  t.after(() => set(NODE_ENV))
}

test('logSender: logs the email with its link, and says that it was not sent', (t) => {
  inEnvironment(t, undefined)
  const lines: string[] = []
  logSender({ log: { info: (line) => lines.push(line) } }).send(message)
  assert.equal(lines.length, 1)
  assert.match(
    lines[0] ?? '',
    /^Not sent: logSender\(\) is for development\.\nTo: ada@example\.com\nSubject: Reset your password\n/,
  )
  assert.ok(lines[0]?.includes(message.context.link))
  assert.ok(!lines[0]?.includes('<p>'))
})

test('logSender: logs to the console by default', (t) => {
  inEnvironment(t, 'development')
  const info = t.mock.method(console, 'info', () => {})
  logSender().send(message)
  assert.equal(info.mock.callCount(), 1)
})

test('logSender: in production it throws and names smtpSender, unless allowInProduction is true', (t) => {
  inEnvironment(t, 'production')
  for (const options of [undefined, {}, { allowInProduction: false }]) {
    assert.throws(() => logSender(options), {
      code: 'CRUDAUTH_CONFIG',
      message: /smtpSender\(\) of "fastify-crudauth\/email\/smtp"/,
    })
  }
  assert.throws(() => logSender({ allowInProduction: 'yes' as never }), { code: 'CRUDAUTH_CONFIG' })
  const lines: string[] = []
  logSender({ log: { info: (line) => lines.push(line) }, allowInProduction: true }).send(message)
  assert.equal(lines.length, 1)
})

test('logSender: an invalid logger or an unknown option is refused', () => {
  assert.throws(() => logSender({ log: {} as never }), {
    code: 'CRUDAUTH_CONFIG',
    message: /"logSender\.log" must be a logger/,
  })
  assert.throws(() => logSender({ logger: console } as never), {
    code: 'CRUDAUTH_CONFIG',
    message: /no option "logger"/,
  })
})
