import assert from 'node:assert/strict'
import { test } from 'node:test'
import { memoryUsers } from '../../src/index.js'
import { asBearer, bearerApp, claimsOf, encode, signedInBearer } from '../helpers/bearer.js'
import { refuses } from '../helpers/refuses.js'

test('a token that was good before vouches for none that ends alike', async (t) => {
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

/** Hashes that are written to one row in turn, and whether a token that was issued under the first is good under them. */
const replaced: [string, string | null, string | null, boolean][] = [
  ['another digest under the same salt, as a rehash makes', argon('a', 'x'), argon('a', 'y'), true],
  ['another cost under the same salt', argon('a', 'x'), argon('a', 'y', 'm=16,t=2,p=1'), true],
  ['another salt', argon('a', 'x'), argon('b', 'x'), false],
  ['a salt that begins alike', argon('a', 'x'), argon('a', 'x').replace(/\$x/, 'a$x'), false],
  [
    'another hash of an older argon2',
    '$argon2id$m=8,t=1,p=1$c2FsdHNhbHQ$xxxx',
    '$argon2id$m=8,t=1,p=1$c2FsdHNhbHQ$yyyy',
    false,
  ],
  ['another hash of bcrypt', `$2b$10$${'a'.repeat(53)}`, `$2b$10$${'b'.repeat(53)}`, false],
  ['an unusable one that begins alike', '!', '!more', false],
  ['an unusable one instead of a password', argon('a', 'x'), '!more', false],
  ['none', argon('a', 'x'), null, false],
]

for (const [what, before, after, stays] of replaced) {
  test(`the stored hash of a token that is known becomes ${what}: it is ${stays ? 'good' : 'ended'}`, async (t) => {
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
