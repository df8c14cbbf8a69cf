import assert from 'node:assert/strict'
import { test } from 'node:test'
import { build, password } from '../helpers/build.js'
import { Client } from '../helpers/client.js'
import { openUsers } from '../helpers/hostile.js'
import { refuses } from '../helpers/refuses.js'

const refused: Record<string, string> = {
  'two @': 'a@b@example.com',
  'a full-width second @': 'a\uff20b@example.com',
  'a small @': 'a\ufe6bb@example.com',
  'a line break in the local part': 'a\nb@example.com',
  'a header behind a line break': 'a@example.com\r\nBcc: b@example.com',
  'a line break in the domain': 'a@exam\nple.com',
  'a carriage return in the domain': 'a@exam\rple.com',
  'a tab in the domain': 'a@exam\tple.com',
  'a path behind the domain': 'a@example.com/x',
  'a backslash behind the domain': 'a@example.com\\x',
  'a query behind the domain': 'a@example.com?x=1',
  'a fragment behind the domain': 'a@example.com#x',
  'a port': 'a@example.com:25',
  'a percent escape in the domain': 'a@exa%6dple.com',
  'a soft hyphen in the domain': 'a@exam\u00adple.com',
  'a zero-width space in the domain': 'a@exam\u200bple.com',
  'a NUL': 'a\0@example.com',
  'a quoted local part': '"a b"@example.com',
  'a quote in the local part': 'a"b@example.com',
  'a comment': 'a(x)@example.com',
  'a second address behind a comma': 'a@example.com,b@example.com',
  'a second address behind a semicolon': 'a@example.com;b@example.com',
  'a name and angle brackets': 'A <a@example.com>',
  'a space in the local part': 'a b@example.com',
  'an escaping backslash': 'a\\@example.com',
  'no domain': 'ann@',
  'no local part': '@example.com',
  'a domain of one label': 'a@localhost',
  'an address literal': 'a@[127.0.0.1]',
  'a bare IPv4 address': 'a@127.0.0.1',
  'a hexadecimal IPv4 address': 'a@0x7f.1',
  'two dots': 'a..b@example.com',
  'a leading dot': '.a@example.com',
  'U+2024, a dot after NFKC, doubled': 'a\u2024.b@example.com',
  'a zero-width space in the local part': 'a\u200bb@example.com',
  'a right-to-left override': 'a\u202eb@example.com',
  'a lone surrogate': 'a\ud800b@example.com',
  'a local part above 64 bytes': `${'a'.repeat(65)}@example.com`,
  'an address above 254 characters': `${'a'.repeat(64)}@${'b'.repeat(60)}.${'c'.repeat(60)}.${'d'.repeat(60)}.example.com`,
  'a broken punycode label': 'a@xn--a.example.com',
}

for (const [what, email] of Object.entries(refused)) {
  test(`POST /register: an email with ${what} is rejected`, async (t) => {
    const users = openUsers()
    const app = await build(t, { auth: { users: users.store } })
    const response = await new Client(app).post('/register', {
      email,
      username: 'somebody',
      password,
    })
    refuses(response, 'CRUDAUTH_EMAIL_INVALID', [password])
    assert.deepEqual(await users.rows(), [])
  })
}

const oneAddress: [string, string, string][] = [
  ['capitals', 'Ann@Example.COM', 'ann@example.com'],
  ['surrounding spaces', '  ann@example.com ', 'ann@example.com'],
  ['full-width letters and @', '\uff41\uff4e\uff4e\uff20example.com', 'ann@example.com'],
  ['a full-width dot', 'ann@example\uff0ecom', 'ann@example.com'],
  ['an ideographic full stop', 'ann@example\u3002com', 'ann@example.com'],
  ['U+2024 for a dot', 'a\u2024nn@example.com', 'a.nn@example.com'],
  ['an international domain', 'ann@B\u00dcCHER.example', 'ann@xn--bcher-kva.example'],
  ['an international domain, decomposed', 'ann@bu\u0308cher.example', 'ann@xn--bcher-kva.example'],
]

for (const [what, spelled, canonical] of oneAddress) {
  test(`email with ${what}: sign-up and sign-in use the canonical form`, async (t) => {
    const users = openUsers()
    const app = await build(t, { auth: { users: users.store } })
    const client = new Client(app)
    const response = await client.post('/register', { email: spelled, username: 'ann', password })
    assert.equal(response.statusCode, 201, response.body)
    assert.equal(response.json().email, canonical)
    assert.equal((await users.rows())[0]?.email, canonical)
    refuses(
      await client.post('/register', { email: canonical, username: 'bob', password }),
      'CRUDAUTH_DUPLICATE',
    )
    assert.equal((await users.rows()).length, 1)
    assert.equal((await client.login(spelled)).statusCode, 200)
    assert.equal((await client.login(canonical)).statusCode, 200)
  })
}
