import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { type ParsedMail, simpleParser } from 'mailparser'
import { SMTPServer, type SMTPServerOptions } from 'smtp-server'
import { selfSigned } from './certificate.js'

/** An SMTP reply that replaces the usual one. */
export interface Refusal {
  code: number
  message: string
}

/** Options of {@link startSmtp}. */
export interface SmtpOptions {
  /** Uses implicit TLS. Otherwise the server offers STARTTLS. Default false. */
  secure?: boolean
  /** Offers no STARTTLS, and accepts credentials in plain text. Default false. */
  plain?: boolean
  /** The accepted credentials. By default, clients need not authenticate. */
  credentials?: { user: string; pass: string }
  /** Default: a free port. */
  port?: number
  /** Called at each step. A returned refusal becomes the reply. */
  refuse?(step: 'connect' | 'auth' | 'mail' | 'rcpt' | 'data', value: string): Refusal | undefined
}

/** A received message. */
export interface ReceivedMail {
  from: string
  to: string[]
  /** Parameters of MAIL FROM, such as SMTPUTF8. */
  parameters: string[]
  secure: boolean
  user: string | undefined
  raw: string
  parsed: ParsedMail
}

/** A mail server on 127.0.0.1, in this process. */
export interface SmtpService {
  url: string
  host: string
  port: number
  /** The certificate that clients must trust. */
  ca: string
  /** In order of arrival. */
  messages: ReceivedMail[]
  /** Number of open connections. */
  connections(): number
  /** Resolves when at least `count` messages have arrived. */
  received(count: number): Promise<ReceivedMail[]>
  /** Closes the server and all connections. Can be called again. */
  stop(): Promise<void>
}

/** Starts a mail server that stores the messages it receives. */
export async function startSmtp(options: SmtpOptions = {}): Promise<SmtpService> {
  const { secure = false, plain = false, credentials, refuse } = options
  const { key, cert } = selfSigned()
  const messages: ReceivedMail[] = []
  const waiting = new Set<() => void>()
  const answer = (
    step: Parameters<NonNullable<SmtpOptions['refuse']>>[0],
    value: string,
  ): Error | null => {
    const refusal = refuse?.(step, value)
    return refusal
      ? Object.assign(new Error(refusal.message), { responseCode: refusal.code })
      : null
  }
  const settings: SMTPServerOptions = {
    secure,
    key,
    cert,
    disableReverseLookup: true,
    authOptional: credentials === undefined,
    allowInsecureAuth: plain,
    disabledCommands: plain ? ['STARTTLS'] : [],
    closeTimeout: 100,
    logger: false,
    onConnect: (session, done) => done(answer('connect', session.remoteAddress)),
    onAuth({ username = '', password }, _, done) {
      const refused = answer('auth', username)
      if (refused) return done(refused)
      if (username === credentials?.user && password === credentials.pass)
        return done(null, { user: username })
      // Some servers repeat the credentials in the reply.
      return done(
        Object.assign(new Error(`no such log-in: ${username} ${password}`), { responseCode: 535 }),
      )
    },
    onMailFrom: ({ address }, _, done) => done(answer('mail', address)),
    onRcptTo: ({ address }, _, done) => done(answer('rcpt', address)),
    onData(stream, session, done) {
      const chunks: Buffer[] = []
      stream.on('data', (chunk: Buffer) => chunks.push(chunk))
      stream.once('end', async () => {
        const raw = Buffer.concat(chunks).toString('utf8')
        const refused = answer('data', raw)
        if (refused) return done(refused)
        const { mailFrom, rcptTo } = session.envelope
        messages.push({
          from: mailFrom ? mailFrom.address : '',
          to: rcptTo.map(({ address }) => address),
          parameters: mailFrom ? Object.keys(mailFrom.args ?? {}) : [],
          secure: session.secure,
          user: session.user,
          raw,
          parsed: await simpleParser(Buffer.concat(chunks)),
        })
        done(null)
        for (const wake of waiting) wake()
      })
    },
  }
  const server = new SMTPServer(settings)
  // Tests disconnect clients in the middle of a session.
  server.on('error', () => {})
  server.listen(options.port ?? 0, '127.0.0.1')
  await once(server.server, 'listening')
  const { port } = server.server.address() as AddressInfo
  let stopped: Promise<void> | undefined

  return {
    url: `${secure ? 'smtps' : 'smtp'}://127.0.0.1:${port}`,
    host: '127.0.0.1',
    port,
    ca: cert,
    messages,
    connections: () => server.connections.size,
    received: (count) =>
      new Promise((resolve) => {
        const check = () => {
          if (messages.length < count) return
          waiting.delete(check)
          resolve(messages)
        }
        waiting.add(check)
        check()
      }),
    stop: () => (stopped ??= new Promise((resolve) => server.close(resolve))),
  }
}
