import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { bearerTransport } from '../../src/index.js'
import { answers, refusesOwn, setCookies } from '../helpers/answers.js'
import { backends } from '../helpers/backends.js'
import { bearerApp } from '../helpers/bearer.js'
import { build, password } from '../helpers/build.js'
import { Client } from '../helpers/client.js'

const device = '__Host-crudauth_device'
const wrong = 'wrong password'

for (const backend of backends) {
  describe(`${backend.name}: POST /token with refresh: body`, () => {
    test('a stranger cannot lock the known device of the owner out', async (t) => {
      const app = await bearerApp(t, backend)
      const owner = new Client(app, '', { remoteAddress: '198.51.100.1' })
      const stranger = new Client(app, '', { remoteAddress: '203.0.113.1' })
      await owner.register('ann')
      const signedIn = await owner.post('/token', { username: 'ann', password })
      answers(signedIn, 200)
      assert.deepEqual(Object.keys(setCookies(signedIn)), [device])
      assert.equal(
        setCookies(signedIn)[device]?.attributes,
        'httponly; path=/; samesite=lax; secure',
      )
      for (let n = 0; n < 5; n++)
        refusesOwn(
          await stranger.post('/token', { username: 'ann', password: wrong }),
          'CRUDAUTH_BAD_CREDENTIALS',
        )
      refusesOwn(
        await stranger.post('/token', { username: 'ann', password }),
        'CRUDAUTH_LOCKED_OUT',
      )
      answers(await owner.post('/token', { username: 'ann', password }), 200)
    })

    test('a wrong password and a refresh set no device cookie', async (t) => {
      const app = await bearerApp(t, backend)
      const client = new Client(app)
      await client.register('ann')
      assert.deepEqual(
        setCookies(await client.post('/token', { username: 'ann', password: wrong })),
        {},
      )
      const { refresh_token } = answers(
        await client.post('/token', { username: 'ann', password }),
        200,
      )
      assert.deepEqual(setCookies(await client.post('/refresh', { refresh_token })), {})
    })

    test('a cross-site request gets tokens but no device cookie', async (t) => {
      const trusted = 'https://app.example.org'
      const transports = [bearerTransport({ refresh: 'body' })]
      const app = await build(t, {
        auth: { ...backend.options(), transports, trustedOrigins: [trusted] },
      })
      await new Client(app).register('ann')
      const ask = (headers: Record<string, string>) =>
        new Client(app).post('/token', { username: 'ann', password }, { headers })
      for (const headers of [
        { origin: 'https://evil.example' },
        { origin: 'null' },
        { 'sec-fetch-site': 'cross-site' },
      ]) {
        const response = await ask(headers as Record<string, string>)
        assert.ok(answers(response, 200).refresh_token)
        assert.equal(response.headers['set-cookie'], undefined)
      }
      for (const headers of [
        { origin: trusted },
        { origin: 'http://localhost:80' },
        { 'sec-fetch-site': 'same-origin' },
        {},
      ])
        assert.deepEqual(Object.keys(setCookies(await ask(headers as Record<string, string>))), [
          device,
        ])
    })
  })
}
