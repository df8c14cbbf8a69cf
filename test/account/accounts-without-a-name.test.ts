import assert from 'node:assert/strict'
import { test } from 'node:test'
import { memoryUsers } from '../../src/index.js'
import { build, password } from '../helpers/build.js'
import { Client } from '../helpers/client.js'
import { signedInByHand } from '../helpers/passwords.js'
import { refuses } from '../helpers/refuses.js'
import { mountHandLogin } from '../helpers/users.js'

const next = 'another good password'

test('POST /change-password: works for an account whose username is NULL', async (t) => {
  const app = await build(t, { auth: { identity: { login: ['email'] } } })
  const client = new Client(app)
  assert.equal(
    (await client.post('/register', { email: 'ann@example.com', password })).statusCode,
    201,
  )
  assert.equal((await client.login('ann@example.com')).statusCode, 200)
  refuses(
    await client.post('/change-password', {
      current_password: password,
      new_password: 'Ann@example.com',
    }),
    'CRUDAUTH_PASSWORD_TOO_COMMON',
  )
  assert.equal(
    (await client.post('/change-password', { current_password: password, new_password: next }))
      .statusCode,
    200,
  )
  assert.equal((await new Client(app).login('ann@example.com', next)).statusCode, 200)
})

test('POST /set-password: works for an account whose email is NULL', async (t) => {
  const users = memoryUsers()
  const app = await build(t, { auth: { users }, routes: mountHandLogin })
  await users.create({ username: 'ann', hashedPassword: null })
  const client = await signedInByHand(app, 'ann')
  assert.equal((await client.post('/set-password', { new_password: next })).statusCode, 200)
  assert.equal((await new Client(app).login('ann', next)).statusCode, 200)
})
