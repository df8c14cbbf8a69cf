import { randomBytes } from 'node:crypto'
import type { CrudAuthOptions } from '../../src/index.js'
import { sqliteBackend } from './sql-backends.js'

/** Where the plugin keeps its state in a test. Tests of behaviour run on every backend. */
export interface Backend {
  readonly name: string
  /** Options that select the backend, isolated from all other tests. */
  options(): Pick<CrudAuthOptions, 'redis' | 'state' | 'keyPrefix' | 'timeouts'>
}

const all = process.env.CRUDAUTH_TEST_ALL === '1'

/**
 * The address of a server, from an environment variable.
 * @throws Error if it is not set in a full test run
 */
export function serverUrl(name: string): string | undefined {
  const url = process.env[name]
  if (all && !url) throw new Error(`${name} is not set, though all servers should be running`)
  return url
}

export const uniquePrefix = () => `t${randomBytes(6).toString('hex')}:`

const redisUrl = serverUrl('TEST_REDIS_URL')

export const backends: readonly Backend[] = [
  { name: 'memory', options: () => ({}) },
  sqliteBackend,
  ...(redisUrl
    ? [
        {
          name: 'redis',
          options: () => ({
            redis: redisUrl,
            keyPrefix: uniquePrefix(),
            // Long enough that a machine busy with other tests doesn't look like an outage.
            timeouts: { redisMs: 5000 },
          }),
        },
      ]
    : []),
]
