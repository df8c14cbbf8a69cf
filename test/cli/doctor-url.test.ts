import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer, type OutgoingHttpHeaders } from 'node:http'
import type { AddressInfo } from 'node:net'
import { type TestContext, test } from 'node:test'
import { appWith, examineApp } from './apps.js'

const unauthenticated = JSON.stringify({ code: 'CRUDAUTH_UNAUTHENTICATED' })

/** A public address: what answers there, with headers as a proxy adds them. Returns its port. */
async function publicAddress(
  t: TestContext,
  headers: OutgoingHttpHeaders = {},
  status = 401,
): Promise<number> {
  const server = createServer((request, response) => {
    const found = request.url === '/auth/me'
    response.writeHead(found ? status : 404, headers).end(found ? unauthenticated : 'not here')
  })
  server.listen(0, '0.0.0.0')
  await once(server, 'listening')
  t.after(() => server.close())
  return (server.address() as AddressInfo).port
}

const options = 'secret, users: memoryUsers(), prefix: "/auth"'
const examine = (t: TestContext, url: string, code = appWith(options)) =>
  examineApp(t, code, { args: ['--url', url] })

test('doctor --url: localhost without a proxy needs nothing but a warning about Safari', async (t) => {
  const port = await publicAddress(t)
  const { code, stdout, all } = await examine(t, `http://localhost:${port}/`)
  assert.equal(code, 0, all)
  assert.match(stdout, /✔ GET http:\/\/localhost:\d+\/auth\/me answers as it should/)
  assert.match(stdout, /! Safari refuses Secure cookies/)
})

test('doctor --url: Secure cookies over plain http must be fixed', async (t) => {
  const port = await publicAddress(t)
  const secure = await examine(t, `http://0.0.0.0:${port}`)
  assert.equal(secure.code, 1, secure.all)
  assert.match(secure.stdout, /✖ Browsers refuse the cookies over http:\/\/0\.0\.0\.0/)
  const insecure = await examine(
    t,
    `http://0.0.0.0:${port}`,
    appWith(`${options}, cookies: { secure: false }`),
  )
  assert.equal(insecure.code, 1)
  assert.match(insecure.stdout, /✖ "cookies\.secure" is off/)
  assert.match(insecure.stdout, /✖ http:\/\/0\.0\.0\.0:\d+ is not encrypted/)
})

test('doctor --url: a redirect to https is recognized', async (t) => {
  const port = await publicAddress(t, { location: 'https://0.0.0.0/auth/me' }, 308)
  const { code, stdout, all } = await examine(t, `http://0.0.0.0:${port}`)
  assert.equal(code, 0, all)
  assert.match(stdout, /! http:\/\/0\.0\.0\.0:\d+ redirects to https/)
})

test('doctor --url: a proxy without trustProxy must be fixed', async (t) => {
  const port = await publicAddress(t, { via: '1.1 edge' })
  const url = `http://localhost:${port}`
  const unset = await examine(t, url)
  assert.equal(unset.code, 1, unset.all)
  assert.match(unset.stdout, /✖ "trustProxy" is not set, but a proxy .* header "via"/)
  const set = await examine(t, url, appWith(options, "{ trustProxy: ['127.0.0.1'] }"))
  assert.equal(set.code, 0, set.all)
  assert.match(set.stdout, /✔ "trustProxy" is set/)
  const all = await examine(t, url, appWith(options, '{ trustProxy: true }'))
  assert.equal(all.code, 0)
  assert.match(all.stdout, /! "trustProxy" is true/)
  const hops = await examine(t, url, appWith(options, '{ trustProxy: 1 }'))
  assert.equal(hops.code, 1)
  assert.match(hops.stdout, /✖ "trustProxy" is a number of hops/)
})

test('doctor --url: another prefix, and an address that does not answer, must be fixed', async (t) => {
  const port = await publicAddress(t)
  const moved = await examine(t, `http://localhost:${port}/api`)
  assert.equal(moved.code, 1, moved.all)
  assert.match(moved.stdout, /✖ GET .*\/api\/auth\/me answered 404 instead of 401/)
  const closed = createServer().listen(0, '127.0.0.1')
  await once(closed, 'listening')
  const { port: free } = closed.address() as AddressInfo
  closed.close()
  const silent = await examine(t, `http://127.0.0.1:${free}`)
  assert.equal(silent.code, 1)
  assert.match(silent.stdout, /✖ http:\/\/127\.0\.0\.1:\d+ doesn't answer \(ECONNREFUSED\)/)
})

test('doctor --url: cookies of another domain, and pages of another site, are reported', async (t) => {
  const port = await publicAddress(t)
  const { code, stdout } = await examine(
    t,
    `http://localhost:${port}`,
    appWith(
      `${options}, cookies: { domain: 'example.com' }, trustedOrigins: ['https://app.example.org']`,
    ),
  )
  assert.equal(code, 1)
  assert.match(stdout, /✖ "cookies\.domain" is "example\.com", and browsers refuse that/)
  assert.match(stdout, /! Pages of https:\/\/app\.example\.org are on another site/)
})
