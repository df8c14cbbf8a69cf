import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { test } from 'node:test'
import type { FastifyInstance } from 'fastify'
import { bearerTransport, type LegacyVerifier, sessionTransport } from '../../src/index.js'
import { build, cheap, password, secret } from '../helpers/build.js'
import { Client } from '../helpers/client.js'
import { form, openUsers, postBytes } from '../helpers/hostile.js'
import { Mailbox } from '../helpers/mailbox.js'
import { signedInByHand } from '../helpers/passwords.js'
import { refuses } from '../helpers/refuses.js'
import { mountHandLogin } from '../helpers/users.js'

const off = { lockout: false } as const

const register = (app: FastifyInstance, name: string, secret: string) =>
  new Client(app).register(name, secret)
const login = (app: FastifyInstance, name: string, secret: string) =>
  new Client(app).post('/login', { username: name, password: secret })

const accepted: Record<string, string> = {
  'eight characters': 'x7 q!pz4',
  'eight astral characters':
    '\u{1f600}\u{1f601}\u{1f602}\u{1f603}\u{1f604}\u{1f605}\u{1f606}\u{1f607}',
  'spaces at both ends': '  two  spaces  ',
  'only spaces': ' '.repeat(12),
  'letters of many scripts': '\u043f\u0430\u0440\u043e\u043b\u044c \u5bc6\u7801 \u03ba\u03c9\u03b4',
  'a NUL in the middle': 'before\0behind it',
  'control characters': 'tab\tline\nbell\u0007',
  'right-to-left and zero-width characters': 'a\u202eb\u200bc\u200dd\ufeffe',
  'quotes and SQL': `'; drop table users; --"`,
  'percent and plus signs': '100%+50%=%2B%zz',
  '64 characters': 'pass phrase '.repeat(6).slice(0, 64),
  '1024 characters': 'x1 '.repeat(400).slice(0, 1024),
  '1024 astral characters': '\u{1f600}'.repeat(1024),
}

for (const [what, secret] of Object.entries(accepted)) {
  test(`password of ${what}: never truncated, only the exact password signs in`, async (t) => {
    const app = await build(t, { auth: off })
    assert.equal((await register(app, 'ann', secret)).statusCode, 201)
    assert.equal((await login(app, 'ann', secret)).statusCode, 200)
    assert.equal(
      (await new Client(app).login('ann', secret)).statusCode,
      200,
      'sign-in with a form body',
    )
    const points = [...secret]
    for (const other of [
      points.slice(0, -1).join(''),
      `${points.slice(0, -1).join('')}\u{1f4a5}`,
      secret.trim().slice(0, 7),
    ]) {
      refuses(await login(app, 'ann', other), 'CRUDAUTH_BAD_CREDENTIALS')
    }
  })
}

test('password: characters after a NUL count', async (t) => {
  const app = await build(t, { auth: off })
  await register(app, 'ann', 'long before\0secret')
  refuses(await login(app, 'ann', 'long before\0other'), 'CRUDAUTH_BAD_CREDENTIALS')
  refuses(await login(app, 'ann', 'long before'), 'CRUDAUTH_BAD_CREDENTIALS')
})

test('POST /register, POST /login: a password of 1025 code points is rejected', async (t) => {
  const users = openUsers()
  const app = await build(t, { auth: { ...off, users: users.store } })
  for (const secret of ['x'.repeat(1025), '\u{1f600}'.repeat(1025)]) {
    refuses(await register(app, 'ann', secret), 'FST_ERR_VALIDATION')
    refuses(await login(app, 'ann', secret), 'FST_ERR_VALIDATION')
  }
  assert.deepEqual(await users.rows(), [])
  // 1024 code points before NFC, 2048 after it.
  refuses(await register(app, 'ann', '\u0958'.repeat(1024)), 'CRUDAUTH_BAD_REQUEST')
  assert.deepEqual(await users.rows(), [])
})

test('password routes: a password of 1025 code points is rejected and changes nothing', async (t) => {
  const users = openUsers()
  const mailbox = new Mailbox()
  const app = await build(t, {
    auth: {
      ...off,
      users: users.store,
      email: mailbox.options(),
      transports: [sessionTransport(), bearerTransport()],
    },
    routes: mountHandLogin,
  })
  const ann = new Client(app)
  await ann.register('ann')
  assert.equal((await ann.login('ann')).statusCode, 200)
  await users.store.create({ email: 'bob@example.com', username: 'bob', hashedPassword: '!x' })
  const bob = await signedInByHand(app, 'bob')
  await new Client(app).post('/password/reset-request', { email: 'ann@example.com' })
  const token = await mailbox.token('ann@example.com', 'reset_password')
  const before = await users.rows()
  const next = 'another good phrase'
  const change = (fields: object) =>
    ann.post('/change-password', { current_password: password, new_password: next, ...fields })
  const setFirst = (new_password: string) => bob.post('/set-password', { new_password })
  const reset = (new_password: string) =>
    new Client(app).post('/password/reset-confirm', { token, new_password })
  for (const long of ['x'.repeat(1025), '\u{1f600}'.repeat(1025)]) {
    for (const response of [
      await change({ new_password: long }),
      await change({ current_password: long }),
      await setFirst(long),
      await reset(long),
      await new Client(app).post('/token', { username: 'ann', password: long }),
      await ann.post('/email/change-request', { new_email: 'a@example.com', password: long }),
    ]) {
      refuses(response, 'FST_ERR_VALIDATION', [long])
    }
  }
  // 1024 code points before NFC, 2048 after it.
  const grows = '\u0958'.repeat(1024)
  for (const response of [
    await change({ new_password: grows }),
    await setFirst(grows),
    await reset(grows),
  ]) {
    refuses(response, 'CRUDAUTH_BAD_REQUEST', [grows])
  }
  assert.deepEqual(await users.rows(), before)
  assert.equal((await reset(next)).statusCode, 200, 'no refusal uses up the token')
})

test('password: the minimum length counts code points of the NFC form', async (t) => {
  const app = await build(t, { auth: off })
  for (const secret of ['\u{1f600}'.repeat(7), 'e\u0301'.repeat(7), '1234567']) {
    refuses(await register(app, 'ann', secret), 'CRUDAUTH_PASSWORD_TOO_SHORT')
  }
})

test('password: composed and decomposed spellings are the same password', async (t) => {
  const app = await build(t, { auth: off })
  await register(app, 'composed', 'cr\u00e8me br\u00fbl\u00e9e')
  await register(app, 'decomposed', 'cre\u0300me bru\u0302le\u0301e')
  for (const name of ['composed', 'decomposed']) {
    for (const secret of ['cr\u00e8me br\u00fbl\u00e9e', 'cre\u0300me bru\u0302le\u0301e']) {
      assert.equal((await login(app, name, secret)).statusCode, 200)
    }
    // NFC, not NFKC: a full-width letter is another letter.
    refuses(await login(app, name, '\uff43r\u00e8me br\u00fbl\u00e9e'), 'CRUDAUTH_BAD_CREDENTIALS')
  }
})

test('password: lone surrogates are rejected', async (t) => {
  const users = openUsers()
  const app = await build(t, { auth: { ...off, users: users.store } })
  const body = '{"email":"ann@example.com","username":"ann","password":"\\ud800 long enough"}'
  refuses(await postBytes(app, '/register', body, 'application/json'), 'CRUDAUTH_BAD_REQUEST')
  assert.deepEqual(await users.rows(), [])
  // UTF-8 encoding turns it into U+FFFD, which must not match a password that contains U+FFFD.
  await register(app, 'ann', '\ufffd long enough')
  for (const half of ['\\ud800', '\\udfff', '\\ud83d']) {
    const body = `{"username":"ann","password":"${half} long enough"}`
    refuses(await postBytes(app, '/login', body, 'application/json'), 'CRUDAUTH_BAD_CREDENTIALS')
  }
  assert.equal(
    await app.crudAuth.passwords.verify(await app.crudAuth.passwords.hash('\ufffd'), '\ud800'),
    false,
  )
})

test('POST /login: a form password with invalid UTF-8 is rejected, escaped or raw', async (t) => {
  const app = await build(t, { auth: off })
  await register(app, 'ann', '\ufffd\ufffd long enough')
  for (const bytes of ['%FF%FE', '%C3%28', '%ED%A0%80', '%F0%82%82%AC', '%C0%80', '%E2%82']) {
    refuses(
      await postBytes(app, '/login', `username=ann&password=${bytes}+long+enough`, form),
      'CRUDAUTH_BAD_REQUEST',
    )
  }
  const raw = Buffer.concat([
    Buffer.from('username=ann&password='),
    Buffer.from([0xff, 0xfe]),
    Buffer.from('+long+enough'),
  ])
  refuses(await postBytes(app, '/login', raw, form), 'CRUDAUTH_BAD_REQUEST')
})

test('POST /register: common passwords and the own name or email are rejected in any case', async (t) => {
  const users = openUsers()
  const app = await build(t, { auth: { ...off, users: users.store } })
  for (const secret of [
    'password',
    'PassWord',
    '12345678',
    'qwertyuiop',
    'longname',
    'LongName',
    'longname@example.com',
  ]) {
    refuses(
      await register(app, 'longname', secret),
      'CRUDAUTH_PASSWORD_TOO_COMMON',
      secret === 'PassWord' ? [secret] : [],
    )
  }
  assert.deepEqual(await users.rows(), [])
})

const malformed: Record<string, unknown> = {
  'no hash': null,
  'an empty hash': '',
  'a bare prefix': '$argon2id$',
  'a truncated hash': '$argon2id$v=19$m=64,t=1,p=1$c29tZXNhbHQ',
  'a hash that is not base64': '$argon2id$v=19$m=64,t=1,p=1$!!!!$????',
  'a hash with an impossible cost': '$argon2id$v=19$m=1,t=0,p=0$c29tZXNhbHQ$aGFzaGhhc2hoYXNoaGFzaA',
  'a hash of an unknown version': '$argon2id$v=99$m=64,t=1,p=1$c29tZXNhbHQ$aGFzaGhhc2hoYXNoaGFzaA',
  'an unusable hash': '!whatever',
  'a bcrypt hash without a verifier':
    '$2b$04$abcdefghijklmnopqrstuuPlGmT7/kCzSHZ7t4g8tKbIaU5eY1EJe',
  'the plaintext password': password,
  'a NUL': '\u0001$argon2id$',
  'a very long hash': '$argon2id$'.padEnd(100_000, 'x'),
  'a number': 42,
  'an object': { hash: 'x' },
  bytes: Buffer.from('x'),
}

for (const [what, stored] of Object.entries(malformed)) {
  test(`POST /login: ${what} in the hash column fails like a wrong password`, async (t) => {
    const users = openUsers()
    const app = await build(t, { auth: { ...off, users: users.store } })
    await users.store.create({ email: 'ann@example.com', username: 'ann', hashedPassword: stored })
    const before = await users.rows()
    for (const secret of [password, '', String(stored), '!whatever', '!']) {
      refuses(await login(app, 'ann', secret.slice(0, 1000)), 'CRUDAUTH_BAD_CREDENTIALS')
    }
    assert.deepEqual(await users.rows(), before)
  })
}

const md5 = (text: string) => createHash('md5').update(text).digest('hex')

/** A careless legacy verifier: also accepts the stored hash or an empty string as the password. */
const careless: LegacyVerifier = {
  matches: (hash: string) => hash.startsWith('md5:'),
  verify: (hash: string, given: string) =>
    given === '' || given === hash || hash === `md5:${md5(given)}`,
}

test('legacy verifier: only the password signs in, the hash is then upgraded to argon2id', async (t) => {
  const users = openUsers()
  const app = await build(t, {
    auth: { ...off, users: users.store, passwords: { cost: cheap, legacy: [careless] } },
  })
  const stored = `md5:${md5(password)}`
  await users.store.create({ email: 'ann@example.com', username: 'ann', hashedPassword: stored })
  for (const secret of ['', stored, md5(password), 'wrong'])
    refuses(await login(app, 'ann', secret), 'CRUDAUTH_BAD_CREDENTIALS')
  assert.equal((await users.rows())[0]?.hashedPassword, stored, 'no failure replaces a hash')
  assert.equal((await login(app, 'ann', password)).statusCode, 200)
  assert.match(String((await users.rows())[0]?.hashedPassword), /^\$argon2id\$/)
  assert.equal((await login(app, 'ann', password)).statusCode, 200)
  refuses(await login(app, 'ann', stored), 'CRUDAUTH_BAD_CREDENTIALS')
})

for (const [what, verifier] of Object.entries<LegacyVerifier>({
  'throws in matches': {
    matches: (): boolean => {
      throw new Error('unknown hash')
    },
    verify: () => true,
  },
  'throws in verify': {
    matches: (hash: string) => hash.startsWith('md5:'),
    verify: (): boolean => {
      throw new Error('broken')
    },
  },
  'rejects in verify': {
    matches: (hash: string) => hash.startsWith('md5:'),
    verify: (): Promise<boolean> => Promise.reject(new Error('broken')),
  },
  'returns a truthy value': {
    matches: (hash: string) => hash.startsWith('md5:'),
    verify: () => 'yes' as unknown as boolean,
  },
  'resolves with a truthy value': {
    matches: (hash: string) => hash.startsWith('md5:'),
    verify: async () => ({}) as unknown as boolean,
  },
})) {
  test(`legacy verifier that ${what}: sign-in fails like a wrong password`, async (t) => {
    const users = openUsers()
    const app = await build(t, {
      auth: { ...off, users: users.store, passwords: { cost: cheap, legacy: [verifier] } },
    })
    await users.store.create({
      email: 'old@example.com',
      username: 'old',
      hashedPassword: `md5:${md5(password)}`,
    })
    await register(app, 'ann', password)
    refuses(await login(app, 'old', password), 'CRUDAUTH_BAD_CREDENTIALS')
    refuses(await login(app, 'nobody', password), 'CRUDAUTH_BAD_CREDENTIALS')
    assert.equal((await login(app, 'ann', password)).statusCode, 200)
  })
}

test('rehash: weaker argon2 parameters are upgraded by a successful login only', async (t) => {
  const users = openUsers()
  const old = await build(t, { auth: { ...off, users: users.store } })
  await register(old, 'ann', password)
  const app = await build(t, {
    auth: {
      ...off,
      users: users.store,
      passwords: { cost: { memoryKiB: 128, iterations: 2, parallelism: 1 } },
    },
  })
  const hash = async () => String((await users.rows())[0]?.hashedPassword)
  refuses(await login(app, 'ann', 'wrong'), 'CRUDAUTH_BAD_CREDENTIALS')
  assert.match(await hash(), /m=64,t=1/)
  assert.equal((await login(app, 'ann', password)).statusCode, 200)
  assert.match(await hash(), /m=128,t=2/)
  assert.equal((await login(app, 'ann', password)).statusCode, 200)
})

test('rehash: the salt is deterministic and depends on the secret', async (t) => {
  const salts = []
  for (const given of [secret, secret, `${secret}-other`]) {
    const users = openUsers()
    const app = await build(t, {
      auth: {
        ...off,
        secret: given,
        users: users.store,
        passwords: { cost: cheap, legacy: [careless] },
      },
    })
    await users.store.create({
      email: 'ann@example.com',
      username: 'ann',
      hashedPassword: `md5:${md5(password)}`,
    })
    assert.equal((await login(app, 'ann', password)).statusCode, 200)
    salts.push(String((await users.rows())[0]?.hashedPassword).split('$')[4])
  }
  assert.equal(salts[0], salts[1], 'every process makes the same hash')
  assert.notEqual(salts[0], salts[2])
})
