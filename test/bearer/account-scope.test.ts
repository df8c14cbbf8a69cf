import assert from 'node:assert/strict'
import { test } from 'node:test'
import { bearerTransport, sessionTransport } from '../../src/index.js'
import { answers } from '../helpers/answers.js'
import { backends } from '../helpers/backends.js'
import { asBearer, bearerApp } from '../helpers/bearer.js'
import { password } from '../helpers/build.js'
import { Client, signedIn } from '../helpers/client.js'
import { Mailbox } from '../helpers/mailbox.js'
import { refuses } from '../helpers/refuses.js'

for (const backend of backends) {
  const routes = [
    ['/change-password', { current_password: password, new_password: 'a new good password' }, 200],
    ['/email/change-request', { new_email: 'new@example.com', password }, 202],
    ['/set-password', { new_password: 'a new good password' }, 400],
  ] as const

  for (const [url, payload, status] of routes) {
    test(`${backend.name}: POST ${url}: a bearer token needs the scope account if it is grantable`, async (t) => {
      const app = await bearerApp(
        t,
        backend,
        { grantableScopes: ['account', 'notes'] },
        { email: new Mailbox().options() },
      )
      await new Client(app).register('ann')
      const tokenOf = async (scope: string) => {
        const asked = { username: 'ann', password, scope }
        return (await new Client(app).form('/token', asked)).json().access_token
      }
      const ask = async (scope: string) =>
        asBearer(app, await tokenOf(scope), url, { method: 'POST', payload })
      for (const scope of ['', 'notes']) {
        const refused = await ask(scope)
        refuses(refused, 'CRUDAUTH_INSUFFICIENT_SCOPE')
        assert.match(String(refused.headers['www-authenticate']), /insufficient_scope/)
      }
      answers(await asBearer(app, await tokenOf('notes')), 200)
      answers(await ask('notes account'), status)
    })

    test(`${backend.name}: POST ${url}: accepts any bearer token if account is not grantable`, async (t) => {
      const app = await bearerApp(
        t,
        backend,
        { grantableScopes: ['notes'] },
        { email: new Mailbox().options() },
      )
      await new Client(app).register('ann')
      const asked = { username: 'ann', password, scope: 'notes' }
      const { access_token } = (await new Client(app).form('/token', asked)).json()
      answers(await asBearer(app, access_token, url, { method: 'POST', payload }), status)
    })
  }

  test(`${backend.name}: POST /change-password: a session needs no scope`, async (t) => {
    const app = await bearerApp(
      t,
      backend,
      {},
      {
        transports: [sessionTransport(), bearerTransport({ grantableScopes: ['account'] })],
      },
    )
    const client = await signedIn(app, 'ann')
    const change = { current_password: password, new_password: 'a new good password' }
    answers(await client.post('/change-password', change), 200)
  })
}
