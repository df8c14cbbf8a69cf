import Bowser from 'bowser'
import type { FastifyRequest } from 'fastify'

const maxAddressLength = 64

/** A human name such as "Chrome on Windows" from a user agent; bounded, since anybody writes what they like there. */
function deviceName(userAgent: unknown): string {
  if (typeof userAgent !== 'string' || userAgent.trim() === '') return 'Unknown device'
  try {
    const { browser, os, platform } = Bowser.parse(userAgent.slice(0, 512))
    const where = os.name ?? platform.type
    const name = browser.name
      ? where
        ? `${browser.name} on ${where}`
        : browser.name
      : (where ?? 'Unknown device')
    return name.replace(/[\p{C}]/gu, '').slice(0, 120)
  } catch {
    return 'Unknown device'
  }
}

/** What a record says of the client that it was made for. */
export const clientOf = (request: FastifyRequest | undefined): { device: string; ip: string } => ({
  device: deviceName(request?.headers['user-agent']),
  // Absent on a socket of the file system; whatever a client wrote, where an app trusts every proxy.
  ip: ((request?.ip as string | undefined) ?? '').slice(0, maxAddressLength),
})
