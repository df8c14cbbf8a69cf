import { once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'
import type { DemoConfig } from './config.js'

const everywhere = ['0.0.0.0', '::']

/** Whether a name or an address stands for this machine. */
export function isLoopback(host: string): boolean {
  const name = host.replace(/^\[|\]$/g, '').replace(/^::ffff:/i, '')
  return name === 'localhost' || name === '::1' || /^127(\.\d{1,3}){3}$/.test(name)
}

/** Whether a browser on this machine reaches the demo by `localhost` or the like. */
export const isLocal = (host: string): boolean => isLoopback(host) || everywhere.includes(host)

/** Where the demo is found on this machine, without a slash at the end. */
export function localUrl(host: string, port: number): string {
  const name =
    host === '::1' || everywhere.includes(host) || host === '127.0.0.1' ? 'localhost' : host
  return `http://${name.includes(':') ? `[${name}]` : name}:${port}`
}

/** Where links in emails lead: links with secrets go over http to this machine alone. */
export const frontendUrl = ({ host, port, publicUrl }: DemoConfig): string =>
  publicUrl ?? (isLocal(host) ? localUrl(host, port) : `http://localhost:${port}`)

/** A port that nobody listens on: links in emails name it, so it has to be known before the demo listens. */
export async function freePort(host: string): Promise<number> {
  const server = createServer().listen({ host, port: 0 })
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}
