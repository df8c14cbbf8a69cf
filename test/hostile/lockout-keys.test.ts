import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { FastifyInstance, FastifyServerOptions } from 'fastify'
import { backends } from '../helpers/backends.js'
import { build } from '../helpers/build.js'
import { Client } from '../helpers/client.js'
import { refuses } from '../helpers/refuses.js'

const wrong = 'not the password'

/** One guess from an unknown browser. */
const guess = (
  app: FastifyInstance,
  username: string,
  remoteAddress = '192.0.2.1',
  headers: Record<string, string> = {},
) => new Client(app, '', { remoteAddress, headers }).login(username, wrong)

const guesses = async (app: FastifyInstance, username: string, spellings: readonly string[]) => {
  for (const spelling of spellings) refuses(await guess(app, spelling), 'CRUDAUTH_BAD_CREDENTIALS')
  for (const spelling of [username, ...spellings])
    refuses(await guess(app, spelling), 'CRUDAUTH_LOCKED_OUT')
}

for (const backend of backends) {
  test(`${backend.name}: lockout: spelling variants of an email share one counter, known or not`, async (t) => {
    const app = await build(t, { auth: backend.options() })
    await new Client(app).register('ann')
    const emails = (name: string) => [
      `${name}@example.com`,
      `${name.toUpperCase()}@EXAMPLE.com`,
      ` ${name}@example.com `,
      `${name}\uff20example.com`,
      `${name}@example\u3002com`,
    ]
    await guesses(app, 'ann@example.com', emails('ann'))
    await guesses(app, 'nobody@example.com', emails('nobody'))
  })

  test(`${backend.name}: lockout: the username and email of an account share one counter`, async (t) => {
    const app = await build(t, { auth: backend.options() })
    await new Client(app).register('ann')
    await guesses(app, 'ann', ['ann', 'ann@example.com', 'ann', 'ANN@example.com', 'ann'])
  })

  test(`${backend.name}: lockout: spelling variants do not reveal whether an account exists`, async (t) => {
    const app = await build(t, { auth: backend.options() })
    await new Client(app).post('/register', {
      email: 'ann@b\u00fccher.example',
      username: 'ann',
      password: 'a good password',
    })
    const trace = async (spellings: readonly string[], address: string) => {
      const seen: number[] = []
      for (const spelling of spellings) seen.push((await guess(app, spelling, address)).statusCode)
      return seen
    }
    const names = (name: string) => [
      ...new Array(5).fill(name),
      name.toUpperCase(),
      ` ${name}`,
      name,
    ]
    assert.deepEqual(await trace(names('ann'), '192.0.2.1'), await trace(names('bob'), '192.0.2.2'))
    const emails = (name: string) => [
      ...new Array(5).fill(`${name}@b\u00fccher.example`),
      `${name}@xn--bcher-kva.example`,
      `${name.toUpperCase()}@B\u00dcCHER.example`,
    ]
    const other = await build(t, { auth: backend.options() })
    await new Client(other).post('/register', {
      email: 'ann@b\u00fccher.example',
      username: 'ann',
      password: 'a good password',
    })
    const seen = async (name: string) => {
      const codes: number[] = []
      for (const spelling of emails(name)) codes.push((await guess(other, spelling)).statusCode)
      return codes
    }
    assert.deepEqual(await seen('ann'), await seen('bob'))
  })

  test(`${backend.name}: lockout: a sign-in by username resets the attempts made by email`, async (t) => {
    const app = await build(t, { auth: backend.options() })
    await new Client(app).register('ann')
    for (let i = 0; i < 4; i++)
      refuses(await guess(app, 'ann@example.com'), 'CRUDAUTH_BAD_CREDENTIALS')
    assert.equal((await new Client(app).login('ann')).statusCode, 200)
    for (let i = 0; i < 5; i++)
      refuses(await guess(app, 'ann@example.com'), 'CRUDAUTH_BAD_CREDENTIALS')
    refuses(await guess(app, 'ann@example.com'), 'CRUDAUTH_LOCKED_OUT')
  })

  test(`${backend.name}: lockout: a sign-in to a similarly named account does not reset the counter`, async (t) => {
    const app = await build(t, { auth: backend.options() })
    await new Client(app).post('/register', {
      email: 'a@example.com',
      username: 'ann',
      password: 'a good password',
    })
    await new Client(app).post('/register', {
      email: 'b@example.com',
      username: 'ANN',
      password: 'a good password',
    })
    for (let i = 0; i < 4; i++) refuses(await guess(app, 'ann'), 'CRUDAUTH_BAD_CREDENTIALS')
    assert.equal((await new Client(app).login('ANN', 'a good password')).statusCode, 200)
    refuses(await guess(app, 'ann'), 'CRUDAUTH_BAD_CREDENTIALS')
    refuses(await guess(app, 'ann'), 'CRUDAUTH_LOCKED_OUT')
  })

  test(`${backend.name}: lockout: an IPv6 /64 shares one limit, IPv4-mapped addresses count as IPv4`, async (t) => {
    const app = await build(t, { auth: { ...backend.options(), lockout: { maxAttemptsPerIp: 3 } } })
    const sharing = [
      [
        '2001:db8:1:2::1',
        '2001:db8:1:2:ffff:ffff:ffff:ffff',
        '2001:0DB8:0001:0002:0:0:0:abcd',
        '2001:db8:1:2::dead:1',
      ],
      ['198.51.100.7', '::ffff:198.51.100.7', '0:0:0:0:0:ffff:c633:6407', '::ffff:c633:6407'],
      ['fe80::1%eth0', 'fe80::2%eth1', 'fe80::3', 'fe80::4'],
    ]
    let name = 0
    for (const [a = '', b = '', c = '', d = ''] of sharing) {
      for (const address of [a, b, c])
        refuses(await guess(app, `nobody${name++}`, address), 'CRUDAUTH_BAD_CREDENTIALS')
      refuses(await guess(app, `nobody${name++}`, d), 'CRUDAUTH_LOCKED_OUT')
    }
    refuses(await guess(app, 'elsewhere', '2001:db8:1:3::1'), 'CRUDAUTH_BAD_CREDENTIALS')
    refuses(await guess(app, 'elsewhere', '198.51.100.8'), 'CRUDAUTH_BAD_CREDENTIALS')
  })
}

const forwarded = (address: string) => ({
  'x-forwarded-for': address,
  forwarded: `for=${address}`,
  'x-real-ip': address,
})

test('lockout: X-Forwarded-For and similar headers are ignored without a trusted proxy', async (t) => {
  const app = await build(t, { auth: { lockout: { maxAttemptsPerIp: 3 } } })
  for (let i = 0; i < 3; i++) {
    refuses(
      await guess(app, `nobody${i}`, '192.0.2.1', forwarded(`198.51.100.${i}`)),
      'CRUDAUTH_BAD_CREDENTIALS',
    )
  }
  refuses(
    await guess(app, 'nobody9', '192.0.2.1', forwarded('198.51.100.9')),
    'CRUDAUTH_LOCKED_OUT',
  )
})

test('lockout: X-Forwarded-For counts only when sent by the trusted proxy', async (t) => {
  const app = await build(t, {
    auth: { lockout: { maxAttemptsPerIp: 3 } },
    fastify: { trustProxy: '192.0.2.1' },
  })
  for (let i = 0; i < 6; i++) {
    refuses(
      await guess(app, `nobody${i}`, '192.0.2.1', forwarded(`198.51.100.${i}`)),
      'CRUDAUTH_BAD_CREDENTIALS',
    )
  }
  for (let i = 0; i < 3; i++) {
    refuses(
      await guess(app, `other${i}`, '203.0.113.1', forwarded(`198.51.100.${i}`)),
      'CRUDAUTH_BAD_CREDENTIALS',
    )
  }
  refuses(
    await guess(app, 'other9', '203.0.113.1', forwarded('198.51.100.9')),
    'CRUDAUTH_LOCKED_OUT',
  )
  // Values that the client put to the left of the proxy's entry are ignored.
  for (let i = 0; i < 3; i++) {
    refuses(
      await guess(app, `more${i}`, '192.0.2.1', forwarded(`10.0.0.${i}, 198.51.100.77`)),
      'CRUDAUTH_BAD_CREDENTIALS',
    )
  }
  refuses(
    await guess(app, 'more9', '192.0.2.1', forwarded('10.0.0.9, 198.51.100.77')),
    'CRUDAUTH_LOCKED_OUT',
  )
})

test("lockout: an attacker's own sign-ins do not reset the limit of their IP address", async (t) => {
  const app = await build(t, { auth: { lockout: { maxAttemptsPerIp: 5 } } })
  await new Client(app).register('mallory')
  for (let i = 0; i < 15; i++) await new Client(app).register(`victim${i}`)
  const seen: number[] = []
  for (let victim = 0; victim < 8; victim++) {
    seen.push((await guess(app, `victim${victim}`)).statusCode)
    // Without the device cookie: an attacker who discards it counts as unknown.
    await new Client(app, '', { remoteAddress: '192.0.2.1' }).login('mallory')
  }
  assert.equal(seen.filter((status) => status === 401).length, 5)
  assert.equal(seen.at(-1), 429)
})

test('lockout: URL spellings and router options give no extra attempts', async (t) => {
  const app = await build(t, {
    fastify: {
      routerOptions: {
        ignoreDuplicateSlashes: true,
        ignoreTrailingSlash: true,
        caseSensitive: false,
        useSemicolonDelimiter: true,
      },
    } as FastifyServerOptions,
  })
  await new Client(app).register('ann')
  const urls = ['/login', '/LOGIN', '//login', '/login/', '/login;x=1', '/login?x=1', '/%6Cogin']
  const seen: number[] = []
  for (const url of urls) {
    const response = await new Client(app).form(url, { username: 'ann', password: wrong })
    seen.push(response.statusCode)
  }
  assert.deepEqual(seen, [401, 401, 401, 401, 401, 429, 429])
})
