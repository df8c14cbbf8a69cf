import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { test } from 'node:test'
import { root } from '../../scripts/source-graph.js'
import { type SmtpSenderOptions, smtpSender } from '../../src/email-senders/smtp.js'
import { moduleUrl, nodeFlags } from '../helpers/child.js'
import { connected, credentials, link, message, signedIn } from '../helpers/smtp.js'

test('smtpSender: delivers text and HTML over STARTTLS with authentication', async (t) => {
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

test('smtpSender: delivers over implicit TLS, configured by host and port', async (t) => {
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

test('smtpSender: a long link survives quoted-printable encoding, in text and HTML', async (t) => {
  const { smtp, sender } = await connected(t)
  await sender.send(message)
  const [mail] = smtp.messages
  assert.match(mail?.raw ?? '', /quoted-printable/)
  assert.ok(!mail?.raw.includes(link), 'the link is longer than the maximum line length')
  for (const line of mail?.raw.split('\r\n') ?? []) assert.ok(line.length <= 78, line)
  assert.ok(mail?.parsed.text?.split('\n').includes(link))
  assert.ok((mail?.parsed.html || '').includes(link.replaceAll('&', '&amp;')))
})

test('smtpSender: a message without HTML is sent as text/plain', async (t) => {
  const { smtp, sender } = await connected(t)
  const { html: _, ...plain } = message
  await sender.send(plain)
  assert.match(smtp.messages[0]?.raw ?? '', /^Content-Type: text\/plain; charset=utf-8\r$/m)
  assert.equal(smtp.messages[0]?.parsed.html, false)
})

test('smtpSender: sets From, Reply-To and headers that suppress automatic replies', async (t) => {
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

test('smtpSender: Unicode addresses use a Punycode domain, and SMTPUTF8 for the local part', async (t) => {
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

test('smtpSender: Unicode subjects and bodies arrive unchanged', async (t) => {
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

test('smtpSender: invalid or multiple recipients and header injection fail without a connection', async (t) => {
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

test('smtpSender: header-like text and SMTP commands in subject and body stay text', async (t) => {
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

test('smtpSender: text and html cannot read files or fetch URLs', async (t) => {
  const { smtp, sender } = await connected(t)
  for (const foreign of [{ path: '/etc/hostname' }, { href: 'http://127.0.0.1:1/' }]) {
    await assert.rejects(async () => sender.send({ ...message, text: foreign as never }))
    await assert.rejects(async () => sender.send({ ...message, html: foreign as never }))
  }
  assert.deepEqual(smtp.messages, [])
})

test('smtpSender: parallel messages share maxConnections, and each is sent once', async (t) => {
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

test('smtpSender: a server with an untrusted certificate gets no credentials and no message', async (t) => {
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

test('smtpSender: a server without TLS gets nothing unless allowInsecure is set', async (t) => {
  const asked: string[] = []
  const server = { plain: true, credentials, refuse: (step: string) => void asked.push(step) }
  const strict = await connected(t, server, ({ url }) => ({ url: signedIn(url) }))
  await assert.rejects(async () => strict.sender.send(message), { code: 'ETLS' })
  // Nodemailer options copied from elsewhere do not turn TLS off.
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

test('smtpSender: close ends the connections, and later messages are refused', async (t) => {
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
    'an HTTP URL',
    { from, url: 'https://smtp.example.com' },
    /"smtpSender\.url" must be a URL such as/,
  ],
  ['a URL without a host', { from, url: 'smtps://' }, /"smtpSender\.url" must be a URL/],
  ['an empty URL', { from, url: '' }, /"smtpSender\.url" must be a URL/],
  [
    '"tls" that is not an object',
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
    '"url" and "host" together',
    { from, url: 'smtps://a.example', host: 'b.example' },
    /"url" or "host", not both/,
  ],
  [
    '"url" and "auth" together',
    { from, url: 'smtps://a.example', auth: credentials },
    /"url" or "auth", not both/,
  ],
  [
    'credentials without a password',
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
  ['a sender that is not an address', { host: 'a.example', from: 'Example' }, /"smtpSender\.from"/],
  [
    'an invalid reply-to address',
    { host: 'a.example', from, replyTo: 'x' },
    /"smtpSender\.replyTo"/,
  ],
  [
    'an unknown option',
    { host: 'a.example', from, secured: true },
    /"smtpSender" has no option "secured"/,
  ],
  ['a port above 65535', { host: 'a.example', from, port: 70_000 }, /"smtpSender\.port"/],
  [
    'zero connections',
    { host: 'a.example', from, maxConnections: 0 },
    /"smtpSender\.maxConnections"/,
  ],
  [
    'a timeout of zero',
    { host: 'a.example', from, socketSeconds: 0 },
    /"smtpSender\.socketSeconds"/,
  ],
  [
    'a transport that is not an object',
    { host: 'a.example', from, transport: 'x' },
    /"smtpSender\.transport" must be an object/,
  ],
  [
    'credentials without TLS to another host',
    { url: 'smtp://user:pa55word@mail.example.com', from, allowInsecure: true },
    /would send credentials without TLS/,
  ],
  [
    'OAuth credentials without TLS to another host',
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
  test(`${what}: smtpSender throws, says how to fix it and leaks no password`, () => {
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

test('smtpSender: allowInsecure without credentials allows a relay without TLS', async () => {
  await smtpSender({ url: 'smtp://mail.internal:25', from, allowInsecure: true }).close?.()
})

test('smtpSender: if nodemailer is missing, the error names the package to install', () => {
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
