import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { deliveryFailure } from '../../../src/core/delivery/delivery-error.js'
import { moduleUrl, nodeFlags } from '../../helpers/child.js'
import { intent } from '../../helpers/delivery.js'

const { token, recipient } = intent
const told = (cause: unknown) => {
  const failure = deliveryFailure(cause, intent)
  return { ...failure, message: failure.message, stack: String(failure.stack), code: failure.code }
}
const hides = (text: string) => {
  for (const secret of [token as string, recipient, recipient.slice(0, 4)])
    assert.ok(!text.includes(secret), text)
}

test('deliveryFailure: a long message is truncated and redacted', () => {
  const { message } = told(new Error(`first ${'a '.repeat(1200)} LATE ${recipient} ${token}`))
  assert.match(message, /^first a a/)
  assert.ok(message.length <= 500, `${message.length}`)
  // A secret cut in two by the search limit doesn't show, because the message is far shorter.
  for (let before = 1900; before < 2010; before++)
    hides(told(new Error(`${'- '.repeat(before / 2)}${token} ${recipient}`)).message)
  // Redaction makes no room for text beyond the search limit.
  const many = told(new Error(`first ${`${'a'.repeat(60)}@example.com `.repeat(60)} LATE`))
  assert.match(many.message, /^first \[…\]/)
  assert.doesNotMatch(many.message, /LATE|a@/)
})

// Searching any of these as a whole takes quadratic time or worse.
const pathological: Record<string, string> = {
  'one word': 'A'.repeat(100_000),
  'a word and an at sign': `${'A'.repeat(100_000)}@`,
  'at signs': '@'.repeat(100_000),
  'the beginnings of URLs': '//'.repeat(50_000),
  spaces: `    at ${' '.repeat(100_000)}`,
  'frames that do not end': `\n    at ${'x:1'.repeat(33_000)}`,
  'many lines': '\n    at a (b:1:1)'.repeat(6000),
}

test('deliveryFailure: 100 kB of hostile text cause no catastrophic backtracking', () => {
  const source = moduleUrl('src/core/delivery/delivery-error.ts')
  const code = `
    import { readFileSync, writeSync } from 'node:fs'
    const { deliveryFailure } = await import(${JSON.stringify(source)})
    const { texts, intent } = JSON.parse(readFileSync(0, 'utf8'))
    for (const [name, text] of Object.entries(texts)) {
      for (const cause of [new Error(text), text, ...['stack', 'code'].map((key) => Object.assign(new Error('x'), { [key]: text }))]) {
        const { message, stack } = deliveryFailure(cause, intent)
        writeSync(1, JSON.stringify([name, message.length, stack.length]) + '\\n')
      }
    }`
  // In a separate process, because a running search can only be stopped from outside.
  const { stdout, stderr } = spawnSync(
    process.execPath,
    [...nodeFlags, '--input-type=module', '-e', code],
    {
      cwd: fileURLToPath(new URL('../../..', import.meta.url)),
      encoding: 'utf8',
      input: JSON.stringify({ texts: pathological, intent: { token, recipient } }),
      timeout: 60_000,
    },
  )
  const done = stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as [string, number, number])
  assert.equal(
    done.length,
    4 * Object.keys(pathological).length,
    `it hangs after ${JSON.stringify(done.at(-1))} ${stderr}`,
  )
  for (const [name, message, stack] of done)
    assert.ok(message <= 500 && stack < 20_000, `${name}: ${message} ${stack}`)
})

test('deliveryFailure: the stack reveals neither the token nor the address', () => {
  const link = `https://app.example.com/reset?token=${token}`
  const lies = new Error(
    `upstream said\n    at https://api.example/send?to=${recipient}&token=${token}`,
  )
  hides(told(lies).stack)
  assert.equal(
    told(lies).stack.split('api.example').length,
    2,
    'the URL is in the message and in no frame',
  )

  const frames = [
    'Error: no',
    `    at send (${link}:1:2)`,
    `    at ${recipient} (file:///app/a.js:1:2)`,
    `    at Object.${token} (/app/b.js:3:4)`,
    `    at SMTP said ${token}`,
    `    attention: ${recipient}:1:1 is gone`,
    '    at ok (/app/mail/sender.js:10:5)',
    '    at async /app/mail/other.js:7:9',
  ]
  const forged = Object.assign(new Error('no'), { stack: frames.join('\n') })
  const { stack } = told(forged)
  hides(stack)
  assert.match(stack, /at ok \(\/app\/mail\/sender\.js:10:5\)/)
  assert.match(stack, /at async \/app\/mail\/other\.js:7:9/)
  assert.doesNotMatch(stack, /SMTP said|attention/)
  // A stack that repeats its message, whose lines look like frames.
  const repeated = new Error(`no\n    at ${recipient} (x.js:1:1)\n    at b (${token}.js:2:2)`)
  hides(told(repeated).stack)
  assert.match(
    told(repeated).stack,
    /delivery-error\.test\.ts/,
    'the location of the error is kept',
  )
})

test('deliveryFailure: a code with the token or address is replaced; ordinary ones are kept', () => {
  for (const code of [
    token,
    `E_${token}`,
    `x:${token}.y`,
    recipient,
    `E ${recipient}`,
    'ada%40example.com',
    'E'.repeat(100),
    550,
    {},
  ]) {
    const failure = told(Object.assign(new Error('no'), { code }))
    assert.equal(failure.code, 'CRUDAUTH_DELIVERY_FAILED', String(code))
    hides(JSON.stringify(failure))
  }
  for (const code of [
    'EAUTH',
    'ECONNREFUSED',
    'CRUDAUTH_DELIVERY_TIMEOUT',
    'rate.limited',
    'x-1:2',
  ]) {
    assert.equal(told(Object.assign(new Error('no'), { code })).code, code)
  }
})

test('deliveryFailure: a phone number is redacted from message, code and stack', () => {
  const phone = '+4915112345678'
  for (const code of [phone.slice(1), `to:${phone.slice(1)}`]) {
    const failure = deliveryFailure(
      Object.assign(new Error(`no ${phone} ${encodeURIComponent(phone)}`), { code }),
      {
        token: null,
        recipient: phone,
      },
    )
    assert.ok(!`${failure.message} ${failure.code} ${failure.stack}`.includes('15112345678'))
  }
})

test('deliveryFailure: non-errors and errors without a stack are redacted and not permanent', () => {
  const permanent = told(Object.assign(new Error('no'), { permanent: true }))
  assert.equal(permanent.permanent, true)
  for (const cause of [
    null,
    undefined,
    7,
    {},
    { message: recipient },
    Object.assign(new Error('no'), { stack: undefined }),
  ]) {
    const failure = told(cause)
    hides(`${failure.message} ${failure.stack}`)
    assert.equal(failure.permanent, false)
  }
})
