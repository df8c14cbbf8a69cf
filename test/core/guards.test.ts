import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { test } from 'node:test'
import type { FastifyRequest } from 'fastify'
import { canonicalEmail } from '../../src/core/identity/canonical.js'
import { createRecoveryTokens } from '../../src/core/one-time-tokens/tokens.js'
import { isCsrfToken } from '../../src/core/sessions/csrf.js'
import { createUsers } from '../../src/core/users/users.js'
import { sha256 } from '../../src/crypto/digest.js'
import { createSeal } from '../../src/crypto/seal.js'
import { createReservations } from '../../src/features/email/address-reservations.js'
import { isCrossSite } from '../../src/http/cross-site.js'
import { memoryUsers } from '../../src/index.js'
import type { OneTimeStore } from '../../src/ports/one-time-store.js'
import type { SessionRecord } from '../../src/ports/session-store.js'
import { memoryOneTime } from '../../src/state/memory/one-time.js'
import { build } from '../helpers/build.js'
import { Client, signedIn } from '../helpers/client.js'
import { refuses } from '../helpers/refuses.js'

const key = randomBytes(32)
const seal = createSeal([key])
const usersOf = async (email = 'ann@example.com') => {
  const users = createUsers(memoryUsers(), 1000, key)
  return { users, user: await users.create({ email, hashedPassword: '!x' }) }
}

test('seal.open: truncated text returns null and does not throw', () => {
  for (let length = 0; length < 28; length++)
    assert.equal(seal.open(Buffer.alloc(length, 1).toString('base64url')), null, String(length))
  assert.equal(seal.open(seal.seal('')), '')
  const whole = seal.seal('text')
  for (let cut = 1; cut < whole.length; cut++) assert.equal(seal.open(whole.slice(0, cut)), null)
})

test('canonicalEmail: applying it twice gives the same result', () => {
  // Final and other sigmas, and letters that NFKC composes only in lower case.
  for (const text of ['ΑΣ@example.com', 'ann@EXAMPLE.com']) {
    const once = canonicalEmail(text)
    if (once !== null) assert.equal(canonicalEmail(once), once, text)
  }
  for (let code = 0xa0; code < 0x3000; code++) {
    const once = canonicalEmail(`a${String.fromCodePoint(code)}b@example.com`)
    if (once !== null) assert.equal(canonicalEmail(once), once, code.toString(16))
  }
})

test('isCsrfToken: no token matches a session created without CSRF protection', () => {
  const record = { csrfDigest: '' } as SessionRecord
  for (const token of ['', sha256(''), 'undefined']) assert.equal(isCsrfToken(token, record), false)
  assert.equal(isCsrfToken('', { csrfDigest: sha256('x') } as SessionRecord), false)
})

test('isCrossSite: without Fetch Metadata, an http origin is refused on an https app', () => {
  const asked = (origin: string, protocol: 'http' | 'https') =>
    isCrossSite(
      { headers: { origin }, host: 'app.example.com', protocol } as unknown as FastifyRequest,
      new Set(),
    )
  assert.equal(asked('https://app.example.com', 'https'), false)
  assert.equal(asked('http://app.example.com', 'http'), false)
  // Behind a proxy that terminates TLS.
  assert.equal(asked('https://app.example.com', 'http'), false)
  assert.equal(asked('http://app.example.com', 'https'), true)
  assert.equal(asked('capacitor://app.example.com', 'http'), true)
  assert.equal(asked('ws://app.example.com', 'http'), true)
})

test('one-time tokens: an expired token is invalid even if the store still has it', async () => {
  const inner = memoryOneTime()
  const forever: OneTimeStore = { ...inner, put: (name, value) => inner.put(name, value, 1e9) }
  const { users, user } = await usersOf()
  const tokens = createRecoveryTokens(forever, users, seal)
  const good = await tokens.issue('reset', user, { value: null }, 60)
  assert.ok(await tokens.peek('reset', good))
  const over = await tokens.issue('reset', user, { value: null }, 0)
  assert.equal(await tokens.peek('reset', over), null)
  assert.equal(await tokens.peek('verify', good), null, 'a token is invalid for another purpose')
})

test('address reservations: each former address is reserved, in order of the changes', async () => {
  const { users, user } = await usersOf()
  const reservations = createReservations(memoryOneTime(), users, seal, [key])
  const hold = (email: string, seconds = 60) =>
    reservations.reserve(user, { email, wasVerified: true }, seconds, true)
  for (const email of ['a@x.org', 'b@x.org', 'c@x.org']) await hold(email)
  const names = async () => (await reservations.of(user)).map(({ email }) => email)
  assert.deepEqual(await names(), ['a@x.org', 'b@x.org', 'c@x.org'])
  for (const email of await names()) assert.ok(await reservations.holderOf(email))
  // Leaving an address again doesn't change its position.
  await hold('b@x.org', 120)
  assert.deepEqual(await names(), ['a@x.org', 'b@x.org', 'c@x.org'])
  await reservations.releaseSince(user, 'b@x.org')
  assert.deepEqual(await names(), ['a@x.org'])
  assert.ok(await reservations.holderOf('a@x.org'))
  for (const email of ['b@x.org', 'c@x.org']) assert.equal(await reservations.holderOf(email), null)
  await reservations.releaseSince(user, 'never@x.org')
  assert.deepEqual(await names(), ['a@x.org'])
})

test('address reservations: an expired reservation is ignored even if the store still has it', async () => {
  const inner = memoryOneTime()
  const forever: OneTimeStore = { ...inner, put: (name, value) => inner.put(name, value, 1e9) }
  const { users, user } = await usersOf()
  const reservations = createReservations(forever, users, seal, [key])
  await reservations.reserve(user, { email: 'a@x.org', wasVerified: true }, 0.05, true)
  await reservations.reserve(user, { email: 'b@x.org', wasVerified: false }, 60, false)
  await new Promise((resolve) => setTimeout(resolve, 60))
  assert.deepEqual(
    (await reservations.of(user)).map(({ email }) => email),
    ['b@x.org'],
  )
  assert.equal(
    await reservations.holderOf('b@x.org'),
    null,
    'an unverified address is not reserved',
  )
})

test('session: responds with 401 if the user store returns the row of another user', async (t) => {
  const inner = memoryUsers()
  let swapped = false
  const users = {
    ...inner,
    findById: async (id: never) => inner.findById(swapped ? (2 as never) : id),
  }
  const app = await build(t, { auth: { users } })
  const ann = await signedIn(app, 'ann')
  await new Client(app).register('bob')
  swapped = true
  refuses(await ann.get('/me'), 'CRUDAUTH_UNAUTHENTICATED')
  swapped = false
  assert.equal(await app.crudAuth.users.findById(3), null)
})
