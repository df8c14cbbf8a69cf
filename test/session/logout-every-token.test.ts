import assert from 'node:assert/strict'
import { describe, type TestContext, test } from 'node:test'
import { type BearerTransportOptions, bearerTransport, sessionTransport } from '../../src/index.js'
import { answers } from '../helpers/answers.js'
import { backends } from '../helpers/backends.js'
import { askRefresh, askToken, postJson, tokensOf } from '../helpers/bearer.js'
import { build } from '../helpers/build.js'
import { Client, signedIn } from '../helpers/client.js'
import { refuses } from '../helpers/refuses.js'

const cookie = (token: string) => ({ cookie: `__Host-crudauth_refresh=${token}` })

for (const backend of backends) {
  describe(`${backend.name}: POST /logout revokes every refresh token of the request`, () => {
    const start = (t: TestContext, options: BearerTransportOptions, session = false) => {
      const told: string[] = []
      const transports = [...(session ? [sessionTransport()] : []), bearerTransport(options)]
      const hooks = {
        onAfterLogout: (user: unknown) => told.push((user as { username: string }).username),
      }
      return build(t, { auth: { ...backend.options(), transports, hooks } }).then((app) => ({
        app,
        told,
      }))
    }

    test('a planted or invalid cookie does not protect the token in the body', async (t) => {
      const { app, told } = await start(t, { refresh: 'body' })
      await new Client(app).register('ann')
      for (const beside of [
        'planted',
        `${'a'.repeat(22)}.${'b'.repeat(22)}.${'c'.repeat(43)}`,
        '',
      ]) {
        const { refresh_token } = tokensOf(await askToken(app))
        answers(await postJson(app, '/logout', { refresh_token }, cookie(beside)), 200)
        refuses(await askRefresh(app, refresh_token), 'CRUDAUTH_INVALID_TOKEN')
      }
      assert.deepEqual(told, ['ann', 'ann', 'ann'])
      assert.deepEqual(await app.crudAuth.sessions.list(1), [])
    })

    test('the token in the body is revoked together with the session', async (t) => {
      const { app, told } = await start(t, { refresh: 'body' }, true)
      const client = await signedIn(app, 'ann')
      const { refresh_token } = tokensOf(await askToken(app))
      client.cookies.set('__Host-crudauth_refresh', 'planted')
      answers(await client.post('/logout', { refresh_token }), 200)
      refuses(await askRefresh(app, refresh_token), 'CRUDAUTH_INVALID_TOKEN')
      assert.deepEqual(await app.crudAuth.sessions.list(1), [])
      assert.deepEqual(told, ['ann'])
    })

    for (const refresh of ['cookie', 'body'] as const) {
      test(`refresh: '${refresh}' revokes the families of cookie and body and runs onAfterLogout for each user`, async (t) => {
        const { app, told } = await start(t, { refresh })
        const tokens: string[] = []
        for (const [index, name] of ['ann', 'bob'].entries()) {
          await new Client(app).register(name)
          const user = await app.crudAuth.users.findById(index + 1)
          assert.ok(user)
          tokens.push((await app.crudAuth.issueTokens(user)).refreshToken ?? '')
        }
        const [one = '', two = ''] = tokens
        answers(await postJson(app, '/logout', { refresh_token: two }, cookie(one)), 200)
        assert.deepEqual(
          await Promise.all([app.crudAuth.sessions.list(1), app.crudAuth.sessions.list(2)]),
          [[], []],
        )
        assert.deepEqual(told.sort(), ['ann', 'bob'])
        refuses(
          await postJson(app, '/logout', { refresh_token: two }, cookie(one)),
          'CRUDAUTH_UNAUTHENTICATED',
        )
      })
    }
  })
}
