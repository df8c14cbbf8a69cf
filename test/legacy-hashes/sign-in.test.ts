import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { createRequire } from 'node:module'
import { type TestContext, test } from 'node:test'
import type { LegacyVerifier, UserStore } from '../../src/index.js'

// Patched before the verifiers import it: records the cost of each bcrypt hash.
const library = createRequire(import.meta.url)('@node-rs/bcrypt') as {
  compare: (password: string, hash: string) => Promise<boolean>
}
const costs: string[] = []
const { compare } = library
library.compare = (password, hash) => {
  costs.push(hash.slice(4, 6))
  return compare(password, hash)
}
const { memoryUsers } = await import('../../src/index.js')
const { build, cheap } = await import('../helpers/build.js')
const { Client } = await import('../helpers/client.js')
const { longPassword, vectorSets } = await import('../helpers/legacy-vectors.js')
const { rowOf } = await import('../helpers/passwords.js')
const { refuses } = await import('../helpers/refuses.js')

const { bcryptHashes, crudauthHashes } = {
  bcryptHashes: vectorSets.bcryptHashes.verifier,
  crudauthHashes: vectorSets.crudauthHashes.verifier,
}
const current = /^\$argon2id\$v=19\$m=64,t=1,p=1\$/

async function open(t: TestContext, legacy: readonly LegacyVerifier[]) {
  const users = memoryUsers()
  const app = await build(t, {
    auth: { users, lockout: false, passwords: { cost: cheap, legacy } },
  })
  return {
    users,
    add: (username: string, hashedPassword: string, more: object = {}) =>
      users.create({ email: `${username}@example.com`, username, hashedPassword, ...more }),
    login: (username: string, password: string) => new Client(app).login(username, password),
  }
}
const storedOf = async (users: UserStore, username: string) =>
  String((await rowOf(users, username)).hashedPassword)

for (const [name, { verifier, vectors }] of Object.entries(vectorSets)) {
  test(`POST /login: ${name}: the first sign-in replaces the hash, no failure does`, async (t) => {
    const { users, add, login } = await open(t, [verifier])
    const quick = vectors.filter(({ slow = false }) => !slow)
    assert.ok(quick.length > 0)
    for (const [index, { password, hash }] of quick.entries()) {
      const user = `user${index}`
      await add(user, hash)
      for (const wrong of [`${password.slice(1)}x`, hash])
        refuses(await login(user, wrong), 'CRUDAUTH_BAD_CREDENTIALS', [hash])
      assert.equal(await storedOf(users, user), hash)
      assert.equal((await login(user, password)).statusCode, 200, hash)
      const isLong = Buffer.byteLength(password) > (verifier.maxBytes ?? Infinity)
      if (isLong) assert.equal(await storedOf(users, user), hash)
      else assert.match(await storedOf(users, user), current)
      assert.equal((await login(user, password)).statusCode, 200, 'a second time')
    }
  })
}

test('POST /login: bcryptHashes: a password of 72 bytes is replaced, a longer one is not', async (t) => {
  const { users, add, login } = await open(t, [bcryptHashes])
  const exactly = longPassword.slice(0, 72)
  assert.equal(Buffer.byteLength(exactly), 72)
  // hashpw of the Python package bcrypt 5.0.0.
  const hash = '$2b$04$/qI5wP4cQt5xiTQ7E9Kz8e3RksuJvzbG0aQ06VkOqUKpCYPS1hwgi'
  await add('ann', hash)
  assert.equal((await login('ann', `${exactly} and anything else`)).statusCode, 200)
  assert.equal(await storedOf(users, 'ann'), hash)
  assert.equal((await login('ann', exactly)).statusCode, 200)
  assert.match(await storedOf(users, 'ann'), current)
  refuses(await login('ann', `${exactly} and anything else`), 'CRUDAUTH_BAD_CREDENTIALS')
})

test('POST /login: crudauthHashes and bcryptHashes can share a table, in either order', async (t) => {
  for (const legacy of [
    [bcryptHashes, crudauthHashes],
    [crudauthHashes, bcryptHashes],
  ]) {
    const { users, add, login } = await open(t, legacy)
    const hashes = {
      crudauth: '$2b$04$BE6K0QJNERGPtX4mXVg.SuZUxPQtpysyRRCtcwBZu/2nYPaWV02ai',
      // hashpw of the Python package bcrypt 5.0.0.
      plain: '$2b$04$WSFDmFvNYM5fBh2qjlyCA.fxlRomkiFNi2t6vtu.XekUYElJ5nqCq',
    }
    const phrase = 'correct horse battery'
    for (const [user, hash] of Object.entries(hashes)) {
      await add(user, hash)
      refuses(await login(user, 'wrong'), 'CRUDAUTH_BAD_CREDENTIALS')
      costs.length = 0
      assert.equal((await login(user, phrase)).statusCode, 200)
      assert.deepEqual(costs, ['04', '04'], `${user}: both verifiers run`)
      assert.match(await storedOf(users, user), current)
    }
  }
})

test('POST /login: a SHA-256 of the password from a leak elsewhere does not sign in', async (t) => {
  const phrase = 'correct horse battery'
  const digest = createHash('sha256').update(phrase).digest('base64')
  const hash = '$2b$04$BE6K0QJNERGPtX4mXVg.SuZUxPQtpysyRRCtcwBZu/2nYPaWV02ai'
  // To bcrypt, the digest is the password.
  assert.equal(await bcryptHashes.verify(hash, digest), true)
  for (const legacy of [
    [bcryptHashes, crudauthHashes],
    [crudauthHashes, bcryptHashes],
  ]) {
    const { users, add, login } = await open(t, legacy)
    await add('ann', hash)
    refuses(await login('ann', digest), 'CRUDAUTH_BAD_CREDENTIALS')
    assert.equal(await storedOf(users, 'ann'), hash)
    assert.equal((await login('ann', phrase)).statusCode, 200)
  }
})

test('POST /login: every failure costs the same bcrypt work, whatever is stored', async (t) => {
  const sample = (cost: string) => `$2b$${cost}$${'.'.repeat(53)}`
  const cheaply = (verifier: LegacyVerifier) => ({ ...verifier, sample: sample('04') })
  const { add, login } = await open(t, [cheaply(bcryptHashes), cheaply(crudauthHashes)])
  const phrase = 'correct horse battery'
  const plain = '$2b$04$WSFDmFvNYM5fBh2qjlyCA.fxlRomkiFNi2t6vtu.XekUYElJ5nqCq'
  const crudauth = '$2b$04$BE6K0QJNERGPtX4mXVg.SuZUxPQtpysyRRCtcwBZu/2nYPaWV02ai'
  await add('plain', plain)
  await add('crudauth', crudauth)
  await add('expensive', '$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW')
  await add('disabled', plain, { isActive: false })
  await add('gone', crudauth, { isActive: false })
  // crudauth 0.8.2, with gensalt(4): the first of the two forms fits.
  await add('left', '$2b$04$aAftAxOwS7sH6Vy4/SPCu.9w/awPwWMIsO2LfkkfnzKEmp9rdA/w.', {
    isActive: false,
  })
  await add('hostile', sample('31'))
  await add('oauth', '!x')
  const workOf = async (user: string, password: string) => {
    costs.length = 0
    refuses(await login(user, password), 'CRUDAUTH_BAD_CREDENTIALS')
    return costs.splice(0).sort()
  }
  assert.deepEqual(await workOf('nobody', 'wrong'), ['04', '04'])
  // The plugin sees a hash with another cost for the first time.
  await workOf('expensive', 'wrong')
  for (const user of ['plain', 'crudauth', 'expensive', 'hostile', 'oauth', 'nobody'])
    assert.deepEqual(await workOf(user, 'wrong'), ['04', '04', '05', '05'], user)
  // The right password of a disabled account is no exception.
  for (const user of ['disabled', 'gone', 'nobody'])
    assert.deepEqual(await workOf(user, phrase), ['04', '04', '05', '05'], user)
  // CRUDAuth tries two forms of a password that NFKC changes, even if the first one fits.
  for (const user of ['plain', 'crudauth', 'left', 'nobody'])
    assert.deepEqual(
      await workOf(user, `${phrase} ﬁne`),
      ['04', '04', '04', '05', '05', '05'],
      user,
    )
})

test('POST /login: a stored hash that nothing verifies is logged once, without the hash', async (t) => {
  const lines: string[] = []
  const users = memoryUsers()
  const stream = { write: (line: string) => void lines.push(line) }
  const app = await build(t, {
    auth: { users, lockout: false },
    fastify: { logger: { level: 'warn', stream } },
  })
  const hashedPassword = '$2b$12$EXRkfkdmXn2gzds2SSitu.MW9.gAVqa9eLS1//RYtYCmB1eLHg.9q'
  await users.create({ email: 'ann@example.com', username: 'ann', hashedPassword })
  for (let times = 0; times < 2; times++)
    refuses(await new Client(app).login('ann', 'x'), 'CRUDAUTH_BAD_CREDENTIALS')
  const told = lines.filter((line) => line.includes('passwords.legacy'))
  assert.equal(told.length, 1)
  assert.ok(!lines.join().includes(hashedPassword.slice(7)))
})
