import { once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'
import type { DemoConfig } from './config.js'

const everywhere = ['0.0.0.0', '::']

/** Whether a host name or address is a loopback address. */
export function isLoopback(host: string): boolean {
  const name = host.replace(/^\[|\]$/g, '').replace(/^::ffff:/i, '')
  return name === 'localhost' || name === '::1' || /^127(\.\d{1,3}){3}$/.test(name)
}

/** Whether a browser on this machine can reach the demo at a loopback address. */
export const isLocal = (host: string): boolean => isLoopback(host) || everywhere.includes(host)

/** URL of the demo on this machine, without a trailing slash. */
export function localUrl(host: string, port: number): string {
  const name =
    host === '::1' || everywhere.includes(host) || host === '127.0.0.1' ? 'localhost' : host
  return `http://${name.includes(':') ? `[${name}]` : name}:${port}`
}

/** Base URL of links in emails. Over http it is always localhost, because links contain secrets. */
export const frontendUrl = ({ host, port, publicUrl }: DemoConfig): string =>
  publicUrl ?? (isLocal(host) ? localUrl(host, port) : `http://localhost:${port}`)

/** Finds a free port. Links in emails contain it, so the demo needs it before it listens. */
export async function freePort(host: string): Promise<number> {
  const server = createServer().listen({ host, port: 0 })
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}
