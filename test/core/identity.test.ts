import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { canonicalPhone, canonicalUsername } from '../../src/core/identity/canonical.js'
import { createIdentity } from '../../src/core/identity/identity.js'
import type { Users } from '../../src/core/users/users.js'
import { canonicalEmail, memoryUsers, type UserStore } from '../../src/index.js'

describe('canonicalEmail', () => {
  for (const [text, email] of [
    ['ann@example.com', 'ann@example.com'],
    ['  ANN@Example.COM\t', 'ann@example.com'],
    ['ａｎｎ＠ｅｘａｍｐｌｅ．ｃｏｍ', 'ann@example.com'],
    ['ann@example。com', 'ann@example.com'],
    ['ann@bücher.example', 'ann@xn--bcher-kva.example'],
    ['ann@BÜCHER.example', 'ann@xn--bcher-kva.example'],
    ['ann@xn--bcher-kva.example', 'ann@xn--bcher-kva.example'],
    ['ann+tag@example.com', 'ann+tag@example.com'],
    ["o'hara@example.com", "o'hara@example.com"],
    ['!#$%&*+-/=?^_`{|}~@example.com', '!#$%&*+-/=?^_`{|}~@example.com'],
    ['анна@пример.рф', 'анна@xn--e1afmkfd.xn--p1ai'],
    ['a@b.co', 'a@b.co'],
    [`${'a'.repeat(64)}@example.com`, `${'a'.repeat(64)}@example.com`],
  ] as const) {
    test(`${JSON.stringify(text)} becomes ${email}`, () =>
      assert.equal(canonicalEmail(text), email))
  }

  for (const text of [
    '',
    ' ',
    '@',
    'ann',
    'ann@',
    '@example.com',
    'ann@@example.com',
    'ann@b@example.com',
    'ann＠b@example.com',
    'ann@localhost',
    'ann@example',
    'ann@example.com.',
    'ann@.example.com',
    'ann@example..com',
    'ann@-example.com',
    'ann@example-.com',
    'ann@127.0.0.1',
    'ann@[127.0.0.1]',
    'ann@[IPv6:::1]',
    'ann@example.123',
    '.ann@example.com',
    'ann.@example.com',
    'an..n@example.com',
    'an n@example.com',
    'ann @example.com',
    '"ann"@example.com',
    '"a b"@example.com',
    'ann(comment)@example.com',
    'Ann <ann@example.com>',
    'ann@example.com,bob@example.com',
    'ann@example.com;bob@example.com',
    'ann@example.com\r\nBcc: bob@example.com',
    'ann@exam\nple.com',
    'ann\0@example.com',
    'ann@example.com\0',
    'an\u200bn@example.com',
    'an\u00adn@example.com',
    'ann\u202e@example.com',
    'an\ufeffn@example.com',
    'ann@exa\u00admple.com',
    'ann@example.com/path',
    'ann@example.com?x',
    'ann@example.com#x',
    'ann@example.com:25',
    'ann@ex%61mple.com',
    'ann@exam_ple.com',
    'an\\n@example.com',
    '\ud800@example.com',
    `${'a'.repeat(65)}@example.com`,
    `${'é'.repeat(33)}@example.com`,
    `a@${'b'.repeat(64)}.com`,
    `${'a'.repeat(64)}@${'b'.repeat(63)}.${'c'.repeat(63)}.${'d'.repeat(63)}.example`,
    `ann@example.com${' '.repeat(600)}`,
  ]) {
    test(`${JSON.stringify(text).slice(0, 60)} is refused`, () =>
      assert.equal(canonicalEmail(text), null))
  }

  test('is idempotent, and its result has one @ and no invisible characters', () => {
    const part = fc.string({ unit: 'binary', maxLength: 12 })
    const address = fc
      .tuple(part, fc.constantFrom('@', '＠', '﹫'), part, fc.constantFrom('.example', '.com', ''))
      .map((parts) => parts.join(''))
    fc.assert(
      fc.property(fc.oneof(address, fc.emailAddress(), fc.string({ unit: 'binary' })), (text) => {
        const email = canonicalEmail(text)
        if (email === null) return
        assert.equal(canonicalEmail(email), email)
        assert.match(email, /^[^@\s\p{C}]+@[a-z0-9.-]+$/u)
        assert.ok(email.length <= 254)
        assert.equal(email, email.normalize('NFKC'))
      }),
      { numRuns: 2000 },
    )
  })

  test('changes ordinary addresses to lower case and nothing else', () => {
    const local = fc.stringMatching(/^[a-z0-9]([a-z0-9+_-]{0,20}[a-z0-9])?$/)
    const label = fc.stringMatching(/^[a-z]([a-z0-9]{0,10})$/)
    fc.assert(
      fc.property(local, label, label, (name, domain, top) => {
        const email = `${name}@${domain}.${top}`
        assert.equal(canonicalEmail(email.toUpperCase()), email)
      }),
    )
  })
})

describe('canonicalUsername', () => {
  for (const [text, username] of [
    ['ann', 'ann'],
    ['Ann', 'Ann'],
    ['Zoe\u0308', 'Zo\u00eb'],
    ['анна', 'анна'],
    ['安娜', '安娜'],
    ['a.b-c_d+e', 'a.b-c_d+e'],
    ['🦊', '🦊'],
    ['a'.repeat(150), 'a'.repeat(150)],
    ['🦊'.repeat(150), '🦊'.repeat(150)],
  ] as const) {
    test(`${JSON.stringify(text).slice(0, 40)} is accepted`, () =>
      assert.equal(canonicalUsername(text), username))
  }

  for (const text of [
    '',
    ' ',
    'an n',
    ' ann',
    'ann ',
    'an\tn',
    'an\nn',
    'an\0n',
    'an\u00a0n',
    'an\u200bn',
    'an\u200dn',
    'an\u00adn',
    'an\u2060n',
    'an\u3164n',
    'an\u2800n',
    'an\u202en',
    'an\ufeffn',
    'an\ud800n',
    'an\ue000n',
    'ann@example.com',
    '@ann',
    'ann＠example.com',
    'ann﹫example.com',
    'a'.repeat(151),
  ]) {
    test(`${JSON.stringify(text).slice(0, 40)} is refused`, () =>
      assert.equal(canonicalUsername(text), null))
  }
})

describe('canonicalPhone', () => {
  test('accepts only E.164 numbers', () => {
    for (const text of ['+4915112345678', '+1234567', '+123456789012345'])
      assert.equal(canonicalPhone(text), text)
    for (const text of [
      '',
      '+',
      '+0151234567',
      '4915112345678',
      '+49 151 2345',
      '+123456',
      '+1234567890123456',
      '+49١٥١٢٣٤٥',
      '+4915112345678\n',
    ]) {
      assert.equal(canonicalPhone(text), null, text)
    }
  })
})

describe('identity.find', () => {
  /** The part of Users that an identity needs. */
  const usersOf = (store: UserStore) =>
    ({
      findBy: store.findBy,
      read: (row: Record<string, unknown>, field: string) => row[field],
    }) as unknown as Users

  /** A store whose database folds case and trailing spaces, as some collations do. */
  const sloppy = (inner: UserStore): UserStore => ({
    ...inner,
    async findBy(field, value) {
      for (let id = 1; id < 9; id++) {
        const row = await inner.findById(id)
        const stored = row?.[field]
        if (
          typeof stored === 'string' &&
          stored.toLowerCase() === String(value).trimEnd().toLowerCase()
        )
          return row
      }
      return null
    },
  })

  test('usernames match exactly even if the database ignores letter case', async () => {
    const store = memoryUsers()
    await store.create({ email: 'ann@example.com', username: 'Ann', hashedPassword: 'x' })
    const identity = createIdentity(['email', 'username'], 'email', usersOf(sloppy(store)))
    assert.equal((await identity.find('Ann'))?.id, 1)
    assert.equal((await identity.find('ANN@example.com'))?.id, 1)
    for (const identifier of ['ann', 'ANN', 'Ann ', 'Ann\0'])
      assert.equal(await identity.find(identifier), null, identifier)
  })

  test('a stored email in mixed case is found if the database ignores letter case', async () => {
    const store = memoryUsers()
    await store.create({ email: 'Ann@Example.com', username: 'ann', hashedPassword: 'x' })
    const identity = createIdentity(['email', 'username'], 'email', usersOf(sloppy(store)))
    assert.equal((await identity.find('ann@example.com'))?.id, 1)
  })

  test('an empty identifier or one with NUL is not looked up', async () => {
    const store = memoryUsers()
    const asked: unknown[] = []
    const spy: UserStore = {
      ...store,
      async findBy(field, value) {
        asked.push([field, value])
        return null
      },
    }
    const identity = createIdentity(['email', 'username'], 'email', usersOf(spy))
    for (const identifier of ['', '\0', 'a\0b']) assert.equal(await identity.find(identifier), null)
    assert.deepEqual(asked, [])
    await identity.find('Zoe\u0308')
    assert.deepEqual(asked, [['username', 'Zo\u00eb']])
  })
})
