import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import type { TestContext } from 'node:test'

/** A proxy to a server, which a test can stop, restart and let hang. */
export interface TcpProxy {
  /** The address of the server with the port of the proxy. */
  readonly url: string
  /** Breaks all connections and refuses further ones, like a server that was stopped. */
  stop(): void
  /** Keeps all connections and forwards nothing, like a server that hangs. */
  hang(): void
  /** Works again, and forwards what has waited. */
  start(): void
}

export async function tcpProxy(t: TestContext, url: string): Promise<TcpProxy> {
  const target = new URL(url)
  let state: 'up' | 'down' | 'hanging' = 'up'
  const sockets = new Set<Socket>()
  const server = createServer((client) => {
    if (state === 'down') {
      client.destroy()
      return
    }
    const upstream = connect(Number(target.port), target.hostname)
    for (const [from, to] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      sockets.add(from)
      from.on('error', () => {})
      from.on('data', (chunk) => void to.write(chunk))
      from.on('close', () => {
        sockets.delete(from)
        to.destroy()
      })
      if (state === 'hanging') from.pause()
    }
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const stop = () => {
    state = 'down'
    for (const socket of sockets) socket.destroy()
  }
  t.after(() => {
    stop()
    server.close()
  })
  const proxied = new URL(url)
  proxied.port = String((server.address() as AddressInfo).port)
  return {
    url: proxied.href,
    stop,
    hang() {
      state = 'hanging'
      for (const socket of sockets) socket.pause()
    },
    start() {
      state = 'up'
      for (const socket of sockets) socket.resume()
    },
  }
}
