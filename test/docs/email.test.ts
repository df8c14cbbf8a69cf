import assert from 'node:assert/strict'
import { test } from 'node:test'
import Fastify from 'fastify'
import { password, secret } from '../helpers/build.js'
import { runExample } from './load.js'

test('docs/email.md: the phone recovery example registers, verifies and resets by text message', async (t) => {
  const app = Fastify()
  t.after(() => app.close())
  const sent: { to: string; text: string }[] = []
  let arrived: (() => void) | undefined
  const sendSms = async (to: string, text: string) => {
    sent.push({ to, text })
    arrived?.()
  }
  const next = async () => {
    if (sent.length === 0) await new Promise<void>((resolve) => (arrived = resolve))
    arrived = undefined
    return sent.shift() as { to: string; text: string }
  }
  await runExample(t, 'phone', { app, secret, sendSms })
  const post = (url: string, payload: object) => app.inject({ method: 'POST', url, payload })
  const tokenOf = (text: string) => /token=([\w-]{22})$/.exec(text)?.[1]
  const phone = '+4915112345678'

  assert.equal(
    (await post('/register', { username: 'ada', password })).statusCode,
    400,
    'the number is required',
  )
  const registered = await post('/register', { username: 'ada', phone, password })
  assert.equal(registered.statusCode, 202, registered.body)
  const welcome = await next()
  assert.equal(welcome.to, phone)
  assert.equal(
    (await post('/email/verify-confirm', { token: tokenOf(welcome.text) })).statusCode,
    200,
  )

  assert.equal(
    (await post('/password/reset-request', { email: 'ada@example.com' })).statusCode,
    400,
  )
  assert.equal((await post('/password/reset-request', { phone })).statusCode, 202)
  const { text } = await next()
  const new_password = 'another sea at midnight'
  assert.equal(
    (await post('/password/reset-confirm', { token: tokenOf(text), new_password })).statusCode,
    200,
  )
  assert.equal((await post('/login', { username: 'ada', password: new_password })).statusCode, 200)
  assert.equal(
    (await post('/email/change-request', {})).statusCode,
    404,
    'there is no email to change',
  )

  const second = await post('/register', { username: 'eve', phone, password })
  assert.deepEqual([second.statusCode, second.body], [registered.statusCode, registered.body])
  assert.match((await next()).text, /tried to register/)
})
