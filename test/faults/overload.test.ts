import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { LegacyVerifier } from '../../src/index.js'
import { build, cheap, password } from '../helpers/build.js'
import { Client, signedIn } from '../helpers/client.js'
import { noUnhandledRejections, openUsers, statuses, times } from '../helpers/hostile.js'
import { refuses } from '../helpers/refuses.js'

/** A verifier that holds its place among the hashes until it is let go. */
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

test('when no more hashes may wait, whatever needs one is 503 with Retry-After and changes nothing; the rest goes on', async (t) => {
  noUnhandledRejections(t)
  const { verifier, running, release } = gated()
  const users = openUsers()
  const app = await build(t, {
    auth: {
      users: users.store,
      passwords: { cost: cheap, legacy: [verifier], maxConcurrent: 1, maxQueued: 0 },
    },
    routes(app) {
      app.post('/sudo', { onRequest: app.currentUser() }, async (request) => {
        await app.crudAuth.sudo.elevate(request, { password: password })
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
  assert.equal((await client.get('/me')).statusCode, 200, 'what needs no hash is served')
  release()
  // Its rehash may find the one place taken; then it is an overload like any other.
  assert.equal((await slow).statusCode, 200)
  assert.equal((await new Client(app).register('bob')).statusCode, 201)
  assert.equal((await client.post('/change-password', change)).statusCode, 200)
})

test('a flood is served in part and refused in part, and what was refused can be asked again', async (t) => {
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

test('a verifier that never answers gives its place back in the end', async (t) => {
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
