import assert from 'node:assert/strict'
import { test } from 'node:test'
import Fastify from 'fastify'
import { smtpSender } from '../../src/email-senders/smtp.js'
import crudAuth, { memoryUsers, sessionTransport } from '../../src/index.js'
import { setCookies } from '../helpers/answers.js'
import { build, secret } from '../helpers/build.js'
import { Client } from '../helpers/client.js'

test('cookies: an undefined member of a transport keeps the value shared by all', async (t) => {
  const app = await build(t, {
    auth: {
      cookies: { sameSite: 'strict', names: { session: 'sid' } },
      transports: [
        sessionTransport({ cookies: { sameSite: undefined, names: { session: undefined } } }),
      ],
    },
  })
  const client = new Client(app)
  await client.register('ann')
  const cookies = setCookies(await client.login('ann'))
  const [name] = Object.keys(cookies).filter((name) => name.endsWith('sid'))
  assert.match(cookies[String(name)]?.attributes ?? '', /samesite=strict/)
})

for (const name of ['enableOfflineQueue', 'maxRetriesPerRequest', 'autoResendUnfulfilledCommands'])
  test(`redis: ${name} in the URL fails registration`, async () => {
    const redis = `redis://127.0.0.1:1?${name}=true`
    const registered = Fastify().register(crudAuth, { secret, users: memoryUsers(), redis })
    await assert.rejects(async () => registered, {
      code: 'CRUDAUTH_CONFIG',
      message: new RegExp(name),
    })
  })

test('smtpSender: transport.url and transport.service cannot replace the checked server', () => {
  const own = { from: 'a@example.com', host: 'localhost', allowInsecure: true }
  for (const transport of [{ url: 'smtp://u:p@mail.example.com' }, { service: 'gmail' }])
    assert.throws(() => smtpSender({ ...own, transport }), { code: 'CRUDAUTH_CONFIG' })
})

test('smtpSender: a time limit that a timer cannot hold fails', () => {
  const own = { from: 'a@example.com', host: 'localhost' }
  assert.throws(() => smtpSender({ ...own, messageSeconds: 3_000_000 }), /messageSeconds/)
})
