import { join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'

/** Configuration of the demo, from environment variables. */
export interface DemoConfig {
  readonly host: string
  /** 0 selects a free port. */
  readonly port: number
  /** Base URL of links in emails, without a trailing slash. Default: a URL of this machine. */
  readonly publicUrl: string | undefined
  /** Folder of the SQLite file and the secret. Ignored by git. */
  readonly folder: string
  /** PostgreSQL for accounts, sessions and counters. If undefined, they are in SQLite. */
  readonly databaseUrl: string | undefined
  /** Redis for sessions and counters. If undefined, they are in the database. */
  readonly redisUrl: string | undefined
  /** If undefined, the demo generates a secret at the first start and stores it in the folder. */
  readonly secret: string | undefined
  /** Encrypts TOTP secrets in the database. If undefined, generated and stored like the secret. */
  readonly mfaKey: string | undefined
  /** Whether every account must have a second factor. */
  readonly mfaRequired: boolean
  /** If false, cookies have no `Secure`, for browsers that refuse it over http. */
  readonly secureCookies: boolean
  readonly logLevel: string
}

/** A setup with which the demo can't start. The message says what to change. */
export class SetupError extends Error {}

const root = fileURLToPath(new URL('../..', import.meta.url))
const logLevels = ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent']

/** A switch: "0", "1", or unset. */
function flagOf(name: string, text: string | undefined, unset: boolean): boolean {
  if (!text) return unset
  if (text === '0' || text === '1') return text === '1'
  throw new SetupError(`${name} must be 0 or 1, got "${text}"`)
}

function postgresOf(url: string): string {
  if (/^postgres(?:ql)?:\/\//.test(url) && URL.canParse(url)) return url
  throw new SetupError(
    'DATABASE_URL must be a PostgreSQL URL, such as postgres://me@localhost/demo',
  )
}

function portOf(text: string): number {
  const port = Number(text)
  if (/^\d{1,5}$/.test(text) && port <= 65_535) return port
  throw new SetupError(`PORT must be a number from 0 to 65535, got "${text}"`)
}

/**
 * Reads the configuration. An empty variable counts as unset, as in most shell scripts.
 * @throws SetupError that names the variable
 */
export function readConfig(env: NodeJS.ProcessEnv): DemoConfig {
  const { HOST, PORT, PUBLIC_URL, REDIS_URL, DATABASE_URL, LOG_LEVEL, DEMO_FOLDER } = env
  const { AUTH_SECRET, COOKIE_SECURE, MFA_KEY, MFA_REQUIRED } = env
  const logLevel = LOG_LEVEL || 'info'
  if (!logLevels.includes(logLevel))
    throw new SetupError(`LOG_LEVEL must be one of ${logLevels.join(', ')}, got "${logLevel}"`)
  return {
    host: HOST || '127.0.0.1',
    port: portOf(PORT || '3000'),
    publicUrl: PUBLIC_URL || undefined,
    folder: DEMO_FOLDER ? resolve(DEMO_FOLDER) : join(root, '.demo'),
    databaseUrl: DATABASE_URL ? postgresOf(DATABASE_URL) : undefined,
    redisUrl: REDIS_URL || undefined,
    secret: AUTH_SECRET || undefined,
    mfaKey: MFA_KEY || undefined,
    mfaRequired: flagOf('MFA_REQUIRED', MFA_REQUIRED, false),
    secureCookies: flagOf('COOKIE_SECURE', COOKIE_SECURE, true),
    logLevel,
  }
}
