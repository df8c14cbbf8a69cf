import { join, relative } from 'node:path'
import { frontendUrl, isLocal, isLoopback, localUrl } from './address.js'
import type { DemoConfig } from './config.js'

/** What the demo knows only after it has started. */
interface BannerFacts {
  readonly port: number
  /** Description of the database. */
  readonly database: string
  readonly providerUrl: string | undefined
}

/** The text that the demo prints once it listens. */
export function banner(config: DemoConfig, { port, database, providerUrl }: BannerFacts): string {
  const { host, folder, publicUrl, redisUrl, secret, mfaKey, secureCookies } = config
  const url = localUrl(host, port)
  const path = (name: string) => {
    const fromHere = relative(process.cwd(), join(folder, name))
    return fromHere.startsWith('..') ? join(folder, name) : fromHere
  }
  const lines = [
    ['Page', `${url}/`],
    ['Requests', `${url}/requests`],
    ['API docs', `${url}/docs`],
    ['OpenAPI', `${url}/docs/json`],
    [
      'Mailbox',
      `${isLocal(host) ? url : `http://localhost:${port}`}/mailbox (no mail leaves this machine)`,
    ],
    ...(providerUrl === undefined
      ? []
      : [['Provider', `${providerUrl} (sign in there as ada or bob; no password)`]]),
    ['Accounts', database],
    // Never the whole URL, because it may contain a password.
    ['Sessions', redisUrl ? `Redis at ${hostOf(redisUrl)}` : 'in the same database'],
    ['Secret', secret ? 'from AUTH_SECRET' : path('secret')],
    ['TOTP key', mfaKey ? 'from MFA_KEY' : path('mfa-key')],
    ['Stop', 'Ctrl+C'],
  ]
  const table = lines.map(([name = '', text]) => `  ${name.padEnd(9)} ${text}`)
  const notes: string[] = []
  if (secureCookies && isLocal(host)) {
    notes.push('  Safari keeps no secure cookies without https; for it: COOKIE_SECURE=0 npm start')
  }
  if (secureCookies && !isLoopback(host)) {
    notes.push(
      '  Other machines need https in front: browsers keep secure cookies from http://localhost only',
    )
  }
  if (!isLoopback(host) && publicUrl === undefined) {
    notes.push(
      `  Links in mails lead to ${frontendUrl({ ...config, port })}; PUBLIC_URL=https://… leads them elsewhere`,
    )
  }
  return [
    '',
    '  fastify-crudauth demo',
    '',
    ...table,
    '',
    ...notes,
    ...(notes.length > 0 ? [''] : []),
    '',
  ].join('\n')
}

function hostOf(url: string): string {
  try {
    return new URL(url).host || 'the address in REDIS_URL'
  } catch {
    return 'the address in REDIS_URL'
  }
}
