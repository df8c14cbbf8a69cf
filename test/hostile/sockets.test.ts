import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import type { FastifyServerOptions } from 'fastify'
import { backends } from '../helpers/backends.js'
import { build, password } from '../helpers/build.js'
import { Client, signedIn } from '../helpers/client.js'
import { listen, sendRaw } from '../helpers/hostile.js'

const roomy = { http: { maxHeaderSize: 262_144 } } as FastifyServerOptions
const credentials = JSON.stringify({ username: 'ann', password })
const post = (url: string, body: string, headers: readonly string[] = []) =>
  `${[
    `POST ${url} HTTP/1.1`,
    'host: localhost',
    'connection: close',
    'content-type: application/json',
    ...headers,
  ].join('\r\n')}\r\ncontent-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`

for (const backend of backends) {
  test(`${backend.name}: POST /login: a 64 KiB or malformed User-Agent becomes a short device name`, async (t) => {
    const app = await build(t, { auth: { ...backend.options(), lockout: false }, fastify: roomy })
    const client = await signedIn(app, 'ann')
    const port = await listen(app)
    const agents = [
      'x'.repeat(65_536),
      'Mozilla/5.0 '.repeat(5000),
      `${'('.repeat(30_000)}${')'.repeat(30_000)}`,
      `Mozilla/5.0 (${'Windows NT 10.0; '.repeat(3000)}) ${'Chrome/1.2 '.repeat(1000)}`,
      '<script>alert(1)</script>',
      `a|b%7C|%25 ${'|'.repeat(1000)}`,
      '\u00ff\u0080 latin',
      '__proto__',
    ]
    for (const agent of agents) {
      const answer = await sendRaw(port, post('/login', credentials, [`user-agent: ${agent}`]))
      assert.equal(answer.status, 200, answer.text.slice(0, 200))
      const devices = (await client.get('/sessions')).json() as { device: object; label: string }[]
      const names = devices.flatMap(({ device, label }) => [label, ...Object.values(device)])
      for (const name of names)
        if (typeof name === 'string') assert.match(name, /^[\p{L}\p{N} ._-]{1,140}$/u)
      await client.login('ann')
    }
  })
}

test('POST /login: Node rejects oversized headers with 431, later requests succeed', async (t) => {
  const app = await build(t)
  await new Client(app).register('ann')
  const port = await listen(app)
  for (const header of ['user-agent', 'cookie', 'x-csrf-token', 'origin', 'x-forwarded-for']) {
    const answer = await sendRaw(
      port,
      post('/login', credentials, [`${header}: ${'x'.repeat(65_536)}`]),
    )
    assert.equal(answer.status, 431)
  }
  assert.equal((await sendRaw(port, post('/login', credentials))).status, 200)
})

test('GET /me, POST /login: 64 KiB headers get the usual 401, 403 or 200, never a 5xx', async (t) => {
  const app = await build(t, { fastify: roomy, auth: { lockout: false } })
  await new Client(app).register('ann')
  const port = await listen(app)
  const big = 'x'.repeat(65_536)
  const get = (headers: string[]) =>
    ['GET /me HTTP/1.1', 'host: localhost', 'connection: close', ...headers, '', ''].join('\r\n')
  for (const headers of [
    [`cookie: __Host-crudauth_session=${big}`],
    [`cookie: ${'a=b; '.repeat(13_000)}`],
    [`cookie: ${';'.repeat(65_536)}`],
    [`authorization: ${big}`],
    [`authorization: Bearer ${big}`],
    ['authorization: Bearer'],
    ['authorization: %zz%'],
    ['authorization: Bearer a', 'authorization: Basic b'],
    [`x-csrf-token: ${big}`],
  ]) {
    assert.equal((await sendRaw(port, get(headers))).status, 401)
  }
  assert.equal((await sendRaw(port, post('/login', credentials, [`origin: ${big}`]))).status, 403)
  assert.equal(
    (await sendRaw(port, post('/login', credentials, [`sec-fetch-site: ${big}`]))).status,
    403,
  )
  assert.equal(
    (await sendRaw(port, post('/login', credentials, [`x-forwarded-for: ${big}`]))).status,
    200,
  )
})

test('trustProxy: login accepts a forged X-Forwarded-For and stores at most 64 characters', async (t) => {
  const app = await build(t, { fastify: { ...roomy, trustProxy: true } })
  const client = await signedIn(app, 'ann')
  const port = await listen(app)
  for (const address of [
    'x'.repeat(60_000),
    "'; drop table users",
    '<b>',
    '1|2%7C',
    '%00',
    '::ffff:',
    '1.2.3.4.5.6',
    'fe80::%',
    ',,',
  ]) {
    const answer = await sendRaw(port, post('/login', credentials, [`x-forwarded-for: ${address}`]))
    assert.equal(answer.status, 200, address)
  }
  await client.login('ann')
  const sessions = (await client.get('/sessions')).json() as { ip: string }[]
  assert.equal(sessions.length, 5)
  for (const { ip } of sessions) assert.ok(ip.length <= 64)
})

test('trustProxy: a forged X-Forwarded-For escapes no account limit and locks no other address', async (t) => {
  const app = await build(t, {
    fastify: { ...roomy, trustProxy: true },
    auth: { lockout: { maxAttempts: 5, maxAttemptsPerIp: 4 } },
  })
  await new Client(app).register('ann')
  const port = await listen(app)
  const guess = async (username: string, address: string, secret = 'wrong') => {
    const body = JSON.stringify({ username, password: secret })
    return (await sendRaw(port, post('/login', body, [`x-forwarded-for: ${address}`]))).status
  }
  const forged = ['x'.repeat(60_000), "'; drop table users", '%00', '1.2.3.4.5.6', '192.0.2.1']
  for (const address of forged) assert.equal(await guess('ann', address), 401, address)
  assert.equal(await guess('ann', '192.0.2.2'), 429, 'the limit of the account')
  // Values that aren't addresses have limits of their own.
  for (const address of ['y'.repeat(60_000), '<b>', ',,']) {
    for (let n = 0; n < 4; n++)
      assert.equal(await guess(`${address.length} ${n}`, address), 401, address)
    assert.equal(await guess(`${address.length} 9`, address), 429, 'the limit of the address')
  }
  assert.equal(await guess('nobody', '192.0.2.3'), 401, 'another address is not locked')
})

test('POST /login: a chunked body above 16 KiB gets 413', async (t) => {
  const app = await build(t)
  const port = await listen(app)
  const chunk = `1000\r\n${'x'.repeat(0x1000)}\r\n`
  const head = [
    'POST /login HTTP/1.1',
    'host: localhost',
    'connection: close',
    'content-type: application/json',
  ]
  const answer = await sendRaw(
    port,
    `${head.join('\r\n')}\r\ntransfer-encoding: chunked\r\n\r\n${chunk.repeat(8)}0\r\n\r\n`,
  )
  assert.equal(answer.status, 413)
})

test('POST /login: a malformed Host header never makes a foreign Origin trusted', async (t) => {
  const app = await build(t, { auth: { lockout: false } })
  await new Client(app).register('ann')
  const port = await listen(app)
  for (const host of [
    '',
    'a b',
    'localhost:99999',
    '[::1',
    '@',
    'evil.example@localhost',
    'localhost/..',
    'localhost#',
    '%00',
  ]) {
    const body = credentials
    const request =
      `POST /login HTTP/1.1\r\nhost: ${host}\r\nconnection: close\r\norigin: https://evil.example\r\n` +
      `content-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n${body}`
    const { status } = await sendRaw(port, request)
    assert.ok(status === 403 || status === 400, `${host}: ${status}`)
  }
})

test('Unix domain socket: sign-up, login and lockout work without client addresses', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'crudauth-socket-'))
  t.after(() => rmSync(folder, { recursive: true, force: true }))
  for (const backend of backends) {
    const app = await build(t, { auth: { ...backend.options(), rateLimits: {} } })
    const path = join(folder, `${backend.name}.sock`)
    await app.listen({ path })
    const account = JSON.stringify({ email: 'ann@example.com', username: 'ann', password })
    assert.equal((await sendRaw(path, post('/register', account))).status, 201)
    assert.equal((await sendRaw(path, post('/login', credentials))).status, 200)
    const seen: number[] = []
    for (let i = 0; i < 6; i++)
      seen.push(
        (await sendRaw(path, post('/login', '{"username":"ann","password":"wrong"}'))).status,
      )
    assert.deepEqual(seen, [401, 401, 401, 401, 401, 429])
  }
})
