import { join, relative } from 'node:path'
import type { DemoConfig } from './config.js'
import { databaseName } from './database.js'

const everywhere = ['0.0.0.0', '::']

const isLoopback = (host: string): boolean => host === 'localhost' || host === '::1' || /^127\./.test(host)

/** Where to look: told once the demo listens. */
export function banner(config: DemoConfig, port: number): string {
  const { host, folder, redisUrl, secret, secureCookies } = config
  const isLocal = isLoopback(host) || everywhere.includes(host)
  const url = `http://${isLocal ? 'localhost' : host.includes(':') ? `[${host}]` : host}:${port}`
  const path = (name: string) => {
    const fromHere = relative(process.cwd(), join(folder, name))
    return fromHere.startsWith('..') ? join(folder, name) : fromHere
  }
  const lines = [
    ['Page', `${url}/`],
    ['API docs', `${url}/docs`],
    ['OpenAPI', `${url}/docs/json`],
    ['Accounts', `${path(databaseName)} (SQLite)`],
    // Never the whole URL: it may hold a password.
    ['Sessions', redisUrl ? `Redis at ${hostOf(redisUrl)}` : 'in memory, until the demo stops (REDIS_URL keeps them)'],
    ['Secret', secret ? 'from AUTH_SECRET' : path('secret')],
    ['Stop', 'Ctrl+C'],
  ]
  const table = lines.map(([name = '', text]) => `  ${name.padEnd(9)} ${text}`)
  const notes: string[] = []
  if (secureCookies && isLocal) {
    notes.push('  Safari keeps no secure cookies without https; for it: COOKIE_SECURE=0 npm start')
  }
  if (secureCookies && !isLoopback(host)) {
    notes.push('  Other machines need https in front: browsers keep secure cookies from http://localhost only')
  }
  return ['', '  fastify-crudauth demo', '', ...table, '', ...notes, ...(notes.length > 0 ? [''] : []), ''].join('\n')
}

function hostOf(url: string): string {
  try {
    return new URL(url).host || 'the address in REDIS_URL'
  } catch {
    return 'the address in REDIS_URL'
  }
}
