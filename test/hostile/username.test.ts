import assert from 'node:assert/strict'
import { test } from 'node:test'
import { build, password } from '../helpers/build.js'
import { Client } from '../helpers/client.js'
import { openUsers } from '../helpers/hostile.js'
import { refuses } from '../helpers/refuses.js'

const refused: Record<string, string> = {
  'the form of an email address': 'victim@example.com',
  'a full-width @': 'victim\uff20example.com',
  'a small @': 'victim\ufe6bexample.com',
  'a space': 'a b',
  'a no-break space': 'a\u00a0b',
  'a zero-width space': 'ad\u200bmin',
  'a zero-width joiner': 'ad\u200dmin',
  'a soft hyphen': 'ad\u00admin',
  'a right-to-left override': 'nimda\u202e',
  'a variation selector': 'admin\ufe0f',
  'a tag character': 'admin\u{e0041}',
  'a Hangul filler': 'admin\u3164',
  'a blank braille pattern': 'admin\u2800',
  'a combining grapheme joiner': 'ad\u034fmin',
  'a byte order mark': '\ufeffadmin',
  'a NUL': 'admin\0',
  'a line break': 'admin\n',
  'an escape character': 'ad\u001b[31mmin',
  'a lone surrogate': 'admin\ud83d',
  'a private-use character': 'admin\ue000',
  'an unassigned code point': 'admin\u0378',
  '151 characters': 'a'.repeat(151),
}

for (const [what, username] of Object.entries(refused)) {
  test(`POST /register: a username with ${what} is rejected`, async (t) => {
    const users = openUsers()
    const app = await build(t, { auth: { users: users.store } })
    refuses(
      await new Client(app).post('/register', { email: 'a@example.com', username, password }),
      'CRUDAUTH_USERNAME_INVALID',
      [password],
    )
    assert.deepEqual(await users.rows(), [])
  })
}

for (const username of [
  '\u0438\u0432\u0430\u043d',
  '\u5c71\u7530\u592a\u90ce',
  '\u0645\u062d\u0645\u062f',
  '\u{1f600}',
  'a'.repeat(150),
  "o'brien",
  '1',
]) {
  test(`username: any script works for sign-up and sign-in: ${username.slice(0, 12)}`, async (t) => {
    const client = new Client(await build(t))
    const response = await client.post('/register', { email: 'a@example.com', username, password })
    assert.equal(response.statusCode, 201, response.body)
    assert.equal(response.json().username, username)
    assert.equal((await client.login(username)).statusCode, 200)
  })
}

test('username: composed and decomposed forms are the same name', async (t) => {
  const client = new Client(await build(t))
  assert.equal(
    (await client.post('/register', { email: 'a@example.com', username: 'Zoe\u0308', password }))
      .statusCode,
    201,
  )
  refuses(
    await client.post('/register', { email: 'b@example.com', username: 'Zo\u00eb', password }),
    'CRUDAUTH_DUPLICATE',
  )
  assert.equal((await client.login('Zo\u00eb')).statusCode, 200)
  assert.equal((await client.login('Zoe\u0308')).statusCode, 200)
})

test('POST /login: an identifier that is an email and a username means the email owner', async (t) => {
  const users = openUsers()
  const app = await build(t, { auth: { users: users.store } })
  const client = new Client(app)
  await client.register('owner')
  // An older app may have allowed such a username.
  const hashedPassword = await app.crudAuth.passwords.hash('another good password')
  await users.store.create({
    email: 'b@example.com',
    username: 'owner@example.com',
    hashedPassword,
  })
  assert.equal((await client.login('owner@example.com')).json().id, 1)
  refuses(
    await client.login('owner@example.com', 'another good password'),
    'CRUDAUTH_BAD_CREDENTIALS',
  )
})
