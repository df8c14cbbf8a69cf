import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { test } from 'node:test'
import { root } from '../../scripts/source-graph.js'
import { type SmtpSenderOptions, smtpSender } from '../../src/email-senders/smtp.js'
import { moduleUrl, nodeFlags } from '../helpers/child.js'
import { connected, credentials, link, message, signedIn } from '../helpers/smtp.js'

test('a message arrives whole, over STARTTLS and signed in', async (t) => {
  const { smtp, sender } = await connected(t, { credentials }, ({ url }) => ({
    url: signedIn(url),
  }))
  await sender.send(message)
  const [mail] = smtp.messages
  assert.ok(mail)
  assert.deepEqual(
    [mail.secure, mail.user, mail.from, mail.to],
    [true, credentials.user, 'no-reply@mail.example.com', [message.to]],
  )
  assert.equal(mail.parsed.subject, message.subject)
  assert.equal(mail.parsed.text?.trimEnd(), message.text.trimEnd())
  assert.equal(mail.parsed.html, message.html)
  assert.equal(mail.parsed.attachments.length, 0)
  assert.deepEqual(mail.parsed.to && 'value' in mail.parsed.to && mail.parsed.to.value, [
    { address: message.to, name: '' },
  ])
})

test('a message arrives over TLS from the first byte, by host and port', async (t) => {
  const { smtp, sender } = await connected(t, { secure: true, credentials }, ({ host, port }) => ({
    url: undefined,
    host,
    port,
    secure: true,
    auth: credentials,
  }))
  await sender.send(message)
  assert.deepEqual([smtp.messages[0]?.secure, smtp.messages[0]?.user], [true, credentials.user])
})

test('a long link survives the encoding of the body, in text and in HTML', async (t) => {
  const { smtp, sender } = await connected(t)
  await sender.send(message)
  const [mail] = smtp.messages
  assert.match(mail?.raw ?? '', /quoted-printable/)
  assert.ok(!mail?.raw.includes(link), 'it is longer than a line may be')
  for (const line of mail?.raw.split('\r\n') ?? []) assert.ok(line.length <= 78, line)
  assert.ok(mail?.parsed.text?.split('\n').includes(link))
  assert.ok((mail?.parsed.html || '').includes(link.replaceAll('&', '&amp;')))
})

test('a message without HTML is plain text', async (t) => {
  const { smtp, sender } = await connected(t)
  const { html: _, ...plain } = message
  await sender.send(plain)
  assert.match(smtp.messages[0]?.raw ?? '', /^Content-Type: text\/plain; charset=utf-8\r$/m)
  assert.equal(smtp.messages[0]?.parsed.html, false)
})

test('headers say who sends, that a machine does, and that no holiday reply is wanted', async (t) => {
  const { smtp, sender } = await connected(t, {}, () => ({
    from: 'Müller & Söhne, "Shop" <no-reply@mail.example.com>',
    replyTo: { name: 'Help', address: 'help@example.com' },
  }))
  await sender.send(message)
  const { parsed } = smtp.messages[0] ?? assert.fail('nothing arrived')
  assert.deepEqual(parsed.from?.value, [
    { name: 'Müller & Söhne, "Shop"', address: 'no-reply@mail.example.com' },
  ])
  assert.deepEqual(parsed.replyTo?.value, [{ name: 'Help', address: 'help@example.com' }])
  assert.equal(parsed.headers.get('auto-submitted'), 'auto-generated')
  assert.equal(parsed.headers.get('x-auto-response-suppress'), 'OOF, AutoReply')
  assert.match(parsed.messageId ?? '', /^<[^@<>\s]+@mail\.example\.com>$/)
  assert.ok(parsed.date && Math.abs(parsed.date.getTime() - Date.now()) < 3_600_000)
  assert.ok(!parsed.headers.has('x-mailer'))
})

test('an address in any script arrives: the domain in its ASCII form, the local part by SMTPUTF8', async (t) => {
  const { smtp, sender } = await connected(t)
  await sender.send({ ...message, to: 'ada@xn--bcher-kva.example' })
  await sender.send({ ...message, to: 'grüße@xn--bcher-kva.example' })
  const [domain, local] = smtp.messages
  assert.deepEqual([domain?.parameters, local?.parameters], [[], ['SMTPUTF8']])
  assert.match(domain?.raw ?? '', /^To: ada@xn--bcher-kva\.example\r$/m)
  const address = (text?: string) => text && new URL(`http://${text.split('@')[1]}`).hostname
  assert.equal(address(local?.to[0]), 'xn--bcher-kva.example')
  assert.equal(local?.to[0]?.split('@')[0], 'grüße')
  assert.deepEqual([domain?.to.length, local?.to.length], [1, 1])
})

test('a subject and a body in any script arrive', async (t) => {
  const { smtp, sender } = await connected(t)
  const subject = 'Сбросьте пароль — パスワードの再設定 🔑'
  const text = `Ссылка действует один час.\n${link}\n再設定してください。\n`
  await sender.send({ ...message, subject, text })
  assert.equal(smtp.messages[0]?.parsed.subject, subject)
  assert.equal(smtp.messages[0]?.parsed.text?.trimEnd(), text.trimEnd())
})

const recipients = [
  'ada@example.com\r\nBcc: eve@example.com',
  'ada@example.com\nRCPT TO:<eve@example.com>',
  'ada@example.com\0',
  'ada@example.com,eve@example.com',
  'ada@example.com;eve@example.com',
  'ada@example.com eve@example.com',
  'Ada <eve@example.com>',
  '<eve@example.com>',
  'eve@example.com>',
  'ada@example.com> NOTIFY=SUCCESS',
  '"ada eve"@example.com',
  'group:ada@example.com;',
  'ada@example.com (eve)',
  '@relay.example:ada@example.com',
  'ada@eve@example.com',
  'ada@[127.0.0.1]',
  'ada\u2028@example.com',
  'ada@',
  '@example.com',
  'ada',
  '',
  `${'a'.repeat(400)}@example.com`,
  ['ada@example.com', 'eve@example.com'] as unknown as string,
  { name: 'Ada', address: 'eve@example.com' } as unknown as string,
]

test('what could be more than one recipient, or more than an address, is refused for good before anything is sent', async (t) => {
  const { smtp, sender } = await connected(t)
  for (const to of recipients) {
    await assert.rejects(
      async () => sender.send({ ...message, to }),
      { code: 'EENVELOPE', permanent: true },
      JSON.stringify(to),
    )
  }
  for (const subject of ['a\r\nBcc: eve@example.com', 'a\nb', 'a\rb']) {
    await assert.rejects(async () => sender.send({ ...message, subject }), {
      code: 'EMESSAGE',
      permanent: true,
    })
  }
  assert.deepEqual(smtp.messages, [])
  assert.equal(smtp.connections(), 0)
})

test('angle brackets, commas and look-alikes of headers in subject and body stay text', async (t) => {
  const { smtp, sender } = await connected(t)
  const subject =
    'To: eve@example.com, <eve@example.com> =?utf-8?Q?=0D=0ABcc:_eve@example.com?= \t\u2028 end'
  await sender.send({
    ...message,
    subject,
    text: '\r\n.\r\nMAIL FROM:<eve@example.com>\r\nBcc: eve@example.com\n.\n',
  })
  const [mail] = smtp.messages
  assert.equal(smtp.messages.length, 1)
  assert.deepEqual(mail?.to, ['ada@example.com'])
  const names = mail?.parsed.headerLines.map(({ key }) => key)
  assert.deepEqual(names, [
    'auto-submitted',
    'x-auto-response-suppress',
    'from',
    'to',
    'subject',
    'message-id',
    'date',
    'mime-version',
    'content-type',
  ])
  assert.ok(mail?.parsed.text?.includes('MAIL FROM:<eve@example.com>'))
})

test('nothing in a message reads a file or fetches a URL', async (t) => {
  const { smtp, sender } = await connected(t)
  for (const foreign of [{ path: '/etc/hostname' }, { href: 'http://127.0.0.1:1/' }]) {
    await assert.rejects(async () => sender.send({ ...message, text: foreign as never }))
    await assert.rejects(async () => sender.send({ ...message, html: foreign as never }))
  }
  assert.deepEqual(smtp.messages, [])
})

test('many messages at once go over a few connections, each once', async (t) => {
  const { smtp, sender } = await connected(t, {}, () => ({ maxConnections: 2 }))
  const to = Array.from({ length: 20 }, (_, i) => `user${i}@example.com`)
  let most = 0
  const watch = setInterval(() => {
    most = Math.max(most, smtp.connections())
  }, 1)
  await Promise.all(to.map((one) => sender.send({ ...message, to: one })))
  clearInterval(watch)
  assert.deepEqual(smtp.messages.flatMap((mail) => mail.to).sort(), [...to].sort())
  assert.ok(most <= 2, `${most} connections`)
})

test('a server whose certificate nobody vouches for gets neither credentials nor a message', async (t) => {
  for (const secure of [false, true]) {
    const asked: string[] = []
    const refuse = (step: string) => void asked.push(step)
    const { smtp, sender } = await connected(t, { secure, credentials, refuse }, ({ url }) => ({
      url: signedIn(url),
      tls: {},
    }))
    await assert.rejects(async () => sender.send(message), /certificate/i)
    assert.deepEqual(smtp.messages, [])
    assert.ok(!asked.includes('auth'))
  }
})

test('without TLS on the server nothing is sent in the clear, unless that was asked for', async (t) => {
  const asked: string[] = []
  const server = { plain: true, credentials, refuse: (step: string) => void asked.push(step) }
  const strict = await connected(t, server, ({ url }) => ({ url: signedIn(url) }))
  await assert.rejects(async () => strict.sender.send(message), { code: 'ETLS' })
  // Nor when a sloppy copy of settings contradicts it.
  const sloppy = await connected(t, server, ({ url }) => ({
    url: signedIn(url),
    transport: { ignoreTLS: true, opportunisticTLS: true, requireTLS: false, secure: false },
  }))
  await assert.rejects(async () => sloppy.sender.send(message), { code: 'ETLS' })
  assert.ok(!asked.includes('auth') && !asked.includes('mail'))

  const loose = await connected(t, server, ({ url }) => ({
    url: signedIn(url),
    allowInsecure: true,
  }))
  await loose.sender.send(message)
  assert.deepEqual(
    [loose.smtp.messages[0]?.secure, loose.smtp.messages[0]?.user],
    [false, credentials.user],
  )
})

test('closing ends the connections, and a message after it is refused', async (t) => {
  const { smtp, sender } = await connected(t)
  await sender.send(message)
  assert.equal(smtp.connections(), 1)
  await sender.close?.()
  while (smtp.connections() > 0) await new Promise((resolve) => setImmediate(resolve))
  await assert.rejects(async () => sender.send(message), /closed/)
  await sender.close?.()
})

const from = 'no-reply@example.com'
const mistakes: [what: string, options: object, message: RegExp][] = [
  ['no server', { from }, /"smtpSender" needs "url" or "host"/],
  [
    'a URL of the web',
    { from, url: 'https://smtp.example.com' },
    /"smtpSender\.url" must be a URL such as/,
  ],
  ['a URL without a host', { from, url: 'smtps://' }, /"smtpSender\.url" must be a URL/],
  ['a variable that is not set', { from, url: '' }, /"smtpSender\.url" must be a URL/],
  [
    'TLS that is no object',
    { from, host: 'mail.example.com', tls: 5 },
    /"smtpSender.tls" must be an object, got 5/,
  ],
  [
    'a URL with options',
    { from, url: 'smtps://mail.example.com?tls.rejectUnauthorized=false' },
    /must end with the port/,
  ],
  ['a URL with a path', { from, url: 'smtps://mail.example.com/inbox' }, /must end with the port/],
  ['a URL with a bare %', { from, url: 'smtps://user:100%@mail.example.com' }, /write it as %25/],
  [
    'URL and host',
    { from, url: 'smtps://a.example', host: 'b.example' },
    /"url" or "host", not both/,
  ],
  [
    'URL and credentials apart',
    { from, url: 'smtps://a.example', auth: credentials },
    /"url" or "auth", not both/,
  ],
  [
    'half credentials',
    { from, host: 'a.example', auth: { user: 'u' } },
    /"smtpSender\.auth" must be/,
  ],
  ['no sender', { host: 'a.example' }, /"smtpSender\.from" must be one address/],
  [
    'two senders',
    { host: 'a.example', from: 'a@b.example, c@d.example' },
    /"smtpSender\.from" must be one/,
  ],
  [
    'a sender with a line break',
    { host: 'a.example', from: { name: 'A\r\nBcc: x', address: from } },
    /"smtpSender\.from"/,
  ],
  ['a sender that is none', { host: 'a.example', from: 'Example' }, /"smtpSender\.from"/],
  ['a wrong reply-to', { host: 'a.example', from, replyTo: 'x' }, /"smtpSender\.replyTo"/],
  [
    'an unknown option',
    { host: 'a.example', from, secured: true },
    /"smtpSender" has no option "secured"/,
  ],
  ['a port beyond', { host: 'a.example', from, port: 70_000 }, /"smtpSender\.port"/],
  ['no connection', { host: 'a.example', from, maxConnections: 0 }, /"smtpSender\.maxConnections"/],
  ['no time', { host: 'a.example', from, socketSeconds: 0 }, /"smtpSender\.socketSeconds"/],
  [
    'a transport that is none',
    { host: 'a.example', from, transport: 'x' },
    /"smtpSender\.transport" must be an object/,
  ],
  [
    'credentials in the clear to another machine',
    { url: 'smtp://user:pa55word@mail.example.com', from, allowInsecure: true },
    /would send credentials without TLS/,
  ],
  [
    'credentials of OAuth in the clear to another machine',
    {
      host: 'mail.example.com',
      from,
      allowInsecure: true,
      transport: { auth: { type: 'OAuth2' } },
    },
    /would send credentials without TLS/,
  ],
]

for (const [what, options, expected] of mistakes) {
  test(`${what}: refused at start, with what to change and without a password`, () => {
    assert.throws(
      () => smtpSender(options as SmtpSenderOptions),
      (error: Error & { code: string }) => {
        assert.equal(error.code, 'CRUDAUTH_CONFIG')
        assert.match(error.message, expected)
        assert.doesNotMatch(error.message, /pa55|100%@/)
        return true
      },
    )
  })
}

test('a relay of the own network may do without TLS where there are no credentials', async () => {
  await smtpSender({ url: 'smtp://mail.internal:25', from, allowInsecure: true }).close?.()
})

test('where nodemailer is not installed the mistake says so', () => {
  const source = moduleUrl('src/email-senders/smtp.ts')
  const code = `
    import Module from 'node:module'
    const resolve = Module._resolveFilename
    Module._resolveFilename = function (name, ...rest) {
      if (name === 'nodemailer') throw Object.assign(new Error('Cannot find module'), { code: 'MODULE_NOT_FOUND' })
      return resolve.call(this, name, ...rest)
    }
    const { smtpSender } = await import('${source}')
    try { smtpSender({ host: 'mail.example.com', from: 'a@example.com' }) } catch ({ code, message }) { console.log(code, message) }`
  const { stdout, stderr } = spawnSync(
    process.execPath,
    [...nodeFlags, '--input-type=module', '-e', code],
    {
      cwd: root,
      encoding: 'utf8',
    },
  )
  assert.equal(
    stdout,
    'CRUDAUTH_CONFIG smtpSender() needs the package "nodemailer"; install it: npm install nodemailer\n',
    stderr,
  )
})
