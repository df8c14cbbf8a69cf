import assert from 'node:assert/strict'
import dns from 'node:dns'
import { test } from 'node:test'
import { isPublicAddress } from '../../../src/features/oauth/protocol/private-addresses.js'
import { oidc } from '../../../src/index.js'
import { clientId, serve } from '../../helpers/bad-provider.js'
import { failsWith, freshSecrets, protocolOf } from '../../helpers/protocol.js'

const refused: Record<string, string[]> = {
  'this machine': ['127.0.0.1', '127.255.255.254', '0.0.0.0', '0.1.2.3', '::1', '::'],
  'private networks': [
    '10.0.0.1',
    '10.255.255.255',
    '172.16.0.1',
    '172.31.255.255',
    '192.168.0.1',
    '192.168.255.255',
  ],
  'link-local': ['169.254.0.1', '169.254.255.255', 'fe80::1', 'fe80::1%eth0', 'febf::1'],
  'metadata of clouds': [
    '169.254.169.254',
    'fd00:ec2::254',
    '100.100.100.200',
    '192.0.0.192',
    '168.63.129.16',
  ],
  'carrier-grade NAT': ['100.64.0.1', '100.127.255.255'],
  'unique local': ['fc00::1', 'fd12:3456:789a::1', 'fec0::1'],
  'IPv4 in IPv6': [
    '::ffff:127.0.0.1',
    '::ffff:7f00:1',
    '::ffff:8.8.8.8',
    '::127.0.0.1',
    '::7f00:1',
    '64:ff9b::10.0.0.1',
    '64:ff9b::a00:1',
    '64:ff9b::',
    '64:ff9b::1',
    '64:ff9b:1::8.8.8.8',
    '2002:7f00:1::',
    '2001:0:7f00:1::1',
  ],
  multicast: ['224.0.0.1', '239.255.255.255', 'ff02::1'],
  'benchmarks and documentation': [
    '198.18.0.1',
    '198.19.255.255',
    '192.0.2.1',
    '198.51.100.1',
    '203.0.113.1',
    '2001:db8::1',
    '3fff::1',
  ],
  reserved: [
    '240.0.0.1',
    '255.255.255.255',
    '192.0.0.1',
    '192.88.99.1',
    '100::1',
    '4000::1',
    '5f00::1',
    '8000::1',
    'e000::1',
  ],
  'no addresses': [
    '',
    'localhost',
    '127.1',
    '2130706433',
    '0x7f.0.0.1',
    '0177.0.0.1',
    '127.0.0.1 ',
    '[::1]',
    '1.2.3.4.5',
  ],
}

const allowed = [
  '1.1.1.1',
  '8.8.8.8',
  '9.255.255.255',
  '11.0.0.0',
  '100.63.255.255',
  '100.128.0.0',
  '126.255.255.255',
  '128.0.0.1',
  '169.253.255.255',
  '169.255.0.0',
  '172.15.255.255',
  '172.32.0.0',
  '192.0.1.1',
  '192.167.255.255',
  '192.169.0.0',
  '198.17.255.255',
  '198.20.0.0',
  '223.255.255.255',
  '168.63.129.15',
  '2606:4700:4700::1111',
  '2a00:1450:4001:82a::200e',
  '2001:4860:4860::8888',
  '2001:200::1',
  '2003::1',
  '64:ff9b::8.8.8.8',
  '64:ff9b::808:808',
  '3ffe::1',
]

for (const [kind, addresses] of Object.entries(refused)) {
  test(`isPublicAddress: not public (${kind})`, () => {
    for (const address of addresses) assert.equal(isPublicAddress(address), false, address)
  })
}

test('isPublicAddress: public addresses next to the refused ranges are allowed', () => {
  for (const address of allowed) assert.equal(isPublicAddress(address), true, address)
})

const at = (tokenHost: string) =>
  oidc({
    issuer: 'https://issuer.example',
    metadataUrl: tokenHost,
    clientId,
    clientSecret: 'secret',
  })

test('SSRF: a private IP address in a URL is refused before connecting', async (t) => {
  const inside = await serve(t, (_, response) => void response.end())
  const port = new URL(inside.url).port
  for (const host of [
    '127.0.0.1',
    '[::1]',
    '[::ffff:127.0.0.1]',
    '2130706433',
    '0x7f000001',
    '127.1',
    '0',
    '169.254.169.254',
    '10.0.0.1',
  ]) {
    const protocol = protocolOf(t, at(`https://${host}:${port}/`))
    await failsWith(protocol.begin(freshSecrets()), {
      reason: 'blocked_address',
      step: 'discovery',
    })
  }
  assert.equal(inside.connections, 0)
})

test('SSRF: a host name that resolves to a private address is refused', async (t) => {
  const inside = await serve(t, (_, response) => void response.end())
  const protocol = protocolOf(t, at(`https://localhost:${new URL(inside.url).port}/`))
  await failsWith(protocol.begin(freshSecrets()), { reason: 'blocked_address', step: 'discovery' })
  assert.equal(inside.connections, 0)
})

test('SSRF: one DNS look-up per connection, and every address must be public (DNS rebinding)', async (t) => {
  const inside = await serve(t, (_, response) => void response.end())
  const answers = [['127.0.0.1'], ['8.8.8.8', '127.0.0.1'], ['::1'], ['::ffff:127.0.0.1'], []]
  let asked = 0
  t.mock.method(
    dns,
    'lookup',
    (_name: string, _options: object, callback: (error: null, found: object[]) => void) => {
      const found = answers[asked++] ?? []
      callback(
        null,
        found.map((address) => ({ address, family: address.includes(':') ? 6 : 4 })),
      )
    },
  )
  for (const _ of answers) {
    const protocol = protocolOf(t, at(`https://rebinding.example:${new URL(inside.url).port}/`))
    await failsWith(protocol.begin(freshSecrets()), {
      reason: 'blocked_address',
      step: 'discovery',
    })
  }
  assert.equal(asked, answers.length, 'one look-up for each connection')
  assert.equal(inside.connections, 0)
})

test('DNS: an unknown host name is unreachable, not blocked_address', async (t) => {
  t.mock.method(
    dns,
    'lookup',
    (_name: string, _options: object, callback: (error: Error) => void) =>
      callback(Object.assign(new Error('getaddrinfo ENOTFOUND no.example'), { code: 'ENOTFOUND' })),
  )
  const protocol = protocolOf(t, at('https://no.example/'))
  await failsWith(protocol.begin(freshSecrets()), {
    reason: 'unreachable',
    step: 'discovery',
    detail: 'ENOTFOUND',
  })
})

test('DNS: a look-up that never completes is a timeout', async (t) => {
  t.mock.method(dns, 'lookup', () => {})
  // Keeps the process running, as a server would.
  const running = setInterval(() => {}, 1000)
  t.after(() => clearInterval(running))
  const protocol = protocolOf(t, at('https://slow.example/'), 200)
  await failsWith(protocol.begin(freshSecrets()), { reason: 'timeout', step: 'discovery' })
})
