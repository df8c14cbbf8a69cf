import assert from 'node:assert/strict'
import { test } from 'node:test'
import { bearerTransport, memoryUsers, type UserStore } from '../../src/index.js'
import { answers } from '../helpers/answers.js'
import {
  asBearer,
  askToken,
  bearerApp,
  claimsOf,
  headerOf,
  hs,
  purposeKey,
  signedInBearer,
  times,
  tokensOf,
} from '../helpers/bearer.js'
import { build } from '../helpers/build.js'
import { refuses } from '../helpers/refuses.js'

test('access token: contains exactly the documented claims', async (t) => {
  const app = await bearerApp(t, null, { defaultScopes: ['read', 'write'] })
  const { access_token } = await signedInBearer(app)
  const claims = claimsOf(access_token)
  const { iat, exp, auth_time, jti, eph, ...rest } = claims
  assert.deepEqual(rest, {
    ...{ sub: '1', idt: 'n', ver: 0, scope: 'read write', typ: 'access' },
    amr: ['pwd'],
  })
  for (const time of [iat, exp, auth_time]) assert.ok(Number.isSafeInteger(time))
  assert.equal(auth_time, iat)
  assert.match(String(jti), /^[\w-]{22}$/)
  assert.match(String(eph), /^[\w-]{11}$/)
  assert.deepEqual(Object.keys(headerOf(access_token)).sort(), ['alg', 'kid', 'typ'])
  assert.equal(headerOf(access_token).alg, 'HS256')
  assert.equal(headerOf(access_token).typ, 'at+jwt')
})

test('access token: contains iss and aud if configured', async (t) => {
  const app = await bearerApp(t, null, { issuer: 'https://auth.example.com', audience: 'api' })
  const { access_token } = await signedInBearer(app)
  assert.equal(claimsOf(access_token).iss, 'https://auth.example.com')
  assert.equal(claimsOf(access_token).aud, 'api')
  answers(await asBearer(app, access_token), 200)
})

test('tokens: each one is unique, even within the same second', async (t) => {
  const app = await bearerApp(t, null)
  await signedInBearer(app)
  const tokens = await Promise.all(times(4, () => askToken(app).then(tokensOf)))
  assert.equal(new Set(tokens.map(({ access_token }) => claimsOf(access_token).jti)).size, 4)
  assert.equal(new Set(tokens.map(({ refresh_token }) => refresh_token)).size, 4)
})

test('access token: signed with an HKDF key derived for access tokens only', async (t) => {
  const app = await bearerApp(t, null)
  const { access_token } = await signedInBearer(app)
  const input = access_token.slice(0, access_token.lastIndexOf('.'))
  assert.equal(access_token, `${input}.${hs(input, purposeKey('access-token'))}`)
})

test('access token: reveals no username, email, password hash or key', async (t) => {
  const users = memoryUsers()
  const app = await bearerApp(t, null, {}, { users })
  const { access_token } = await signedInBearer(app)
  const text = JSON.stringify([headerOf(access_token), claimsOf(access_token)])
  const hash = String((await users.findById(1))?.hashedPassword)
  for (const part of ['ann', 'example.com', ...hash.split('$').filter((part) => part.length > 11)])
    assert.ok(!text.includes(part), part)
  assert.ok(
    !purposeKey('access-token')
      .toString('base64url')
      .includes(String(headerOf(access_token).kid)),
  )
})

test('access token: user ids keep their type (number, bigint, text)', async (t) => {
  for (const id of [
    0,
    7,
    -3,
    2 ** 40,
    1n,
    2n ** 70n,
    '1',
    '001',
    'n1',
    'b5',
    ' 1',
    '1e3',
    'a b',
    'ü/…',
    'undefined',
    'x'.repeat(255),
  ] as const) {
    const inner = memoryUsers()
    const users: UserStore = {
      ...inner,
      create: async (values) => ({ ...(await inner.create(values)), id }),
      findBy: async (field, value) => {
        const row = await inner.findBy(field, value)
        return row && { ...row, id }
      },
      findById: async (asked) => {
        if (asked !== id) return null
        const row = await inner.findBy('username', 'ann')
        return row && { ...row, id }
      },
    }
    const app = await bearerApp(t, null, {}, { users })
    const { access_token, refresh_token } = await signedInBearer(app)
    assert.equal(claimsOf(access_token).sub, String(id))
    assert.equal((await asBearer(app, access_token)).statusCode, 200, String(id))
    const response = await app.inject({
      method: 'POST',
      url: '/refresh',
      payload: { refresh_token },
    })
    assert.equal(response.statusCode, 200, String(id))
  }
})

test('access token: an id of another type is refused', async (t) => {
  const app = await bearerApp(t, null)
  const { access_token } = await signedInBearer(app)
  const payload = { ...claimsOf(access_token) }
  delete payload.idt
  const { forge } = await import('../helpers/bearer.js')
  refuses(await asBearer(app, forge(headerOf(access_token), payload)), 'CRUDAUTH_UNAUTHENTICATED')
})

test('access token: works with a model without token_version or is_active', async (t) => {
  const users = memoryUsers({ fields: ['id', 'email', 'username', 'hashedPassword'] })
  const app = await build(t, {
    auth: { users, transports: [bearerTransport({ refresh: 'body' })] },
  })
  const { access_token } = await signedInBearer(app)
  assert.equal(claimsOf(access_token).ver, 0)
  answers(await asBearer(app, access_token), 200)
  await users.update(1, { hashedPassword: await app.crudAuth.passwords.hash('another good one') })
  refuses(await asBearer(app, access_token), 'CRUDAUTH_UNAUTHENTICATED')
})
