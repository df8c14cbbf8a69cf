import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { addressKey } from '../../src/http/network-address.js'

for (const [ip, key] of [
  ['203.0.113.9', '203.0.113.9'],
  ['::ffff:203.0.113.9', '203.0.113.9'],
  ['::FFFF:cb00:7109', '203.0.113.9'],
  ['0:0:0:0:0:ffff:203.0.113.9', '203.0.113.9'],
  ['::ffff:203.0.113.9%eth0', '203.0.113.9'],
  ['::ffff:255.255.255.255', '255.255.255.255'],
  ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
  ['2001:DB8:1:2::', '2001:db8:1:2::/64'],
  ['2001:0db8:0001:0002:ffff::1', '2001:db8:1:2::/64'],
  ['2001:db8::1', '2001:db8:0:0::/64'],
  ['::1', '0:0:0:0::/64'],
  ['::', '0:0:0:0::/64'],
  ['fe80::1%eth0', 'fe80:0:0:0::/64'],
  ['64:ff9b::203.0.113.9', '64:ff9b:0:0::/64'],
] as const) {
  test(`addressKey: ${ip} counts as ${key}`, () => assert.equal(addressKey(ip), key))
}

test('addressKey: text that is not an address is its own key, undefined is "none"', () => {
  for (const text of ['', 'unix', 'localhost', '1.2.3', ':::', '1::2::3'])
    assert.equal(addressKey(text), text)
  assert.equal(addressKey(undefined), 'none')
})

test('addressKey: IPv6 addresses share a key exactly if they share the /64 network', () => {
  const group = fc.integer({ min: 0, max: 0xffff })
  const half = fc.tuple(group, group, group, group)
  // An upper half of zeros may be an IPv4-mapped address, which another test covers.
  const upper = half.filter((groups) => groups.some((value) => value !== 0))
  const text = (groups: number[]) => groups.map((value) => value.toString(16)).join(':')
  fc.assert(
    fc.property(upper, half, half, fc.nat(63), (network, one, other, bit) => {
      const key = addressKey(text([...network, ...one]))
      assert.equal(addressKey(text([...network, ...other])), key)
      const flipped = [...network] as number[]
      flipped[bit >> 4] = (flipped[bit >> 4] as number) ^ (1 << (bit & 15))
      assert.notEqual(addressKey(text([...flipped, ...one])), key)
    }),
  )
})
