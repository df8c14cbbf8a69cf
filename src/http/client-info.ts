import Bowser from 'bowser'
import type { FastifyRequest } from 'fastify'
import { plainAddress } from './network-address.js'

/** What a user agent says of a device. Names are null where it does not say. */
export interface DeviceInfo {
  readonly browser: string | null
  readonly browserVersion: string | null
  readonly os: string | null
  /** Vendor and model. */
  readonly device: string | null
  readonly kind: 'mobile' | 'tablet' | 'pc' | null
}

/** A device with the address that it was at. */
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

/** Anybody writes what they like into a user agent, and it is shown to the account's owner. */
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
    // Only names that the parser knows: what it cuts out of the text may be anything.
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

/** What is kept of the client that a session is made for. */
export const clientOf = (request: FastifyRequest | undefined): ClientInfo => ({
  ...deviceOf(request?.headers['user-agent']),
  // Absent on a socket of the file system; whatever a client wrote, where an app trusts every proxy.
  ip: plainAddress((request?.ip as string | undefined) ?? '').slice(0, maxAddressLength),
})
