import assert from 'node:assert/strict'
import { test } from 'node:test'
import { memoryUsers } from '../../src/index.js'
import { asBearer, bearerApp, claimsOf, encode, signedInBearer } from '../helpers/bearer.js'
import { refuses } from '../helpers/refuses.js'

test('verified-token cache: forged tokens with a cached signature are refused', async (t) => {
  const app = await bearerApp(t, null, { defaultScopes: ['read'] })
  const { access_token } = await signedInBearer(app)
  await signedInBearer(app, 'bob')
  const [head, , signature] = access_token.split('.')
  const forged = [
    `${head}.${encode({ ...claimsOf(access_token), sub: '2' })}.${signature}`,
    `${head}.${encode({ ...claimsOf(access_token), scope: 'read admin' })}.${signature}`,
    `x.y.${signature}`,
    String(signature),
    access_token.slice(1),
    access_token.slice(-16),
  ]
  for (let round = 0; round < 3; round++) {
    assert.equal((await asBearer(app, access_token)).json().user_id, 1)
    for (const token of forged) refuses(await asBearer(app, token), 'CRUDAUTH_INVALID_TOKEN')
  }
  const bare = await app.inject({ url: '/me', headers: { authorization: access_token.slice(-16) } })
  refuses(bare, 'CRUDAUTH_UNAUTHENTICATED')
})

const argon = (salt: string, digest: string, cost = 'm=8,t=1,p=1') =>
  `$argon2id$v=19$${cost}$${salt.repeat(22)}$${digest.repeat(43)}`

/** A label, the stored hash before and after, and whether a token from before stays valid. */
const replaced: [string, string | null, string | null, boolean][] = [
  ['another digest with the same salt, as after a rehash', argon('a', 'x'), argon('a', 'y'), true],
  ['another cost with the same salt', argon('a', 'x'), argon('a', 'y', 'm=16,t=2,p=1'), true],
  ['another salt', argon('a', 'x'), argon('b', 'x'), false],
  ['a salt with the same beginning', argon('a', 'x'), argon('a', 'x').replace(/\$x/, 'a$x'), false],
  [
    'another argon2 hash without a version',
    '$argon2id$m=8,t=1,p=1$c2FsdHNhbHQ$xxxx',
    '$argon2id$m=8,t=1,p=1$c2FsdHNhbHQ$yyyy',
    false,
  ],
  ['another bcrypt hash', `$2b$10$${'a'.repeat(53)}`, `$2b$10$${'b'.repeat(53)}`, false],
  ['an unusable hash with the same beginning', '!', '!more', false],
  ['an unusable hash', argon('a', 'x'), '!more', false],
  ['NULL', argon('a', 'x'), null, false],
]

for (const [what, before, after, stays] of replaced) {
  test(`verified-token cache: hash becomes ${what}: the token is ${stays ? 'accepted' : 'refused'}`, async (t) => {
    const users = memoryUsers()
    const app = await bearerApp(t, null, {}, { users })
    const user = await users.create({
      email: 'ann@example.com',
      username: 'ann',
      hashedPassword: before,
    })
    const { accessToken: token } = await app.crudAuth.issueTokens(user)
    for (let i = 0; i < 3; i++) assert.equal((await asBearer(app, token)).statusCode, 200)
    await users.update(1, { hashedPassword: after })
    for (let i = 0; i < 3; i++)
      assert.equal((await asBearer(app, token)).statusCode, stays ? 200 : 401)
    await users.update(1, { hashedPassword: before })
    assert.equal((await asBearer(app, token)).statusCode, 200)
    await users.update(1, { tokenVersion: 1 })
    assert.equal((await asBearer(app, token)).statusCode, 401)
  })
}
