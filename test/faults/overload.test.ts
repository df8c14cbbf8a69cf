import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import type { CrudAuthOptions, LegacyVerifier } from '../../src/index.js'
import { build, cheap, password } from '../helpers/build.js'
import { Client, signedIn } from '../helpers/client.js'
import { noUnhandledRejections, openUsers, statuses, times } from '../helpers/hostile.js'
import { refuses } from '../helpers/refuses.js'

/** A verifier that occupies a hash slot until it is released. */
function gated() {
  let release = () => {}
  let started = () => {}
  const running = new Promise<void>((resolve) => {
    started = resolve
  })
  const open = new Promise<void>((resolve) => {
    release = resolve
  })
  const verifier: LegacyVerifier = {
    matches: (hash) => hash.startsWith('slow:'),
    async verify(hash, given) {
      started()
      await open
      return hash === `slow:${given}`
    },
  }
  return { verifier, running, release }
}

/** A signed-in user, and a sign-in of another one, which occupies the only hash slot. */
async function occupied(t: TestContext, auth: Partial<CrudAuthOptions> = {}) {
  const { verifier, running, release } = gated()
  const users = openUsers()
  const app = await build(t, {
    auth: {
      users: users.store,
      passwords: { cost: cheap, legacy: [verifier], maxConcurrent: 1, maxQueued: 0 },
      ...auth,
    },
    routes(app) {
      app.post('/sudo', { onRequest: app.currentUser() }, async (request) => {
        await app.crudAuth.sudo.elevate(request, { password })
        return {}
      })
    },
  })
  const client = await signedIn(app, 'ann')
  await users.store.create({
    email: 'slow@example.com',
    username: 'slow',
    hashedPassword: `slow:${password}`,
  })
  const before = await users.rows()
  const slow = new Client(app).login('slow')
  await running
  return { app, client, users, before, slow, release }
}

test('hash queue full: requests that need a hash are 503 with Retry-After and change nothing', async (t) => {
  noUnhandledRejections(t)
  const { app, client, users, before, slow, release } = await occupied(t)
  const change = { current_password: password, new_password: 'another good one' }
  const refused = await Promise.all([
    new Client(app).login('ann'),
    new Client(app).login('ann', 'wrong'),
    new Client(app).login('nobody'),
    new Client(app).register('bob'),
    new Client(app).register('ann'),
    client.post('/change-password', change),
    client.post('/sudo'),
  ])
  for (const response of refused) {
    refuses(response, 'CRUDAUTH_OVERLOADED', [password])
    assert.equal(response.headers['set-cookie'], undefined)
  }
  assert.deepEqual(await users.rows(), before)
  assert.equal((await client.get('/me')).statusCode, 200, 'requests without a hash are served')
  release()
  // If the rehash finds the only slot taken, it is skipped and the sign-in goes on.
  assert.equal((await slow).statusCode, 200)
  assert.equal((await new Client(app).register('bob')).statusCode, 201)
  assert.equal((await client.post('/change-password', change)).statusCode, 200)
})

test('hash queue full: sudo attempts that get 503 are given back', async (t) => {
  const { client, slow, release } = await occupied(t, { sudo: { maxAttempts: 2 } })
  for (let attempt = 0; attempt < 4; attempt++)
    refuses(await client.post('/sudo'), 'CRUDAUTH_OVERLOADED')
  release()
  await slow
  assert.equal((await client.post('/sudo')).statusCode, 200)
})

test('hash queue: a flood is served in part, and requests with 503 can be repeated', async (t) => {
  noUnhandledRejections(t)
  const users = openUsers()
  const app = await build(t, {
    auth: { users: users.store, passwords: { cost: cheap, maxConcurrent: 1, maxQueued: 5 } },
  })
  const responses = await Promise.all(times(50, (i) => new Client(app).register(`user${i}`)))
  const counts = statuses(responses)
  assert.equal((counts[201] ?? 0) + (counts[503] ?? 0), 50, JSON.stringify(counts))
  assert.ok((counts[201] ?? 0) >= 6)
  assert.equal((await users.rows()).length, counts[201])
  for (let i = 0; i < 50; i++) {
    const again = await new Client(app).register(`user${i}`)
    assert.equal(again.statusCode, responses[i]?.statusCode === 201 ? 409 : 201)
  }
})

test('hash queue: a verifier that never resolves frees its slot after a timeout', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] })
  let asked = () => {}
  const verifying = new Promise<void>((resolve) => {
    asked = resolve
  })
  const never: LegacyVerifier = {
    matches: (hash) => hash.startsWith('slow:'),
    verify: () => {
      asked()
      return new Promise<boolean>(() => {})
    },
  }
  const app = await build(t, {
    auth: { passwords: { cost: cheap, legacy: [never], maxConcurrent: 1 } },
  })
  await app.crudAuth.users.create({
    email: 'slow@example.com',
    username: 'slow',
    hashedPassword: 'slow:x',
  })
  const stuck = new Client(app).login('slow')
  await verifying
  const behind = new Client(app).register('ann')
  let done = false
  void behind.then(() => {
    done = true
  })
  while (!done) {
    t.mock.timers.tick(6000)
    await new Promise((resolve) => setImmediate(resolve))
  }
  assert.equal((await behind).statusCode, 201)
  refuses(await stuck, 'CRUDAUTH_BAD_CREDENTIALS')
})
