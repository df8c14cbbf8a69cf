import assert from 'node:assert/strict'
import { request } from 'node:http'
import type { AddressInfo } from 'node:net'
import { describe, type TestContext, test } from 'node:test'
import { setTimeout as wait } from 'node:timers/promises'
import formbody from '@fastify/formbody'
import Fastify, { type FastifyInstance } from 'fastify'
import { crudAuth, memoryUsers, sessionTransport } from '../../src/index.js'
import { answers } from '../helpers/answers.js'
import { cheap, secret } from '../helpers/build.js'
import { Client } from '../helpers/client.js'

const password = 'Pässwörter sind + lang'
const form = 'application/x-www-form-urlencoded'

const arrangements: Record<string, (app: FastifyInstance) => Promise<void>> = {
  none: async () => {},
  before: async (app) => void (await app.register(formbody)),
  'before, with a parser that reads nothing': async (app) =>
    void (await app.register(formbody, { parser: () => ({}) })),
}

const useCrudAuth = (app: FastifyInstance) =>
  app.register(crudAuth, {
    secret,
    users: memoryUsers(),
    passwords: { cost: cheap },
    transports: [sessionTransport()],
  })

async function start(t: TestContext, before: (app: FastifyInstance) => Promise<void>) {
  const app = Fastify()
  t.after(() => app.close())
  await before(app)
  await useCrudAuth(app)
  answers(
    await new Client(app).post('/register', {
      email: 'ann@example.com',
      username: 'ann',
      password,
    }),
    201,
  )
  return app
}

const post = (app: FastifyInstance, payload: string | Buffer, type = form) =>
  app.inject({ method: 'POST', url: '/login', headers: { 'content-type': type }, payload })

for (const [name, before] of Object.entries(arrangements)) {
  describe(`forms, with the app's own @fastify/formbody: ${name}`, () => {
    test('POST /login: a form signs in, whatever the case and parameters of its content type', async (t) => {
      const app = await start(t, before)
      const fields = `username=ann&password=${encodeURIComponent(password).replace('%20', '+')}`
      for (const type of [form, `${form}; charset=utf-8`, form.toUpperCase(), `${form} ;x=y`])
        answers(await post(app, fields, type), 200)
      // UTF-8 bytes need no percent-encoding.
      answers(await post(app, fields.replace('%C3%A4', 'ä')), 200)
    })

    test('POST /login: a form with invalid UTF-8 is 400', async (t) => {
      const app = await start(t, before)
      for (const bad of [
        Buffer.from([0xff]),
        Buffer.from([0xc3]),
        Buffer.from('%ff'),
        Buffer.from('%C3'),
        Buffer.from('%C3&%A4'),
        Buffer.from('%zz'),
        Buffer.from('%'),
        Buffer.from('%ED%A0%80'),
      ]) {
        const body = Buffer.concat([Buffer.from('username=ann&password='), bad])
        const { code } = answers(await post(app, body), 400)
        assert.equal(code, 'CRUDAUTH_BAD_REQUEST', bad.toString('latin1'))
      }
    })
  })
}

test('forms: routes of the app use the app’s own form parser', async (t) => {
  const app = Fastify()
  t.after(() => app.close())
  await useCrudAuth(app)
  await app.register(formbody, { parser: (text) => ({ text }) })
  app.post('/own', async ({ body }) => body)
  const headers = { 'content-type': form }
  const { body } = await app.inject({ method: 'POST', url: '/own', headers, payload: 'a=%ff' })
  assert.equal(body, '{"text":"a=%ff"}')
})

test('POST /login: a form sent in chunks is decoded as a whole, and too long a form is 413', async (t) => {
  const app = await start(t, async () => {})
  await app.listen({ host: '127.0.0.1', port: 0 })
  const { port } = app.server.address() as AddressInfo
  const send = (pieces: readonly (string | Buffer)[]) =>
    new Promise<number>((resolve, reject) => {
      const call = request(
        {
          port,
          host: '127.0.0.1',
          method: 'POST',
          path: '/login',
          headers: { 'content-type': form },
        },
        (response) => {
          response.resume()
          response.on('end', () => resolve(response.statusCode ?? 0))
        },
      )
      call.on('error', reject)
      for (const piece of pieces) call.write(piece)
      call.end()
    })
  const fields = `username=ann&password=${encodeURIComponent(password)}`
  assert.equal(await send([...fields]), 200)
  assert.equal(await send([fields, Buffer.from([0xc3]), Buffer.from([0xa4])]), 401)
  assert.equal(await send([fields, Buffer.from([0xc3])]), 400)
  assert.equal(await send([fields, '&x=', 'x'.repeat(10_000), 'x'.repeat(10_000)]), 413)
  assert.equal(await send(['x='.padEnd(16_384, 'x')]), 400)
})

test('POST /login: a client that disconnects mid-form leaves no session and counts no attempt', async (t) => {
  const app = await start(t, async () => {})
  await app.listen({ host: '127.0.0.1', port: 0 })
  const { port } = app.server.address() as AddressInfo
  const fields = `username=ann&password=${encodeURIComponent(password)}`
  const disconnect = (text: string) =>
    new Promise<void>((resolve) => {
      const call = request({
        port,
        host: '127.0.0.1',
        method: 'POST',
        path: '/login',
        headers: { 'content-type': form, 'content-length': '1000' },
      })
      call.on('error', () => resolve())
      call.write(text)
      setTimeout(() => call.destroy(), 50)
    })
  // Five wrong passwords would lock the account.
  const cut = [fields, ...Array<string>(6).fill('username=ann&password=wrong password')]
  await Promise.all(cut.map(disconnect))
  await wait(100)
  assert.deepEqual(await app.crudAuth.sessions.list(1), [])
  answers(await post(app, fields), 200)
  assert.equal((await app.crudAuth.sessions.list(1)).length, 1)
})
