import assert from 'node:assert/strict'
import { test } from 'node:test'
import { build, password } from '../helpers/build.js'
import { Client, signedIn } from '../helpers/client.js'
import { form, openUsers, postBytes } from '../helpers/hostile.js'
import { refuses } from '../helpers/refuses.js'

const json = 'application/json'
const ann = { email: 'ann@example.com', username: 'ann', password }

const notText: unknown[] = [
  null,
  true,
  7,
  0,
  -1,
  1e308,
  [],
  ['ann'],
  [[]],
  {},
  { toString: 'ann' },
  { $ne: null },
  { length: 9 },
]

test('JSON bodies: non-string values are rejected without coercion or a counted attempt', async (t) => {
  const users = openUsers()
  const app = await build(t, { auth: { users: users.store, lockout: { maxAttempts: 1 } } })
  const client = await signedIn(app, 'ann')
  const before = await users.rows()
  for (const value of notText) {
    for (const field of ['email', 'username', 'password']) {
      refuses(await client.post('/register', { ...ann, [field]: value }), 'FST_ERR_VALIDATION')
    }
    for (const field of ['username', 'password']) {
      refuses(
        await client.post('/login', { username: 'ann', password, [field]: value }),
        'FST_ERR_VALIDATION',
      )
    }
    for (const field of ['current_password', 'new_password']) {
      const body = { current_password: password, new_password: 'another good one', [field]: value }
      refuses(await client.post('/change-password', body), 'FST_ERR_VALIDATION')
    }
    // An existing password is checked first.
    refuses(await client.post('/set-password', { new_password: value }), 'CRUDAUTH_PASSWORD_EXISTS')
  }
  assert.deepEqual(await users.rows(), before)
  // maxAttempts is 1: one counted attempt would have locked the account.
  assert.equal((await client.login('ann')).statusCode, 200)
})

test('POST /login: remember_me accepts boolean spellings and rejects anything else', async (t) => {
  const client = await signedIn(await build(t, { auth: { lockout: false } }), 'ann')
  const remembered = async (value: unknown) => {
    const response = await client.post('/login', { username: 'ann', password, remember_me: value })
    if (response.statusCode !== 200) return response.json().code
    return /crudauth_session=[^;]+; Max-Age=/.test(String(response.headers['set-cookie']))
  }
  for (const value of [true, 'true', '1', 'on', 'yes', 'TRUE'])
    assert.equal(await remembered(value), true)
  for (const value of [false, 'false', '0', 'off', '']) assert.equal(await remembered(value), false)
  for (const value of [1, 0, null, 'oui', ' true', [], ['true'], {}]) {
    assert.equal(await remembered(value), 'FST_ERR_VALIDATION')
  }
})

test('POST /register, /login, /change-password: a malformed or non-object body gets 400', async (t) => {
  const client = await signedIn(await build(t), 'ann')
  const headers = {
    'x-csrf-token': client.csrf ?? '',
    cookie: [...client.cookies].map((pair) => pair.join('=')).join('; '),
  }
  for (const url of ['/register', '/login', '/change-password']) {
    for (const body of ['null', '[]', '"text"', '7', 'true', '', '{}', '[{"username":"ann"}]']) {
      refuses(await postBytes(client.app, url, body, json, headers), 'FST_ERR_VALIDATION')
    }
    for (const body of [
      '{',
      '{"a":}',
      'undefined',
      '{"a":1}}',
      "{'a':1}",
      '\0',
      '{"a":"\n"}',
      '{"a":1e}',
      '//',
      '{"a":NaN}',
    ]) {
      const response = await postBytes(client.app, url, body, json, headers)
      assert.equal(response.statusCode, 400, `${url} ${body}`)
    }
  }
})

test('prototype pollution: __proto__ and constructor are rejected in JSON, ignored in forms', async (t) => {
  const users = openUsers()
  const app = await build(t, { auth: { users: users.store } })
  const rest = '"email":"ann@example.com","username":"ann","password":"correct horse battery"'
  for (const poison of [
    '"__proto__":{"isSuperuser":true}',
    '"constructor":{"prototype":{"isSuperuser":true}}',
    '"\\u005f_proto__":{"isSuperuser":true}',
    '"x":{"__proto__":{"isSuperuser":true}}',
  ]) {
    const response = await postBytes(app, '/register', `{${rest},${poison}}`, json)
    assert.equal(response.statusCode, 400, poison)
  }
  assert.deepEqual(await users.rows(), [])
  const fields = 'email=ann%40example.com&username=ann&password=correct+horse+battery'
  const poisoned = `${fields}&__proto__=x&constructor=x&prototype=x&toString=x&hasOwnProperty=x`
  assert.equal((await postBytes(app, '/register', poisoned, form)).statusCode, 201)
  assert.equal((await users.rows())[0]?.isSuperuser, false)
  assert.equal(({} as Record<string, unknown>).isSuperuser, undefined)
})

test('POST /login: the last duplicate JSON member wins, duplicate form fields are rejected', async (t) => {
  const app = await build(t)
  await new Client(app).register('ann')
  const twice = '{"username":"nobody","username":"ann","password":"correct horse battery"}'
  assert.equal((await postBytes(app, '/login', twice, json)).json().username, 'ann')
  for (const body of [
    'username=ann&username=ann&password=correct+horse+battery',
    'username=ann&password=wrong&password=correct+horse+battery',
    'username=ann&password=correct+horse+battery&remember_me=1&remember_me=0',
  ]) {
    refuses(await postBytes(app, '/login', body, form), 'FST_ERR_VALIDATION')
  }
  for (const body of [
    'username[]=ann&password=x',
    'username[a]=ann&password=x',
    'user%6eame=ann&passwor=x',
    '&&&=&=',
    '%',
  ]) {
    assert.equal((await postBytes(app, '/login', body, form)).statusCode, 400, body)
  }
})

test('POST /login: deeply nested JSON within the size limit gets 400', async (t) => {
  const app = await build(t)
  for (const body of [
    `${'['.repeat(8000)}${']'.repeat(8000)}`,
    `{"username":${'{"a":'.repeat(2500)}1${'}'.repeat(2500)},"password":"x"}`,
    '['.repeat(16_000),
  ]) {
    const response = await postBytes(app, '/login', body, json)
    assert.equal(response.statusCode, 400)
  }
})

test('POST /login: a 16 KiB body is accepted, one byte more gets 413', async (t) => {
  const app = await build(t)
  await new Client(app).register('ann')
  const start = '{"username":"ann","password":"correct horse battery","x":"'
  const bodyOf = (bytes: number) => `${start}${'x'.repeat(bytes - start.length - 2)}"}`
  assert.equal((await postBytes(app, '/login', bodyOf(16_384), json)).statusCode, 200)
  assert.equal((await postBytes(app, '/login', bodyOf(16_385), json)).statusCode, 413)
  const formOf = (bytes: number) =>
    `username=ann&password=correct+horse+battery&x=`.padEnd(bytes, 'x')
  assert.equal((await postBytes(app, '/login', formOf(16_384), form)).statusCode, 200)
  assert.equal((await postBytes(app, '/login', formOf(16_385), form)).statusCode, 413)
})

test('Content-Type: every spelling of JSON and form types is accepted and validated', async (t) => {
  const users = openUsers()
  const app = await build(t, { auth: { users: users.store } })
  await new Client(app).register('ann')
  const good = JSON.stringify({ username: 'ann', password })
  const bad = JSON.stringify({ username: ['ann'], password })
  for (const type of [
    'application/json',
    'APPLICATION/JSON',
    'Application/Json; Charset=UTF-8',
    'application/json;charset=utf-8',
    'application/json; charset=utf-8; x=y',
    'application/json ; charset=utf-8',
    'application/json\t; charset=utf-8',
    'application/json;',
    ' application/json',
    'application/json ',
  ]) {
    assert.equal((await postBytes(app, '/login', good, type)).statusCode, 200, type)
    refuses(await postBytes(app, '/login', bad, type), 'FST_ERR_VALIDATION')
  }
  const fields = new URLSearchParams({ username: 'ann', password }).toString()
  for (const type of [form, form.toUpperCase(), `${form}; charset=UTF-8`, `${form}\t;x=y`]) {
    assert.equal((await postBytes(app, '/login', fields, type)).statusCode, 200, type)
    refuses(await postBytes(app, '/login', `${fields}&username=bob`, type), 'FST_ERR_VALIDATION')
  }
})

test('POST /register: an unsupported or missing Content-Type gets 415', async (t) => {
  const users = openUsers()
  const app = await build(t, { auth: { users: users.store } })
  // The app's own content type parsers don't apply to the plugin's routes.
  app.log.level = 'silent'
  for (const type of [
    'text/plain',
    'text/plain; application/json',
    'text/json',
    'application/jsonx',
    'application/xjson',
    'application/json+x',
    'application/ld+json',
    'application/vnd.api+json',
    'application/xml',
    'multipart/form-data; boundary=x',
    'application/octet-stream',
    'application/x-www-form-urlencodedx',
    'application/\u00e4',
    'application',
    '/',
    ';',
    ',',
    'application/json, text/plain',
    '*/*',
    '__proto__',
    'constructor/prototype',
  ]) {
    const response = await postBytes(app, '/register', JSON.stringify(ann), type)
    assert.equal(response.statusCode, 415, `${type}: ${response.body}`)
  }
  const none = await app.inject({
    method: 'POST',
    url: '/register',
    payload: Buffer.from(JSON.stringify(ann)),
  })
  assert.equal(none.statusCode, 415)
  assert.deepEqual(await users.rows(), [])
})

test('POST /register: UTF-16, Latin-1 and invalid UTF-8 bodies get 400', async (t) => {
  const users = openUsers()
  const app = await build(t, { auth: { users: users.store } })
  const text = JSON.stringify(ann)
  const broken = (bytes: number[]) =>
    Buffer.concat([
      Buffer.from('{"email":"ann@example.com","username":"ann","password":"long enough '),
      Buffer.from(bytes),
      Buffer.from('"}'),
    ])
  const bodies: [string, Buffer][] = [
    ['application/json; charset=utf-16', Buffer.from(text, 'utf16le')],
    [
      'application/json; charset=utf-16',
      Buffer.concat([Buffer.from([0xff, 0xfe]), Buffer.from(text, 'utf16le')]),
    ],
    ['application/json; charset=iso-8859-1', broken([0xe9])],
    [json, broken([0xff])],
    [json, broken([0xc0, 0x80])],
    [json, broken([0xed, 0xa0, 0x80])],
    [json, broken([0xf8, 0x88, 0x80, 0x80, 0x80])],
    [json, broken([0xe2, 0x82])],
  ]
  for (const [type, bytes] of bodies) {
    const response = await postBytes(app, '/register', bytes as never, type)
    assert.equal(response.statusCode, 400, bytes.toString('hex'))
  }
  assert.deepEqual(await users.rows(), [])
})

test('control characters in an email, username or extra field are rejected', async (t) => {
  const users = openUsers()
  const app = await build(t, {
    auth: { users: users.store, lockout: false, registration: { extraFields: ['plan'] } },
  })
  const client = await signedIn(app, 'ann')
  const before = await users.rows()
  for (const code of [0, 1, 8, 10, 13, 27, 0x7f, 0x85, 0x2028, 0xfeff]) {
    const char = String.fromCharCode(code)
    refuses(
      await client.post('/register', { email: `a${char}b@example.com`, username: 'bob', password }),
      'CRUDAUTH_EMAIL_INVALID',
    )
    refuses(
      await client.post('/register', { email: 'b@example.com', username: `b${char}b`, password }),
      'CRUDAUTH_USERNAME_INVALID',
    )
    refuses(await client.login(`ann${char}x`), 'CRUDAUTH_BAD_CREDENTIALS')
  }
  refuses(await client.login('ann\0'), 'CRUDAUTH_BAD_CREDENTIALS')
  refuses(await client.login('ann@example.com\0'), 'CRUDAUTH_BAD_CREDENTIALS')
  refuses(await client.login('\0'), 'CRUDAUTH_BAD_CREDENTIALS')
  refuses(
    await client.post('/register', {
      email: 'b@example.com',
      username: 'bob',
      password,
      plan: 'a\0b',
    }),
    'CRUDAUTH_BAD_REQUEST',
  )
  assert.deepEqual(await users.rows(), before)
})

test('POST /register: extra fields without a schema accept only bounded scalars', async (t) => {
  const users = openUsers()
  const app = await build(t, {
    auth: { users: users.store, registration: { extraFields: ['plan'] } },
  })
  for (const plan of [{}, [], ['gold'], { a: 1 }, 'x'.repeat(1025)]) {
    refuses(await new Client(app).post('/register', { ...ann, plan }), 'FST_ERR_VALIDATION')
  }
  assert.deepEqual(await users.rows(), [])
})
