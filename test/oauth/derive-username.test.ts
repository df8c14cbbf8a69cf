import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { canonicalUsername } from '../../src/core/identity/canonical.js'
import { usernameBase, usernameFor } from '../../src/features/oauth/derive-username.js'
import { DuplicateUserError } from '../../src/index.js'
import { backends } from '../helpers/backends.js'
import { times } from '../helpers/hostile.js'
import { ada, Browser, buildOAuth, landsFailed, landsOn, type Person } from '../helpers/oauth.js'

/** A provider's text, and the username derived from it. */
const cleaned: [string, string][] = [
  ['ada', 'ada'],
  ['Ada.Lovelace_1-2', 'Ada.Lovelace_1-2'],
  ['Ada Lovelace', 'Ada-Lovelace'],
  ['ada@example.com', 'ada-example.com'],
  ['ada＠example.com', 'ada-example.com'],
  ['ada﹫example.com', 'ada-example.com'],
  ['@ada@', 'ada'],
  ['  ada\t', 'ada'],
  ['a\0d\x1ba\r\nx', 'a-d-a-x'],
  ['a\u202eda\u200b1\u2066', 'a-da-1'],
  ['ada\u00ad', 'ada'],
  ['<script>alert(1)</script>', 'script-alert-1-script'],
  ["'; drop table users; --", 'drop-table-users'],
  ['../../etc/passwd', 'etc-passwd'],
  ['..__--', 'user'],
  ['', 'user'],
  ['   ', 'user'],
  ['😀', 'user'],
  ['👩‍💻 dev', 'dev'],
  ['\ud800', 'user'],
  ['\u0301\u0301', 'user'],
  ['\u3164', 'user'],
  ['e\u0301', 'é'],
  ['ＡＤＡ', 'ADA'],
  ['ﬁne', 'fine'],
  ['محمد علي', 'محمد-علي'],
  ['张伟', '张伟'],
  ['Ωmega', 'Ωmega'],
  ['__proto__', 'proto'],
  ['a'.repeat(300), 'a'.repeat(30)],
  ['张'.repeat(300), '张'.repeat(30)],
  ['𝒜'.repeat(300), 'A'.repeat(30)],
  ['𠀀'.repeat(300), '𠀀'.repeat(30)],
  [`${'a'.repeat(29)}-b`, 'a'.repeat(29)],
]

for (const [said, expected] of cleaned) {
  test(`usernameBase: ${JSON.stringify(said).slice(0, 40)} becomes ${expected.slice(0, 30)}`, () => {
    assert.equal(usernameBase(said), expected)
  })
}

test('usernameBase: the first candidate with usable characters is used', () => {
  assert.equal(usernameBase(undefined, null, '', '😀', '---', 'Ada', 'other'), 'Ada')
  assert.equal(usernameBase('\u3164', 'b'), 'b')
  assert.equal(usernameBase(), 'user')
})

test('usernameBase: any input gives a short canonical username without @', () => {
  const text = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.string({ unit: 'grapheme' }),
    fc.string({ unit: 'binary', minLength: 200 }),
  )
  fc.assert(
    fc.property(text, fc.nat({ max: 9 }), (said, attempt) => {
      const base = usernameBase(said)
      const username = usernameFor(base, attempt)
      assert.equal(canonicalUsername(username), username)
      assert.match(username, /^[\p{L}\p{M}\p{N}._-]+$/u)
      assert.ok(!username.normalize('NFKC').includes('@'))
      assert.ok([...username].length <= 41)
      assert.equal(usernameBase(base), base)
    }),
    { numRuns: 3000 },
  )
})

test('usernameFor: a taken name gets a random number that is longer at each attempt', () => {
  assert.equal(usernameFor('ada', 0), 'ada')
  assert.match(usernameFor('user', 0), /^user-\d{4}$/)
  for (const attempt of [1, 2, 5, 9]) {
    const names = new Set(times(50, () => usernameFor('ada', attempt)))
    assert.ok(names.size > 40)
    for (const name of names)
      assert.match(name, new RegExp(`^ada-\\d{${Math.min(attempt + 4, 10)}}$`))
  }
})

const person = (sub: string, more: Person): Person => ({
  ...ada,
  sub,
  email: `${sub}@example.com`,
  ...more,
})

for (const backend of backends) {
  test(`${backend.name}: sign-up: users with the same name get distinct usernames`, async (t) => {
    const { app, rows } = await buildOAuth(t, { auth: backend.options() })
    await new Browser(app).register('ada')
    for (const i of times(12, (i) => i))
      landsOn(await new Browser(app).signIn(person(`s${i}`, {})), '/start')
    const names = (await rows()).map((row) => String(row?.username))
    assert.equal(new Set(names).size, 13)
    for (const name of names.slice(1)) assert.match(name, /^ada-\d+$/)
  })

  test(`${backend.name}: sign-up: fails without an account if every username is taken`, async (t) => {
    const { app, store } = await buildOAuth(t, { auth: backend.options() })
    store.create = () => Promise.reject(new DuplicateUserError('username'))
    landsFailed(await new Browser(app).signIn())
    assert.equal(await store.findById(1), null)
  })

  test(`${backend.name}: sign-up: the username comes from the login, the name, the email, or is random`, async (t) => {
    const { app, rows } = await buildOAuth(t, { auth: backend.options() })
    for (const [i, said] of [
      { preferred_username: 'Login', name: 'Name' },
      { preferred_username: undefined, name: 'Some Name' },
      { preferred_username: '😀', name: undefined },
      { preferred_username: undefined, name: undefined, email: '+@example.com' },
      { preferred_username: { a: 1 }, name: ['x'], email: '=@example.com' },
      { preferred_username: 'ann@example.com', name: undefined },
    ].entries()) {
      landsOn(await new Browser(app).signIn(person(`s${i}`, said)), '/start')
    }
    const names = (await rows()).map((row) => String(row?.username))
    assert.deepEqual(names.slice(0, 3), ['Login', 'Some-Name', 's2'])
    assert.match(names[3] ?? '', /^user-\d{4}$/)
    assert.match(names[4] ?? '', /^user-\d{4}$/)
    assert.equal(names[5], 'ann-example.com')
  })

  test(`${backend.name}: sign-up: a username never equals another user's email or username`, async (t) => {
    const { app, rows } = await buildOAuth(t, { auth: backend.options() })
    await new Browser(app).register('ann')
    for (const [i, name] of [
      'ann@example.com',
      'ann＠example.com',
      'ANN@EXAMPLE.COM',
      'ann',
    ].entries()) {
      landsOn(
        await new Browser(app).signIn(person(`s${i}`, { preferred_username: name })),
        '/start',
      )
    }
    for (const row of (await rows()).slice(1)) assert.doesNotMatch(String(row?.username), /@|^ann$/)
    const found = await app.crudAuth.users.findBy('email', 'ann@example.com')
    assert.equal((found as { username?: unknown })?.username, 'ann')
  })
}

test('sign-up: a user model without usernames works', async (t) => {
  const { memoryUsers } = await import('../../src/index.js')
  const users = memoryUsers({ fields: ['email', 'hashedPassword', 'acmeId', 'otherId'] })
  const { app } = await buildOAuth(t, {
    auth: { users, identity: { login: ['email'], recovery: null } },
  })
  landsOn(await new Browser(app).signIn(ada), '/start')
  assert.deepEqual(await users.findById(1), {
    id: 1,
    email: 'ada@example.com',
    hashedPassword: (await users.findById(1))?.hashedPassword,
    acmeId: 'ada-1',
    otherId: null,
  })
})
