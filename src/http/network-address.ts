import { isIPv6 } from 'node:net'

/** The eight groups of an IPv6 address, without its zone. Null for any other text. */
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

/**
 * An address without its port. Some proxies write `host:port` into `X-Forwarded-For`, which would
 * make each connection a new address.
 */
export function plainAddress(ip: string): string {
  const [, bracketed, dotted] = /^\[([^\]]*)\](?::\d+)?$|^(\d+\.\d+\.\d+\.\d+):\d+$/.exec(ip) ?? []
  return bracketed ?? dotted ?? ip
}

/**
 * The key under which attempts from an address are counted. IPv4 and IPv4-mapped IPv6: the IPv4
 * address. IPv6: its /64 network, because one subscriber usually controls all of it.
 */
export function addressKey(ip: string | undefined): string {
  // A Unix domain socket has no address. Its clients share one key, as behind an untrusted proxy.
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
