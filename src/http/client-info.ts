import Bowser from 'bowser'
import type { FastifyRequest } from 'fastify'
import { plainAddress } from './network-address.js'

/** A device, parsed from the user agent. Unknown parts are null. */
export interface DeviceInfo {
  readonly browser: string | null
  readonly browserVersion: string | null
  readonly os: string | null
  /** Vendor and model. */
  readonly device: string | null
  readonly kind: 'mobile' | 'tablet' | 'pc' | null
}

/** A device and its IP address. */
export interface ClientInfo extends DeviceInfo {
  readonly ip: string
}

const maxAddressLength = 64
const unknownDevice: DeviceInfo = {
  browser: null,
  browserVersion: null,
  os: null,
  device: null,
  kind: null,
}

/** A client can send any user agent, and it is shown to the account's owner. */
const harmless = /^[\p{L}\p{N} ._-]{1,64}$/u
const nameOf = (text: string | undefined): string | null =>
  text !== undefined && harmless.test(text) ? text : null

const kinds: Readonly<Record<string, DeviceInfo['kind']>> = {
  mobile: 'mobile',
  tablet: 'tablet',
  desktop: 'pc',
}

function deviceOf(userAgent: unknown): DeviceInfo {
  if (typeof userAgent !== 'string' || userAgent.trim() === '') return unknownDevice
  try {
    const { browser, os, platform } = Bowser.parse(userAgent.slice(0, 512))
    // Accept only names that Bowser knows: it also returns text cut from the user agent.
    const isKnown = (list: Readonly<Record<string, string>>, name: string | undefined) =>
      name !== undefined && Object.values(list).includes(name) ? nameOf(name) : null
    const name = isKnown(Bowser.BROWSER_MAP, browser.name)
    const model = [platform.vendor, platform.model].filter(Boolean).join(' ')
    return {
      browser: name,
      browserVersion: name === null ? null : nameOf(browser.version),
      os: isKnown(Bowser.OS_MAP, os.name),
      device: nameOf(model === '' ? undefined : model),
      kind: kinds[platform.type ?? ''] ?? null,
    }
  } catch {
    return unknownDevice
  }
}

/** A name to show, such as "Firefox on Windows". */
export function deviceLabel({ browser, os, device }: DeviceInfo): string {
  const where = os ?? device
  if (browser !== null) return where === null ? browser : `${browser} on ${where}`
  return where ?? 'Unknown device'
}

/** The client details to store with a session. */
export const clientOf = (request: FastifyRequest | undefined): ClientInfo => ({
  ...deviceOf(request?.headers['user-agent']),
  // Undefined on a Unix domain socket. With `trustProxy: true` it can be any text from the client.
  ip: plainAddress((request?.ip as string | undefined) ?? '').slice(0, maxAddressLength),
})
