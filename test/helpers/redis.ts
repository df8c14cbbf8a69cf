import { randomBytes } from 'node:crypto'
import type { ClusterOptions } from 'ioredis'
import { Cluster, type Redis } from 'ioredis'

/**
 * A server's address from an environment variable, or the reason to skip its tests.
 * @throws Error if it is not set in a full test run
 */
function serverFrom(name: string): { readonly address: string; readonly skip: string | false } {
  const address = process.env[name]
  if (!address && process.env.CRUDAUTH_TEST_ALL === '1') throw new Error(`${name} is not set`)
  return { address: address ?? '', skip: address ? false : `${name} is not set` }
}

export const redisServer = () => serverFrom('TEST_REDIS_URL')
export const clusterServers = () => serverFrom('TEST_REDIS_CLUSTER')

/** A unique key prefix, because all tests share the server. */
export const newPrefix = () => `test:${randomBytes(9).toString('base64url')}:`

export function openCluster(
  addresses: string,
  options: Omit<ClusterOptions, 'redisOptions'> = {},
): Cluster {
  const nodes = addresses.split(',').map((address) => {
    const [host = '', port = ''] = address.split(':')
    return { host, port: Number(port) }
  })
  return new Cluster(nodes, options)
}

/** Deletes all keys under a prefix. */
export async function removeKeys(client: Redis | Cluster, prefix: string): Promise<void> {
  for (const node of client instanceof Cluster ? client.nodes('master') : [client]) {
    for await (const keys of node.scanStream({ match: `${prefix}*`, count: 1000 })) {
      for (const key of keys as string[]) await node.del(key)
    }
  }
}
