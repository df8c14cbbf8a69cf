import assert from 'node:assert/strict'
import { createRequire } from 'node:module'
import { test } from 'node:test'
import type * as Argon from '@node-rs/argon2'
import type { LegacyVerifier, UserStore } from '../../src/index.js'

// Patched before any module imports it: every verification and hash of the real library is counted.
const argon = createRequire(import.meta.url)('@node-rs/argon2') as {
  -readonly [K in keyof typeof Argon]: (typeof Argon)[K]
}
const work = { verify: 0, hash: 0 }
/** Look-ups and argon2 runs in the order in which they began. */
const steps: string[] = []
const { verify, hash } = argon
argon.verify = async (...args) => {
  steps.push('argon2')
  // A malformed hash is rejected at once, without any work.
  const fits = await verify(...args)
  work.verify++
  return fits
}
argon.hash = (...args) => {
  steps.push('hash')
  work.hash++
  return hash(...args)
}
const { backends } = await import('../helpers/backends.js')
const { build, cheap, password } = await import('../helpers/build.js')
const { Client } = await import('../helpers/client.js')
const { refuses } = await import('../helpers/refuses.js')
const { countingUsers } = await import('../helpers/users.js')
const { openUsers } = await import('../helpers/hostile.js')
const { memoryUsers } = await import('../../src/index.js')

/** Runs it and returns the cost: argon2 runs, legacy verifier calls, user look-ups and writes. */
async function costOf(
  legacy: { calls: number },
  users: ReturnType<typeof countingUsers>,
  run: () => Promise<unknown>,
) {
  const before = { ...work, legacy: legacy.calls, ...users.calls }
  await run()
  return {
    verify: work.verify - before.verify,
    hash: work.hash - before.hash,
    legacy: legacy.calls - before.legacy,
    findBy: users.calls.findBy - before.findBy,
    findById: users.calls.findById - before.findById,
    writes:
      users.calls.create +
      users.calls.compareAndSet +
      users.calls.update -
      before.create -
      before.compareAndSet -
      before.update,
  }
}

/** Memory users that record their look-ups and creations among the steps. */
function tracedUsers(): UserStore {
  const inner = memoryUsers()
  return {
    ...inner,
    findBy(field, value) {
      steps.push('findBy')
      return inner.findBy(field, value)
    },
    create(values) {
      steps.push('create')
      return inner.create(values)
    },
  }
}

/** One account of every kind that can't sign in with the password tried. */
async function accounts(store: ReturnType<typeof openUsers>['store'], hashed: string) {
  const row = (username: string, values: object) =>
    store.create({ email: `${username}@example.com`, username, ...values })
  await row('usual', { hashedPassword: hashed })
  await row('disabled', { hashedPassword: hashed, isActive: false })
  await row('nohash', { hashedPassword: null })
  await row('oauth', { hashedPassword: '!unusable' })
  await row('broken', { hashedPassword: '$argon2id$broken' })
  await row('foreign', { hashedPassword: '$2b$04$abcdefghijklmnopqrstuuPlGmT7' })
}

const failures = ['usual', 'disabled', 'nohash', 'oauth', 'broken', 'foreign', 'unknown']

for (const backend of backends) {
  test(`${backend.name}: POST /login: every failure gets the same response for the same work`, async (t) => {
    const users = countingUsers(tracedUsers())
    const app = await build(t, {
      auth: { ...backend.options(), users: users.store, lockout: false },
    })
    await accounts(users.store, await app.crudAuth.passwords.hash(password))
    const answers = new Set<string>()
    const tries = [
      ...failures.map((name) => [name, 'wrong password']),
      ...failures.map((name) => [`${name}@example.com`, 'wrong password']),
      // The correct password of a disabled account, and a password below the minimum length.
      ['disabled', password],
      ['usual', 'x'],
    ] as const
    for (const [identifier = '', given = ''] of tries) {
      steps.length = 0
      const cost = await costOf({ calls: 0 }, users, async () => {
        const response = await new Client(app).login(identifier, given)
        refuses(response, 'CRUDAUTH_BAD_CREDENTIALS', [given || 'nothing'])
        assert.equal(response.headers['set-cookie'], undefined)
        const { date, ...headers } = response.headers
        answers.add(`${response.body} ${JSON.stringify(headers)}`)
      })
      const findBy = identifier.includes('@') ? 2 : 1
      assert.deepEqual(
        cost,
        { verify: 1, hash: 0, legacy: 0, findBy, findById: 0, writes: 0 },
        `${identifier} ${given}`,
      )
      // A malformed hash counts as a second run, although argon2 rejects it without any work.
      const runs = steps.filter((step) => step === 'argon2').length
      const order = [...new Array(findBy).fill('findBy'), ...new Array(runs).fill('argon2')]
      assert.deepEqual(steps, order, `${identifier} ${given}: the look-ups come first`)
    }
    assert.equal(answers.size, 1)
  })

  test(`${backend.name}: POST /register: a taken and a free email cost the same work, one hash each`, async (t) => {
    const users = countingUsers(tracedUsers())
    const app = await build(t, { auth: { ...backend.options(), users: users.store } })
    await new Client(app).register('ann')
    const costs = []
    for (const name of ['ann', 'bob']) {
      steps.length = 0
      costs.push(await costOf({ calls: 0 }, users, () => new Client(app).register(name)))
      assert.deepEqual(steps, ['hash', 'findBy', 'create'], `${name}: the hash comes first`)
    }
    assert.deepEqual(costs[0], { verify: 0, hash: 1, legacy: 0, findBy: 1, findById: 0, writes: 1 })
    assert.deepEqual(costs[1], costs[0])
  })
}

test('POST /login: every failure costs the same work with a legacy verifier too', async (t) => {
  const legacy = { calls: 0 }
  const verifier: LegacyVerifier = {
    matches: (hash) => hash.startsWith('old:'),
    verify(hash, given) {
      legacy.calls++
      return hash === `old:${given}!`
    },
    sample: 'old:sample',
  }
  const users = countingUsers()
  const app = await build(t, {
    auth: { users: users.store, lockout: false, passwords: { cost: cheap, legacy: [verifier] } },
  })
  await accounts(users.store, await app.crudAuth.passwords.hash(password))
  await users.store.create({
    email: 'old@example.com',
    username: 'old',
    hashedPassword: `old:${password}!`,
  })
  await users.store.create({
    email: 'o2@example.com',
    username: 'gone',
    hashedPassword: `old:${password}!`,
    isActive: false,
  })
  const tries = [...failures, 'old', 'gone'].map((name) => [name, 'wrong password'])
  // Timing must not reveal the correct password of a disabled account either.
  for (const [name = '', given = ''] of [...tries, ['disabled', password], ['gone', password]]) {
    const cost = await costOf(legacy, users, async () => {
      refuses(await new Client(app).login(name, given), 'CRUDAUTH_BAD_CREDENTIALS')
    })
    assert.deepEqual(
      cost,
      { verify: 1, hash: 0, legacy: 1, findBy: 1, findById: 0, writes: 0 },
      name,
    )
  }
})

test('POST /login: a locked-out identifier costs no hash, whether or not it exists', async (t) => {
  const users = countingUsers()
  const app = await build(t, { auth: { users: users.store, lockout: { maxAttempts: 2 } } })
  await new Client(app).register('ann')
  for (const name of ['ann', 'nobody']) {
    for (let i = 0; i < 2; i++)
      refuses(await new Client(app).login(name, 'wrong'), 'CRUDAUTH_BAD_CREDENTIALS')
    const cost = await costOf({ calls: 0 }, users, async () => {
      refuses(await new Client(app).login(name), 'CRUDAUTH_LOCKED_OUT')
    })
    assert.deepEqual(cost, { verify: 0, hash: 0, legacy: 0, findBy: 1, findById: 0, writes: 0 })
  }
})

test('POST /login, POST /register: an invalid body costs no hash, look-up or attempt', async (t) => {
  const users = countingUsers()
  const app = await build(t, { auth: { users: users.store, lockout: { maxAttempts: 1 } } })
  await new Client(app).register('ann')
  const nothing = { verify: 0, hash: 0, legacy: 0, findBy: 0, findById: 0, writes: 0 }
  for (const body of [
    {},
    { username: 'ann' },
    { password },
    { username: 1, password },
    { username: 'ann', password, remember_me: 'x' },
  ]) {
    assert.deepEqual(
      await costOf({ calls: 0 }, users, () => new Client(app).post('/login', body)),
      nothing,
    )
    assert.deepEqual(
      await costOf({ calls: 0 }, users, () => new Client(app).post('/register', body)),
      nothing,
    )
  }
  assert.equal((await new Client(app).login('ann')).statusCode, 200)
})

test('POST /register: a password error does not reveal whether the account exists', async (t) => {
  const app = await build(t)
  await new Client(app).register('ann')
  const taken = await new Client(app).register('ann', 'short')
  const free = await new Client(app).register('bob', 'short')
  assert.equal(taken.body, free.body)
  refuses(taken, 'CRUDAUTH_PASSWORD_TOO_SHORT')
})
