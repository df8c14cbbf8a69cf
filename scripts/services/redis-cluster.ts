import { setTimeout as delay } from 'node:timers/promises'
import { Redis } from 'ioredis'
import { onFreePorts, type RunningServer } from './process.js'
import { type RedisServer, startRedis } from './redis.js'

/** A private Redis Cluster: three masters, and as many replicas if wanted. */
export interface RedisCluster {
  /** `127.0.0.1:PORT` of the nodes, separated by commas. */
  url: string
  urls: string[]
  pids: number[]
  /** The masters and then their replicas, to pause or kill one. */
  nodes: RedisServer[]
  stop(): Promise<void>
}

const masterCount = 3
const slotCount = 16_384

/** Starts a private Redis Cluster, and waits until each node knows all slots and replicas. */
export async function startRedisCluster(
  folder: string,
  { replicas = false } = {},
): Promise<RedisCluster> {
  const nodeCount = replicas ? masterCount * 2 : masterCount
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

interface Node {
  port: number
  busPort: number
}

/** Assigns slots to the masters, joins the nodes and waits until all of them agree. */
async function join(nodes: Node[]): Promise<void> {
  const clients = nodes.map(
    ({ port }) =>
      new Redis({ host: '127.0.0.1', port, retryStrategy: () => null, commandTimeout: 10_000 }),
  )
  const everyInfo = async (): Promise<string> =>
    (await Promise.all(clients.map((client) => client.call('CLUSTER', 'INFO')))).join('\n')
  const count = (text: string, part: string): number => text.split(part).length - 1
  try {
    for (const [index, client] of clients.entries()) {
      client.on('error', () => {})
      // Different epochs, so that the nodes don't have to resolve a conflict first.
      await client.call('CLUSTER', 'SET-CONFIG-EPOCH', String(index + 1))
      if (index < masterCount) {
        const from = Math.floor((slotCount * index) / masterCount)
        const to = Math.floor((slotCount * (index + 1)) / masterCount) - 1
        await client.call('CLUSTER', 'ADDSLOTSRANGE', String(from), String(to))
      }
      const first = nodes[0]
      if (index > 0 && first)
        await client.call('CLUSTER', 'MEET', '127.0.0.1', String(first.port), String(first.busPort))
    }
    await until(everyInfo, (text) => {
      const complete = `cluster_known_nodes:${nodes.length}`
      return (
        count(text, 'cluster_state:ok') === nodes.length && count(text, complete) === nodes.length
      )
    })
    const replicas = clients.slice(masterCount)
    for (const [index, replica] of replicas.entries())
      await replica.call(
        'CLUSTER',
        'REPLICATE',
        String(await clients[index]?.call('CLUSTER', 'MYID')),
      )
    const everyLink = async (): Promise<string> =>
      (await Promise.all(replicas.map((replica) => replica.info('replication')))).join('\n')
    await until(everyLink, (text) => count(text, 'master_link_status:up') === replicas.length)
  } finally {
    for (const client of clients) client.disconnect()
  }
}

/** Waits until what the nodes say is as expected. @throws Error with it after 60 seconds */
async function until(ask: () => Promise<string>, expected: (text: string) => boolean) {
  const deadlineMs = Date.now() + 60_000
  for (;;) {
    const text = await ask()
    if (expected(text)) return
    if (Date.now() > deadlineMs)
      throw new Error(`the Redis Cluster did not come together within 60 s:\n${text}`)
    await delay(50)
  }
}
