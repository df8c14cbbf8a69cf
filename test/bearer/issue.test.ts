import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { memoryUsers } from '../../src/index.js'
import { answers } from '../helpers/answers.js'
import { backends } from '../helpers/backends.js'
import {
  asBearer,
  askRefresh,
  askToken,
  bearerApp,
  claimsOf,
  signedInBearer,
  times,
  tokensOf,
} from '../helpers/bearer.js'
import { Client } from '../helpers/client.js'
import { refuses } from '../helpers/refuses.js'

/** 4096 characters including the spaces between them, which is the maximum. */
const most = times(64, (n) => `${n}`.padStart(2, '0').padEnd(n === 63 ? 64 : 63, 'x'))

for (const backend of backends) {
  describe(`${backend.name}: issueTokens`, () => {
    test('an empty list of scopes grants none; only an absent list gets the defaults', async (t) => {
      const app = await bearerApp(t, backend, {
        defaultScopes: ['admin'],
        grantableScopes: ['admin', 'read'],
      })
      await new Client(app).register('ann')
      const user = await app.crudAuth.users.findById(1)
      assert.ok(user)
      for (const [options, granted] of [
        [{ scopes: [] }, []],
        [{ scopes: ['nope'] }, []],
        [{ scopes: ['read'] }, ['read']],
        [{ scopes: undefined }, ['admin']],
        [{}, ['admin']],
        [undefined, ['admin']],
      ] as const) {
        const {
          scopes,
          accessToken,
          refreshToken = '',
        } = await app.crudAuth.issueTokens(user, options)
        assert.deepEqual(scopes, granted)
        assert.equal(claimsOf(accessToken).scope, granted.join(' '))
        assert.equal(tokensOf(await askRefresh(app, refreshToken)).scope, granted.join(' '))
      }
      assert.equal(tokensOf(await askToken(app, 'ann', { scope: '' })).scope, 'admin')
    })

    test('scopes that are not an array of strings are refused and nothing is stored', async (t) => {
      const app = await bearerApp(t, backend, { defaultScopes: ['a'], grantableScopes: ['a', 'b'] })
      await new Client(app).register('ann')
      const user = await app.crudAuth.users.findById(1)
      assert.ok(user)
      for (const scopes of [
        'a',
        '',
        'a b',
        null,
        1,
        {},
        ['a', 1],
        [null],
        new Set(['a']),
      ] as never[])
        await assert.rejects(() => app.crudAuth.issueTokens(user, { scopes }), {
          code: 'CRUDAUTH_INTERNAL',
          message: /"scopes".*array/,
        })
      assert.deepEqual(await app.crudAuth.sessions.list(1), [])
    })

    for (const tokenVersion of [-1, 1.5, 2 ** 53, Number.NaN, 'seven']) {
      test(`a token_version of ${tokenVersion} throws CRUDAUTH_INTERNAL and stores no token family`, async (t) => {
        const users = memoryUsers()
        const app = await bearerApp(t, backend, {}, { users })
        const { refresh_token } = await signedInBearer(app)
        // Only reads return the odd version; the stored row and its epoch don't change.
        const { findById, findBy } = users
        const odd = (row: Record<string, unknown> | null) => row && { ...row, tokenVersion }
        users.findById = async (id) => odd(await findById(id))
        users.findBy = async (field, value) => odd(await findBy(field, value))
        refuses(await askToken(app), 'CRUDAUTH_INTERNAL')
        const user = await app.crudAuth.users.findById(1)
        assert.ok(user)
        await assert.rejects(() => app.crudAuth.issueTokens(user), {
          code: 'CRUDAUTH_INTERNAL',
          message: /tokenVersion/,
        })
        Object.assign(users, { findById, findBy })
        assert.equal((await app.crudAuth.sessions.list(1)).length, 1)
        answers(await askRefresh(app, refresh_token), 200)
      })
    }

    test('a token that would be too long is not issued; existing refresh tokens stay valid', async (t) => {
      const users = memoryUsers()
      const app = await bearerApp(t, backend, { defaultScopes: ['a'] }, { users })
      const { refresh_token } = await signedInBearer(app)
      const rowOf = (id: string) => ({ id, hashedPassword: 'x', isActive: true, tokenVersion: 0 })
      const [fitting, long] = [rowOf('x'.repeat(1000)), rowOf('x'.repeat(7000))]
      // `sessions.list` leaves out the families of a user who doesn't exist.
      const { findById } = users
      users.findById = async (id) =>
        [fitting, long].find((row) => row.id === id) ?? (await findById(id))
      await app.crudAuth.issueTokens(fitting)
      assert.equal((await app.crudAuth.sessions.list(fitting.id)).length, 1)
      await assert.rejects(() => app.crudAuth.issueTokens(long), {
        code: 'CRUDAUTH_INTERNAL',
        message: /8192/,
      })
      assert.deepEqual(await app.crudAuth.sessions.list(long.id), [], 'no family is stored')
      answers(await askRefresh(app, refresh_token), 200)
    })
  })
}

test('access token: the maximum length of scopes, issuer and audience is accepted', async (t) => {
  assert.equal(most.join(' ').length, 4096)
  const names = { issuer: 'i'.repeat(512), audience: 'a'.repeat(512) }
  const app = await bearerApp(t, null, { defaultScopes: most, ...names })
  const { access_token, refresh_token } = await signedInBearer(app)
  assert.deepEqual(answers(await asBearer(app, access_token), 200).scopes, most)
  answers(await asBearer(app, tokensOf(await askRefresh(app, refresh_token)).access_token), 200)
})
