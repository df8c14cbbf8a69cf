import { BlockList, isIP } from 'node:net'

/**
 * IPv4 networks that aren't public (IANA special-purpose registry), and cloud metadata services.
 */
const refusedIpv4 = new BlockList()
for (const [network, bits] of [
  ['0.0.0.0', 8],
  ['10.0.0.0', 8],
  ['100.64.0.0', 10],
  ['127.0.0.0', 8],
  ['169.254.0.0', 16],
  ['172.16.0.0', 12],
  ['192.0.0.0', 24],
  ['192.0.2.0', 24],
  ['192.88.99.0', 24],
  ['192.168.0.0', 16],
  ['198.18.0.0', 15],
  ['198.51.100.0', 24],
  ['203.0.113.0', 24],
  ['224.0.0.0', 3],
  // Azure's platform services, at a public address.
  ['168.63.129.16', 32],
] as const) {
  refusedIpv4.addSubnet(network, bits)
}

/**
 * IPv6 networks outside the allocated unicast space. This is a separate list, because a `BlockList`
 * also compares the mapped form of an IPv4 address with IPv6 networks.
 */
const refusedIpv6 = new BlockList()
for (const [network, bits] of [
  // Everything outside 2000::/3: loopback, link-local, unique local, mapped, multicast and
  // unallocated.
  ['::', 3],
  ['4000::', 2],
  ['8000::', 1],
  // Teredo and other protocol assignments, documentation, 6to4.
  ['2001::', 23],
  ['2001:db8::', 32],
  ['2002::', 16],
  ['3fff::', 20],
] as const) {
  refusedIpv6.addSubnet(network, bits, 'ipv6')
}

/**
 * The well-known prefix of NAT64 (RFC 6052), through which IPv6-only networks reach IPv4 addresses.
 */
const nat64 = /^64:ff9b::(?:([\da-f]{1,4}):)?([\da-f]{1,4})?$/

function embeddedIpv4(address: string): string | null {
  // `URL` also writes a dotted tail as hexadecimal.
  const canonical = new URL(`http://[${address}]`).hostname.slice(1, -1)
  const [found, high = '0', low = '0'] = nat64.exec(canonical) ?? []
  if (found === undefined) return null
  const value = Number.parseInt(high, 16) * 65_536 + Number.parseInt(low, 16)
  return [value >>> 24, (value >>> 16) & 255, (value >>> 8) & 255, value & 255].join('.')
}

/**
 * Whether an address (without brackets) is public: not this machine, its network or the services of
 * its cloud. False for anything that isn't an IP address.
 */
export function isPublicAddress(address: string): boolean {
  switch (isIP(address)) {
    case 4:
      return !refusedIpv4.check(address, 'ipv4')
    case 6: {
      // Only link-local addresses have a zone.
      if (address.includes('%')) return false
      const inner = embeddedIpv4(address)
      return inner === null
        ? !refusedIpv6.check(address, 'ipv6')
        : !refusedIpv4.check(inner, 'ipv4')
    }
    default:
      return false
  }
}
