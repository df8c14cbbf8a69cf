import { isIPv6 } from 'node:net'

/** The eight groups of an IPv6 address without zone; null for anything else. */
function groups(address: string): number[] | null {
  const [text = ''] = address.split('%')
  if (!isIPv6(text)) return null
  // An embedded IPv4 tail counts as two groups.
  const plain = text.replace(
    /(\d+)\.(\d+)\.(\d+)\.(\d+)$/,
    (_, a, b, c, d) => `${((+a << 8) | +b).toString(16)}:${((+c << 8) | +d).toString(16)}`,
  )
  const [head = '', tail] = plain.split('::')
  const parse = (part: string | undefined) =>
    part ? part.split(':').map((group) => Number.parseInt(group, 16)) : []
  const left = parse(head)
  const right = parse(tail)
  return tail === undefined
    ? left
    : [...left, ...new Array(8 - left.length - right.length).fill(0), ...right]
}

/** Proxies that write `host:port` into `X-Forwarded-For` make a new address of each connection: the port goes. */
export function plainAddress(ip: string): string {
  const [, bracketed, dotted] = /^\[([^\]]*)\](?::\d+)?$|^(\d+\.\d+\.\d+\.\d+):\d+$/.exec(ip) ?? []
  return bracketed ?? dotted ?? ip
}

/**
 * The network that an address counts as: an IPv4 address itself, IPv4-mapped IPv6 as IPv4, IPv6 by its /64, since one
 * subscriber commands a whole one.
 */
export function addressKey(ip: string | undefined): string {
  // On a socket of the file system there is no address: all who come that way are one, as behind an untrusted proxy.
  if (ip === undefined) return 'none'
  const address = plainAddress(ip)
  const parts = groups(address)
  if (!parts) return address
  const [a, b, c, d, e, f, g = 0, h = 0] = parts
  if (a === 0 && b === 0 && c === 0 && d === 0 && e === 0 && f === 0xffff) {
    return `${g >> 8}.${g & 255}.${h >> 8}.${h & 255}`
  }
  return `${parts
    .slice(0, 4)
    .map((group) => group.toString(16))
    .join(':')}::/64`
}
