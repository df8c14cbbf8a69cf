import assert from 'node:assert/strict'
import { createRequire } from 'node:module'
import { test } from 'node:test'
import type * as Argon from '@node-rs/argon2'
import type { LegacyVerifier, PasswordCost } from '../../../src/index.js'

// Record the cost of every verification. This has to run before another module imports the
// library by name.
const argon = createRequire(import.meta.url)('@node-rs/argon2') as {
  -readonly [K in keyof typeof Argon]: (typeof Argon)[K]
}
const done: string[] = []
const { verify, hash } = argon
argon.verify = async (stored, ...rest) => {
  const fits = await verify(stored, ...rest)
  done.push(String(stored).split('$')[3] ?? '')
  return fits
}
const { build, cheap, password } = await import('../../helpers/build.js')
const { Client } = await import('../../helpers/client.js')
const { refuses } = await import('../../helpers/refuses.js')
const { memoryUsers } = await import('../../../src/index.js')

const costText = ({ memoryKiB, iterations, parallelism }: PasswordCost) =>
  `m=${memoryKiB},t=${iterations},p=${parallelism}`
const hashOf = ({ memoryKiB, iterations, parallelism }: PasswordCost) =>
  hash(password, { algorithm: 2, memoryCost: memoryKiB, timeCost: iterations, parallelism })

const dear: PasswordCost = { memoryKiB: 4096, iterations: 3, parallelism: 1 }

/** Makes a sign-in attempt that fails, and returns the sorted costs of all verifications. */
async function workOf(
  client: InstanceType<typeof Client>,
  username: string,
  secret: string,
): Promise<string[]> {
  done.length = 0
  refuses(await client.login(username, secret), 'CRUDAUTH_BAD_CREDENTIALS')
  return done.splice(0).sort()
}

for (const [what, old, current] of [
  ['more expensive', dear, cheap],
  ['cheaper', cheap, dear],
] as const) {
  test(`POST /login: known and unknown users cost the same hashing while ${what} old hashes exist`, async (t) => {
    const users = memoryUsers()
    const app = await build(t, { auth: { users, lockout: false, passwords: { cost: current } } })
    const row = (username: string, values: object) =>
      users.create({ email: `${username}@example.com`, username, ...values })
    await row('old', { hashedPassword: await hashOf(old) })
    await row('new', { hashedPassword: await hashOf(current) })
    await row('gone', { hashedPassword: await hashOf(old), isActive: false })
    await row('oauth', { hashedPassword: app.crudAuth.passwords.unusable() })
    const client = new Client(app)
    assert.deepEqual(await workOf(client, 'nobody', 'wrong'), [costText(current)])

    // The plugin sees the old cost for the first time.
    await workOf(client, 'old', 'wrong')
    const both = [costText(old), costText(current)].sort()
    for (const name of ['old', 'new', 'gone', 'oauth', 'nobody']) {
      assert.deepEqual(await workOf(client, name, 'wrong'), both, name)
    }
    assert.deepEqual(
      await workOf(client, 'gone', password),
      both,
      'the right password of a disabled account',
    )
  })
}

test('POST /login: a right or wrong password of a disabled account runs every legacy verifier', async (t) => {
  const calls: string[] = []
  const verifier = (kind: string): LegacyVerifier => ({
    matches: (stored) => stored.startsWith(`${kind}:`),
    verify(stored, given) {
      calls.push(kind)
      return stored === `${kind}:${given}!`
    },
    sample: `${kind}:of nobody's`,
  })
  const users = memoryUsers()
  const legacy = [verifier('md5'), verifier('sha1')]
  const app = await build(t, {
    auth: { users, lockout: false, passwords: { cost: cheap, legacy } },
  })
  const stored = {
    usual: await app.crudAuth.passwords.hash(password),
    md5: `md5:${password}!`,
    sha1: `sha1:${password}!`,
  }
  for (const [username, hashedPassword] of Object.entries(stored)) {
    await users.create({
      email: `${username}@example.com`,
      username,
      hashedPassword,
      isActive: false,
    })
  }
  const client = new Client(app)
  for (const username of [...Object.keys(stored), 'nobody']) {
    for (const secret of ['wrong', password]) {
      assert.deepEqual(await workOf(client, username, secret), [costText(cheap)])
      assert.deepEqual(calls.splice(0).sort(), ['md5', 'sha1'], `${username}, ${secret}`)
    }
  }
})
