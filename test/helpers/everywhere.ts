import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import type { TestContext } from 'node:test'
import type { LightMyRequestResponse } from 'fastify'
import { Cluster } from 'ioredis'
import type { CrudAuthOptions } from '../../src/index.js'
import { type Backend, backends, serverUrl, uniquePrefix } from './backends.js'
import { serverBackends } from './sql-backends.js'

const nodes = serverUrl('TEST_REDIS_CLUSTER')

/** Options that select a backend. For a cluster, it also opens a client for the test. */
export function places(
  t: TestContext,
  backend: Backend,
): Pick<CrudAuthOptions, 'redis' | 'state' | 'keyPrefix' | 'timeouts'> {
  if (backend.name !== 'cluster') return backend.options()
  const startup = (nodes ?? '').split(',').map((address) => ({
    host: address.split(':')[0] as string,
    port: Number(address.split(':')[1]),
  }))
  const client = new Cluster(startup)
  t.after(() => client.disconnect())
  return { redis: client, keyPrefix: uniquePrefix() }
}

export const everywhere: Backend[] = [
  ...backends,
  ...serverBackends,
  ...(nodes ? [{ name: 'cluster', options: () => ({}) }] : []),
]

export const statusesOf = (responses: readonly LightMyRequestResponse[]) => {
  const counts: Record<number, number> = {}
  for (const { statusCode } of responses) counts[statusCode] = (counts[statusCode] ?? 0) + 1
  return counts
}

/** Collects the users that the hook `onRefreshReuse` and its diagnostics channel report. */
export function reuses(t: TestContext) {
  const hooked: string[] = []
  const published: string[] = []
  const listen = (message: unknown) =>
    void published.push((message as { user: { username: string } }).user.username)
  subscribe('crudauth:onRefreshReuse', listen)
  t.after(() => void unsubscribe('crudauth:onRefreshReuse', listen))
  return {
    hooked,
    published,
    hooks: {
      onRefreshReuse: (user: unknown) => hooked.push((user as { username: string }).username),
    },
  }
}
