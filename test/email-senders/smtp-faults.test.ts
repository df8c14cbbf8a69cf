import assert from 'node:assert/strict'
import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { type TestContext, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { type SmtpOptions, startSmtp } from '../../scripts/services/smtp.js'
import { emailChannel } from '../../src/core/delivery/email-channel.js'
import { type SmtpSenderOptions, smtpSender } from '../../src/email-senders/smtp.js'
import { deferred, intent, type LostMessage, limits, testDispatch } from '../helpers/delivery.js'
import { credentials, signedIn } from '../helpers/smtp.js'

const paths = {
  verify: '/verify-email',
  reset: '/reset-password',
  change: '/confirm-email-change',
  revert: '/revert-email',
}
const quick = { connectSeconds: 5, greetingSeconds: 5, socketSeconds: 5 }

/** The whole delivery path, from an intent to a mail server. */
function mailer(
  t: TestContext,
  options: Partial<SmtpSenderOptions>,
  queue: Partial<typeof limits> = {},
) {
  const lost: LostMessage[] = []
  const sender = smtpSender({ from: 'no-reply@mail.example.com', ...quick, ...options })
  const made = testDispatch({
    channels: [emailChannel({ sender, frontendUrl: 'https://app.example.com', paths })],
    limits: { ...limits, ...queue },
    onGivenUp: (message) => lost.push(message),
  })
  t.after(() => made.close(0))
  return { ...made, lost }
}

async function server(t: TestContext, options: SmtpOptions = {}) {
  const smtp = await startSmtp(options)
  t.after(() => smtp.stop())
  return smtp
}

/** A TCP server for one test. Its connections are closed with it. */
async function tcp(t: TestContext, onSocket: (socket: Socket) => void): Promise<string> {
  const sockets = new Set<Socket>()
  const listener = createServer((socket) => {
    sockets.add(socket)
    socket.on('error', () => {})
    onSocket(socket)
  }).listen(0, '127.0.0.1')
  await once(listener, 'listening')
  t.after(() => {
    for (const socket of sockets) socket.destroy()
    listener.close()
  })
  return `smtp://127.0.0.1:${(listener.address() as AddressInfo).port}`
}

function leaksNothing(lines: readonly string[]): void {
  const text = lines.join('\n')
  const secrets = [
    intent.token as string,
    intent.recipient,
    'ada@',
    credentials.user,
    'mailer@',
    credentials.pass,
    'pa55',
  ]
  for (const secret of secrets) assert.ok(!text.includes(secret), `${secret} in ${text}`)
}

test('SMTP: a message is retried while the server is down, and arrives once when it is up', async (t) => {
  const before = await server(t)
  await before.stop()
  const down = mailer(
    t,
    { host: before.host, port: before.port, allowInsecure: true },
    { attempts: 1000 },
  )
  down.dispatch(intent)
  while (down.lines.length < 2) await sleep(5)
  const back = await server(t, { port: before.port, plain: true })
  await down.idle()
  assert.deepEqual(
    back.messages.map(({ to }) => to),
    [[intent.recipient]],
  )
  assert.ok(down.lines.every((line) => line.startsWith('warn ')))
  assert.match(down.lines[0] ?? '', /ECONNREFUSED/)
  leaksNothing(down.lines)
})

for (const [step, code] of [
  ['rcpt', 550],
  ['rcpt', 553],
  ['data', 554],
] as const) {
  test(`SMTP: ${code} to ${step} is not retried, and the log contains no address`, async (t) => {
    let attempts = 0
    const smtp = await server(t, {
      credentials,
      refuse(at, value) {
        if (at !== step) return undefined
        attempts++
        return {
          code,
          message: `5.1.1 <${intent.recipient}>: no such user, ${value.slice(0, 2000)}`,
        }
      },
    })
    const refused = mailer(t, { url: signedIn(smtp.url), tls: { ca: smtp.ca } })
    refused.dispatch(intent)
    await refused.idle()
    assert.deepEqual([attempts, smtp.messages.length], [1, 0])
    assert.deepEqual(refused.lost, [
      { channel: 'email', kind: 'reset_password', reason: 'failed', attempts: 1 },
    ])
    assert.match(
      refused.lines.join('\n'),
      new RegExp(`^error gave up delivering a message .*: ${code} 5\\.1\\.1"`),
    )
    leaksNothing(refused.lines)
  })
}

for (const [step, code] of [
  ['connect', 421],
  ['auth', 454],
  ['mail', 451],
  ['rcpt', 450],
  ['rcpt', 451],
  ['data', 452],
  // These concern authentication or the sender. An operator may fix them while the message waits.
  ['connect', 554],
  ['auth', 535],
  ['mail', 550],
] as const) {
  test(`SMTP: ${code} to ${step} is retried, and the message arrives once`, async (t) => {
    let refusals = 2
    const smtp = await server(t, {
      credentials,
      refuse(at, value) {
        if (at !== step || refusals === 0) return undefined
        refusals--
        return {
          code,
          message: `not now, ${value.slice(0, 2000)} (${credentials.user} ${credentials.pass})`,
        }
      },
    })
    const busy = mailer(t, { url: signedIn(smtp.url), tls: { ca: smtp.ca } })
    busy.dispatch(intent)
    await busy.idle()
    assert.deepEqual([refusals, smtp.messages.length, busy.lost], [0, 1, []])
    assert.equal(busy.lines.length, 2)
    leaksNothing(busy.lines)
  })
}

test('SMTP: failed authentication is logged by its code, without credentials', async (t) => {
  const smtp = await server(t, { credentials })
  const wrong = mailer(t, {
    host: smtp.host,
    port: smtp.port,
    tls: { ca: smtp.ca },
    auth: { ...credentials, pass: 'pa55-old' },
  })
  wrong.dispatch(intent)
  await wrong.idle()
  assert.equal(wrong.lost[0]?.attempts, 3)
  assert.match(wrong.lines.join('\n'), /"code":"EAUTH".*refused AUTH PLAIN: 535/)
  leaksNothing(wrong.lines)
})

test('SMTP: a slow server causes no retry', async (t) => {
  const smtp = await server(t, { plain: true })
  const url = await tcp(t, (socket) => {
    const upstream = connect(smtp.port, smtp.host)
    upstream.on('error', () => socket.destroy())
    socket.on('close', () => upstream.destroy())
    socket.on('data', (chunk) => upstream.write(chunk))
    upstream.on('data', async (chunk) => {
      await sleep(30)
      socket.write(chunk)
    })
  })
  const slow = mailer(t, { url, allowInsecure: true })
  slow.dispatch(intent)
  await slow.idle()
  assert.deepEqual([smtp.messages.length, slow.lines], [1, []])
})

test('SMTP: a message is sent again if the server closes the connection midway', async (t) => {
  const smtp = await server(t, { plain: true })
  let cuts = 2
  const url = await tcp(t, (socket) => {
    const upstream = connect(smtp.port, smtp.host)
    upstream.on('error', () => socket.destroy())
    upstream.on('data', (chunk) => socket.write(chunk))
    socket.on('close', () => upstream.destroy())
    let text = ''
    socket.on('data', (chunk) => {
      text += chunk
      if (cuts > 0 && text.includes('Auto-Submitted')) {
        cuts--
        socket.destroy()
      } else upstream.write(chunk)
    })
  })
  const cut = mailer(t, { url, allowInsecure: true })
  cut.dispatch(intent)
  await cut.idle()
  assert.deepEqual([cuts, smtp.messages.length, cut.lost], [0, 1, []])
  assert.equal(cut.lines.length, 2)
  leaksNothing(cut.lines)
})

for (const [what, greeting] of [
  ['never greets', ''],
  ['goes silent after its greeting', '220 mail.example.com ESMTP\r\n'],
] as const) {
  test(`SMTP: a server that ${what} times out, and the message is given up`, async (t) => {
    let connections = 0
    const url = await tcp(t, (socket) => {
      connections++
      if (greeting) socket.write(greeting)
    })
    const hanging = mailer(t, {
      url,
      allowInsecure: true,
      greetingSeconds: 0.1,
      socketSeconds: 0.1,
    })
    hanging.dispatch(intent)
    await hanging.idle()
    assert.equal(connections, 3)
    assert.deepEqual(hanging.lost, [
      { channel: 'email', kind: 'reset_password', reason: 'failed', attempts: 3 },
    ])
    assert.match(hanging.lines.join('\n'), /ETIMEDOUT|ECONNECTION/)
    leaksNothing(hanging.lines)
  })
}

test('SMTP: a server of another protocol fails the attempt, and its response is not logged', async (t) => {
  const url = await tcp(
    t,
    (socket) =>
      void socket.end(`HTTP/1.1 400 Bad Request\r\n\r\n${intent.recipient} ${intent.token}\r\n`),
  )
  const web = mailer(t, { url, allowInsecure: true })
  web.dispatch(intent)
  await web.idle()
  assert.equal(web.lost.length, 1)
  leaksNothing(web.lines)
})

test('SMTP: close stops waiting for a hanging server and reports the lost message', async (t) => {
  const connected = deferred()
  const url = await tcp(t, () => connected.resolve())
  const hanging = mailer(t, {
    url,
    allowInsecure: true,
    greetingSeconds: 1000,
    socketSeconds: 1000,
  })
  hanging.dispatch(intent)
  await connected.promise
  await hanging.close(20)
  assert.deepEqual(hanging.lost, [
    { channel: 'email', kind: 'reset_password', reason: 'closed', attempts: 1 },
  ])
  leaksNothing(hanging.lines)
})

test('SMTP: close sends the queued messages first', async (t) => {
  const smtp = await server(t)
  const full = mailer(t, { url: smtp.url, tls: { ca: smtp.ca } })
  for (let i = 0; i < 10; i++) full.dispatch(intent)
  await full.close(60_000)
  assert.equal(smtp.messages.length, 10)
  assert.deepEqual(full.lines, [])
})

test('SMTP: messages to a server that never finishes time out, and later ones are delivered', async (t) => {
  let trickles = true
  const timers: NodeJS.Timeout[] = []
  t.after(() => timers.forEach(clearInterval))
  const good = await server(t, { plain: true })
  const url = await tcp(t, (socket) => {
    if (!trickles) {
      const on = connect(good.port, good.host)
      on.on('error', () => {})
      socket.pipe(on).pipe(socket)
      return
    }
    socket.write('220 mail.example.com\r\n')
    const timer = setInterval(() => socket.write('250-x\r\n'), 20)
    timers.push(timer)
    socket.on('close', () => clearInterval(timer))
  })
  const options = { url, allowInsecure: true, maxConnections: 2, messageSeconds: 0.3 }
  const stuck = mailer(t, options, { attempts: 1 })
  for (let i = 0; i < 4; i++) stuck.dispatch(intent)
  await stuck.idle()
  assert.equal(stuck.lost.length, 4)
  trickles = false
  stuck.dispatch(intent)
  await stuck.idle()
  assert.equal(stuck.lost.length, 4)
  assert.equal(good.messages.length, 1)
  leaksNothing(stuck.lines)
})
