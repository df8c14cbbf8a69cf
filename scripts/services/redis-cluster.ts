import { setTimeout as delay } from 'node:timers/promises'
import { Redis } from 'ioredis'
import { onFreePorts, type RunningServer } from './process.js'
import { type RedisServer, startRedis } from './redis.js'

/** A private Redis Cluster: three masters without replicas. */
export interface RedisCluster {
  /** `127.0.0.1:PORT` of the three nodes, separated by commas. */
  url: string
  urls: string[]
  pids: number[]
  /** The three nodes, to pause or kill one. */
  nodes: RedisServer[]
  stop(): Promise<void>
}

const nodeCount = 3
const slotCount = 16_384

/** Starts a private three-node Redis Cluster and waits until each node knows all slots. */
export async function startRedisCluster(folder: string): Promise<RedisCluster> {
  return onFreePorts(nodeCount * 2, async (ports) => {
    const nodes: RedisServer[] = []
    try {
      const starts = Array.from({ length: nodeCount }, (_, index) =>
        startNode(folder, ports[index] ?? 0, ports[nodeCount + index] ?? 0),
      )
      for (const start of await Promise.allSettled(starts)) {
        if (start.status === 'fulfilled') nodes.push(start.value)
        else throw start.reason
      }
      await join(nodes.map(({ port }, index) => ({ port, busPort: ports[nodeCount + index] ?? 0 })))
    } catch (error) {
      await stopAll(nodes)
      throw error
    }
    return {
      url: nodes.map(({ port }) => `127.0.0.1:${port}`).join(','),
      urls: nodes.map(({ url }) => url),
      pids: nodes.map(({ pid }) => pid),
      nodes,
      stop: () => stopAll(nodes),
    }
  })
}

const stopAll = async (nodes: RunningServer[]): Promise<void> =>
  void (await Promise.all(nodes.map((node) => node.stop())))

const startNode = (folder: string, port: number, busPort: number): Promise<RedisServer> =>
  startRedis(folder, {
    port,
    args: [
      '--cluster-enabled',
      'yes',
      '--cluster-port',
      String(busPort),
      '--cluster-node-timeout',
      '5000',
    ],
  })

/** Assigns slots to each node, joins the nodes and waits until all of them agree. */
async function join(nodes: { port: number; busPort: number }[]): Promise<void> {
  const clients = nodes.map(
    ({ port }) =>
      new Redis({ host: '127.0.0.1', port, retryStrategy: () => null, commandTimeout: 10_000 }),
  )
  try {
    for (const [index, client] of clients.entries()) {
      client.on('error', () => {})
      // Different epochs, so that the nodes don't have to resolve a conflict first.
      await client.call('CLUSTER', 'SET-CONFIG-EPOCH', String(index + 1))
      const from = Math.floor((slotCount * index) / nodeCount)
      const to = Math.floor((slotCount * (index + 1)) / nodeCount) - 1
      await client.call('CLUSTER', 'ADDSLOTSRANGE', String(from), String(to))
      const first = nodes[0]
      if (index > 0 && first)
        await client.call('CLUSTER', 'MEET', '127.0.0.1', String(first.port), String(first.busPort))
    }
    const deadlineMs = Date.now() + 60_000
    for (;;) {
      const states = await Promise.all(
        clients.map(async (client) => String(await client.call('CLUSTER', 'INFO'))),
      )
      const complete = `cluster_known_nodes:${nodeCount}`
      if (states.every((state) => state.includes('cluster_state:ok') && state.includes(complete)))
        return
      if (Date.now() > deadlineMs)
        throw new Error(
          `the Redis Cluster did not come together within 60 s:\n${states.join('\n')}`,
        )
      await delay(50)
    }
  } finally {
    for (const client of clients) client.disconnect()
  }
}
