import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { FastifyServerOptions } from 'fastify'
import { bearerApp, getRaw, listenOn, signedInBearer } from '../helpers/bearer.js'

const roomy = { http: { maxHeaderSize: 262_144 } } as FastifyServerOptions

async function start(t: Parameters<typeof bearerApp>[0], fastify: FastifyServerOptions = {}) {
  const app = await bearerApp(
    t,
    null,
    {},
    {},
    {
      fastify,
      routes(app) {
        app.get(
          '/optional',
          { onRequest: app.currentUser({ optional: true }) },
          async (request) => ({
            who: request.maybePrincipal?.userId ?? null,
          }),
        )
      },
    },
  )
  const { access_token } = await signedInBearer(app)
  const bob = await signedInBearer(app, 'bob')
  return { port: await listenOn(app), token: access_token, other: bob.access_token }
}

test('Authorization: a duplicate header never authenticates', async (t) => {
  const { port, token, other } = await start(t)
  for (const lines of [
    [`authorization: Bearer ${token}`, `authorization: Bearer ${token}`],
    [`authorization: Bearer ${token}`, `authorization: Bearer ${other}`],
    [`authorization: Bearer ${other}`, `authorization: Bearer ${token}`],
    [`authorization: Bearer ${token}`, 'authorization: Bearer'],
    [`authorization: Bearer ${token}`, 'authorization: Bearer forged'],
    [`authorization: Bearer ${token}`, 'Authorization: Basic YW5uOnB3'],
    [`authorization: Bearer ${token}`, 'AUTHORIZATION:'],
    ['authorization: Bearer forged', `authorization: Bearer ${token}`],
    ['authorization: Bearer', `authorization: Bearer ${token}`],
  ]) {
    for (const url of ['/me', '/optional']) {
      const answer = await getRaw(port, url, lines)
      assert.equal(answer.status, 401, answer.text)
      assert.match(answer.text, /CRUDAUTH_INVALID_TOKEN/)
      assert.match(answer.text, /www-authenticate: Bearer error="invalid_token"\r\n/i)
    }
  }
  // Node keeps only the first line, which has no bearer token here.
  for (const first of ['authorization: Basic YW5uOnB3', 'authorization:']) {
    const lines = [first, `authorization: Bearer ${token}`]
    assert.equal((await getRaw(port, '/me', lines)).status, 401)
    assert.match((await getRaw(port, '/optional', lines)).text, /\{"who":null\}/)
  }
})

test('Authorization: case and whitespace variants are accepted, malformed lines rejected', async (t) => {
  const { port, token } = await start(t)
  for (const line of [
    `Authorization: Bearer ${token}`,
    `authorization:bearer ${token}`,
    `AUTHORIZATION: \t BEARER ${token} \t`,
    `authorization: Bearer   ${token}`,
  ]) {
    assert.equal((await getRaw(port, '/me', [line])).status, 200, line)
  }
  for (const line of [
    'authorization:',
    'authorization: ',
    'authorization: Bearer',
    'authorization: Bearer ',
    `authorization: Bearer\t${token}`,
    `authorization: Bearer ${token.slice(0, 40)} ${token.slice(40)}`,
    `authorization: ${token}`,
    `x-authorization: Bearer ${token}`,
    `proxy-authorization: Bearer ${token}`,
    'authorization: Bearer %00%zz%',
    'authorization: %',
    `authorization: Bearer ${'é'.repeat(100)}`,
    'authorization: Bearer \u00ff\u0080',
    `authorization: Bearer ${token}, Bearer ${token}`,
    `authorization: Basic x, Bearer ${token}`,
  ]) {
    assert.equal((await getRaw(port, '/me', [line])).status, 401, line)
  }
  for (const line of [`authorization : Bearer ${token}`, `authorization: Bearer ${token}\0`]) {
    assert.equal((await getRaw(port, '/me', [line])).status, 400, line)
  }
})

test('Authorization: 64 KiB gets 431 from Node, 401 if the app allows large headers', async (t) => {
  const { port } = await start(t)
  const big = 'a'.repeat(65_536)
  assert.equal((await getRaw(port, '/me', [`authorization: Bearer ${big}`])).status, 431)
  const wide = await start(t, roomy)
  for (const value of [
    `Bearer ${big}`,
    big,
    `Bearer ${'a.'.repeat(32_768)}`,
    `Bearer ${' '.repeat(65_536)}x`,
    `Bearer x${' '.repeat(65_536)}y`,
    `Bearer ${'='.repeat(65_536)}`,
  ]) {
    const answer = await getRaw(wide.port, '/me', [`authorization: ${value}`])
    assert.equal(answer.status, 401, value.slice(0, 20))
  }
  for (const _ of [1, 2]) {
    const many = Array.from({ length: 1500 }, () => `authorization: Bearer ${wide.token}`)
    assert.ok([401, 431].includes((await getRaw(wide.port, '/me', many.slice(0, 300))).status))
  }
  assert.equal(
    (await getRaw(wide.port, '/me', [`authorization: Bearer ${wide.token}`])).status,
    200,
  )
})
