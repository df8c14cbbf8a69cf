import type { ConnectionOptions } from 'node:tls'
import {
  checkBoolean,
  checkInteger,
  checkObject,
  checkPositive,
  describe,
  fail,
  isLoopback,
} from '../lib/option-checks.js'

/** An email address with a display name. */
export interface Mailbox {
  readonly name: string
  readonly address: string
}

/** Options of `smtpSender()`. */
export interface SmtpSenderOptions {
  /**
   * `smtps://user:password@host` (implicit TLS, port 465) or `smtp://user:password@host` (STARTTLS,
   * port 587). Percent-encode reserved characters.
   * @defaultValue none
   */
  readonly url?: string | undefined
  /**
   * Host name, instead of `url`.
   * @defaultValue none
   */
  readonly host?: string | undefined
  /**
   * Port, instead of `url`.
   * @defaultValue `465` with `secure`, else `587`
   */
  readonly port?: number | undefined
  /**
   * Implicit TLS. Otherwise STARTTLS is required.
   * @defaultValue whether the port is 465
   */
  readonly secure?: boolean | undefined
  /**
   * Credentials, where `url` has none: `{ user, pass }`.
   * @defaultValue none
   */
  readonly auth?: { readonly user: string; readonly pass: string } | undefined
  /**
   * Sender of the emails: `no-reply@example.com`, `Example <no-reply@example.com>`, or `{ name,
   * address }`.
   */
  readonly from: string | Mailbox
  /**
   * `Reply-To` header, in the same forms.
   * @defaultValue none
   */
  readonly replyTo?: string | Mailbox | undefined
  /**
   * Whether to send without TLS where the server offers none. With credentials, on a loopback host
   * only.
   * @defaultValue `false`
   */
  readonly allowInsecure?: boolean | undefined
  /**
   * Further TLS options, such as `ca` for a private certificate authority.
   * @defaultValue `{}`
   */
  readonly tls?: ConnectionOptions | undefined
  /**
   * Pooled connections.
   * @defaultValue `4`
   */
  readonly maxConnections?: number | undefined
  /**
   * Time limit for connecting, in seconds.
   * @defaultValue `10`
   */
  readonly connectSeconds?: number | undefined
  /**
   * Time limit for the greeting of the server, in seconds.
   * @defaultValue `10`
   */
  readonly greetingSeconds?: number | undefined
  /**
   * Seconds that a connection may be silent.
   * @defaultValue `20`
   */
  readonly socketSeconds?: number | undefined
  /**
   * Time limit for one message, including the wait for a connection. After it, later messages get
   * new connections.
   * @defaultValue `30`
   */
  readonly messageSeconds?: number | undefined
  /**
   * Further options of the SMTP transport of nodemailer, such as `dkim` or `name`. The options
   * above take precedence.
   * @defaultValue `{}`
   */
  readonly transport?: Readonly<Record<string, unknown>> | undefined
}

const known = [
  'url',
  'host',
  'port',
  'secure',
  'auth',
  'from',
  'replyTo',
  'allowInsecure',
  'tls',
  'maxConnections',
  'connectSeconds',
  'greetingSeconds',
  'socketSeconds',
  'messageSeconds',
  'transport',
]

// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
const control = /[\u0000-\u001f\u007f\u0085\u2028\u2029]/
/**
 * An address without quotes, comments, lists, routes or invisible characters, so that it can't be
 * parsed as several recipients.
 */
const mailbox = /^[^\p{C}\p{Z}"(),:;<>@[\\\]]+@[^\p{C}\p{Z}"(),:;<>@[\\\]]+$/u

/** Whether a text is exactly one address. */
export const isMailbox = (text: unknown): text is string =>
  typeof text === 'string' && text.length <= 320 && mailbox.test(text)

function resolveMailbox(name: string, value: unknown): Mailbox {
  const parts =
    typeof value === 'string' ? /^(?:(.*?)\s*<([^<>]*)>|([^<>]*))$/.exec(value.trim()) : null
  const found = (
    parts
      ? { name: parts[1]?.replace(/^"(.*)"$/, '$1') ?? '', address: parts[2] ?? parts[3] }
      : value
  ) as Mailbox
  if (!isMailbox(found?.address) || typeof found.name !== 'string' || control.test(found.name)) {
    fail(
      `"smtpSender.${name}" must be one address such as "Example <no-reply@example.com>", got ${describe(value)}`,
    )
  }
  return Object.freeze({ name: found.name, address: found.address })
}

/**
 * Host, port and credentials, from `url` or from the separate options. Both at once are refused.
 */
function resolveServer(options: SmtpSenderOptions) {
  if (options.url === undefined) {
    const { host, auth } = options
    if (typeof host !== 'string' || host === '')
      fail(`"smtpSender" needs "url" or "host", got ${describe(host)}`)
    if (auth !== undefined && (typeof auth?.user !== 'string' || typeof auth.pass !== 'string')) {
      fail('"smtpSender.auth" must be { user, pass }')
    }
    const secure = checkBoolean('smtpSender.secure', options.secure, options.port === 465)
    const port = checkInteger('smtpSender.port', options.port, secure ? 465 : 587, 1, 65_535)
    return { host, port, secure, auth: auth && { user: auth.user, pass: auth.pass } }
  }
  for (const name of ['host', 'port', 'secure', 'auth'] as const) {
    if (options[name] !== undefined) fail(`"smtpSender" takes "url" or "${name}", not both`)
  }
  const text: unknown = options.url
  const url =
    typeof text === 'string' && /^smtps?:\/\//.test(text) && URL.canParse(text)
      ? new URL(text)
      : null
  // The message must not contain the URL, because it may contain a password.
  if (!url || url.hostname === '')
    fail('"smtpSender.url" must be a URL such as "smtps://user:password@smtp.example.com"')
  if (url.search !== '' || url.hash !== '' || !/^\/?$/.test(url.pathname)) {
    fail('"smtpSender.url" must end with the port; give further options beside it')
  }
  const secure = url.protocol === 'smtps:'
  const decode = (part: string) => {
    try {
      return decodeURIComponent(part)
    } catch {
      return fail('"smtpSender.url" has a "%" that is not percent-encoding; write it as %25')
    }
  }
  return {
    host: url.hostname.replace(/^\[(.*)\]$/, '$1'),
    port: url.port === '' ? (secure ? 465 : 587) : Number(url.port),
    secure,
    auth:
      url.username === '' ? undefined : { user: decode(url.username), pass: decode(url.password) },
  }
}

/** Checks the options and turns them into those of nodemailer. */
export function resolveSmtp(options: SmtpSenderOptions) {
  checkObject('smtpSender', options, known)
  const server = resolveServer(options)
  const further = options.transport ?? {}
  checkObject('smtpSender.transport', further, Object.keys(further))
  for (const name of ['url', 'service'])
    if (name in further)
      fail(`"smtpSender.transport.${name}" would replace the server; use "url" or "host" instead`)
  const allowInsecure = checkBoolean('smtpSender.allowInsecure', options.allowInsecure, false)
  const hasCredentials = server.auth !== undefined || further.auth !== undefined
  if (allowInsecure && hasCredentials && !isLoopback(server.host)) {
    fail(
      '"smtpSender.allowInsecure" would send credentials without TLS; remove it, or send without credentials inside your own network',
    )
  }
  const milliseconds = (
    name: 'connectSeconds' | 'greetingSeconds' | 'socketSeconds' | 'messageSeconds',
    fallback: number,
  ) => checkPositive(`smtpSender.${name}`, options[name], fallback, 3600) * 1000
  const { auth, ...where } = server
  const tls: unknown = options.tls
  if (tls !== undefined && (typeof tls !== 'object' || tls === null || Array.isArray(tls))) {
    fail(`"smtpSender.tls" must be an object, got ${describe(tls)}`)
  }
  return {
    messageMs: milliseconds('messageSeconds', 30),
    from: resolveMailbox('from', options.from),
    replyTo: options.replyTo === undefined ? undefined : resolveMailbox('replyTo', options.replyTo),
    transport: {
      ...further,
      ...where,
      ...(auth && { auth }),
      ...(options.tls && { tls: options.tls }),
      // Require STARTTLS: otherwise an attacker on the network can remove it from the server's
      // capabilities (a downgrade to plain text).
      requireTLS: !server.secure && !allowInsecure,
      ignoreTLS: false,
      opportunisticTLS: false,
      pool: true,
      maxConnections: checkInteger('smtpSender.maxConnections', options.maxConnections, 4, 1, 1000),
      // The delivery queue decides about retries. In some versions, those of the pool never end.
      maxRequeues: 0,
      connectionTimeout: milliseconds('connectSeconds', 10),
      greetingTimeout: milliseconds('greetingSeconds', 10),
      socketTimeout: milliseconds('socketSeconds', 20),
      // A message must not read files or fetch URLs.
      disableFileAccess: true,
      disableUrlAccess: true,
    },
  }
}
