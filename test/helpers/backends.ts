import { randomBytes } from 'node:crypto'
import type { CrudAuthOptions } from '../../src/index.js'

/** Where shared state lives in a test: every behaviour is tried on each. */
export interface Backend {
  readonly name: string
  /** Options that put the plugin's state there, apart from every other test's. */
  options(): Pick<CrudAuthOptions, 'redis' | 'keyPrefix' | 'timeouts'>
}

const all = process.env.CRUDAUTH_TEST_ALL === '1'

/** A server's address from the environment; required in a full run. */
export function serverUrl(name: string): string | undefined {
  const url = process.env[name]
  if (all && !url) throw new Error(`${name} is not set, though all servers should be running`)
  return url
}

export const uniquePrefix = () => `t${randomBytes(6).toString('hex')}:`

const redisUrl = serverUrl('TEST_REDIS_URL')

export const backends: readonly Backend[] = [
  { name: 'memory', options: () => ({}) },
  ...(redisUrl
    ? [
        {
          name: 'redis',
          options: () => ({
            redis: redisUrl,
            keyPrefix: uniquePrefix(),
            // A machine that is busy with the other tests is no outage.
            timeouts: { redisMs: 5000 },
          }),
        },
      ]
    : []),
]
