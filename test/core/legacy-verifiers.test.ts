import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createHashQueue } from '../../src/core/passwords/hash-queue.js'
import { createPasswords } from '../../src/core/passwords/passwords.js'
import type { LegacyVerifier } from '../../src/index.js'
import { cheap } from '../helpers/build.js'

const open = (...legacy: LegacyVerifier[]) =>
  createPasswords(cheap, legacy, createHashQueue(4, 100))

/** A verifier of `old:<cost>:<password>`, with the hashes that it was called with. */
function verifierOf(more: Partial<LegacyVerifier> = {}) {
  const calls: string[] = []
  const verifier: LegacyVerifier = {
    matches: (hash) => hash.startsWith('old:'),
    cost: (hash) => hash.split(':')[1] ?? '',
    verify(hash, password) {
      calls.push(hash)
      return hash.split(':')[2] === password
    },
    ...more,
  }
  return { verifier, calls }
}

test('legacy verifiers: all that claim a hash run, and one that accepts is enough', async () => {
  const right = verifierOf()
  const wrong = verifierOf({ verify: () => false })
  const throws = verifierOf({
    verify() {
      throw new Error('no')
    },
  })
  const other = verifierOf({ matches: () => false })
  for (const order of [
    [right, wrong, throws, other],
    [other, throws, wrong, right],
  ]) {
    const passwords = await open(...order.map(({ verifier }) => verifier))
    right.calls.length = 0
    assert.deepEqual(await passwords.check('old:1:phrase', 'phrase'), { ok: true, outdated: true })
    assert.deepEqual(await passwords.check('old:1:phrase', 'x'), { ok: false, outdated: false })
    assert.deepEqual(right.calls, ['old:1:phrase', 'old:1:phrase'])
    assert.deepEqual(other.calls, [])
  }
  const both = [verifierOf(), verifierOf()] as const
  const passwords = await open(both[0].verifier, both[1].verifier)
  assert.equal((await passwords.check('old:1:phrase', 'phrase')).ok, true)
  for (const { calls } of both) assert.deepEqual(calls, ['old:1:phrase'])
})

test('legacy verifiers: a hash in a format that nothing verifies is told', async () => {
  const told: string[] = []
  const { verifier } = verifierOf()
  const passwords = await createPasswords(cheap, [verifier], createHashQueue(4, 100), () =>
    told.push('unknown'),
  )
  for (const hash of [null, '', passwords.unusable(), await passwords.hash('x'), 'old:1:phrase'])
    await passwords.check(hash, 'phrase')
  assert.deepEqual(told, [])
  for (const hash of ['$2b$12$abc', 'plain text'])
    assert.deepEqual(await passwords.check(hash, 'phrase'), { ok: false, outdated: false })
  assert.deepEqual(told, ['unknown', 'unknown'])
})

test('legacy verifiers: a password beyond maxBytes fits, but its hash is not outdated', async () => {
  const verify = (hash: string, password: string) =>
    hash.split(':')[2] === Buffer.from(password).subarray(0, 6).toString()
  const short = verifierOf({ verify, maxBytes: 6 })
  const passwords = await open(short.verifier)
  const check = (password: string) => passwords.check('old:1:phrase', password)
  assert.deepEqual(await check('phrase'), { ok: true, outdated: true })
  assert.deepEqual(await check('phrases'), { ok: true, outdated: false })
  assert.deepEqual(await check('phras'), { ok: false, outdated: false })
  // Bytes count, not characters.
  assert.deepEqual(await passwords.check('old:1:ééé', 'ééé'), { ok: true, outdated: true })
  assert.deepEqual(await passwords.check('old:1:ééé', 'éééé'), { ok: true, outdated: false })
  // Another verifier that compares the whole password settles it.
  const whole = await open(short.verifier, verifierOf({ verify: () => true }).verifier)
  assert.deepEqual(await whole.check('old:1:phrase', 'phrases'), { ok: true, outdated: true })
})

test('legacy verifiers: failures do the work of every cost seen, up to four', async () => {
  const { verifier, calls } = verifierOf({ sample: 'old:1:sample' })
  const passwords = await open(verifier)
  const workOf = async (hash: string | null) => {
    calls.length = 0
    assert.equal((await passwords.check(hash, 'wrong')).ok, false)
    return calls.map((call) => call.split(':')[1]).sort()
  }
  assert.deepEqual(await workOf(null), ['1'])
  assert.deepEqual(await workOf('old:1:phrase'), ['1'])
  assert.deepEqual(await workOf('old:2:phrase'), ['1', '2'])
  assert.deepEqual(await workOf(null), ['1', '2'])
  for (const cost of [3, 4, 5, 6]) await workOf(`old:${cost}:phrase`)
  assert.deepEqual(await workOf(null), ['1', '2', '3', '4'])
  assert.deepEqual(await workOf('old:4:phrase'), ['1', '2', '3', '4'])
  assert.deepEqual(await workOf(await passwords.hash('phrase')), ['1', '2', '3', '4'])
})

test('legacy verifiers: a cost that throws counts as no cost', async () => {
  const { verifier, calls } = verifierOf({
    cost() {
      throw new Error('no')
    },
  })
  const passwords = await open(verifier)
  for (const cost of [1, 2]) await passwords.check(`old:${cost}:phrase`, 'wrong')
  calls.length = 0
  await passwords.check(null, 'wrong')
  assert.deepEqual(calls, ['old:1:phrase'])
})

test('legacy verifiers: what one of them hashes instead is no password for the others', async () => {
  const plain = verifierOf()
  const looksPreHashed = (password: string) => password.startsWith('digest-')
  const hashing = verifierOf({ verify: () => false, looksPreHashed })
  const check = async (legacy: { verifier: LegacyVerifier }[], password: string) => {
    const passwords = await open(...legacy.map(({ verifier }) => verifier))
    return (await passwords.check(`old:1:${password}`, password)).ok
  }
  assert.equal(await check([plain, hashing], 'phrase'), true)
  assert.equal(await check([plain, hashing], 'digest-1'), false)
  assert.equal(await check([hashing, plain], 'digest-1'), false)
  assert.equal(await check([plain], 'digest-1'), true)
  assert.equal(await check([verifierOf({ looksPreHashed })], 'digest-1'), true)
  const elsewhere = verifierOf({ matches: () => false, looksPreHashed })
  assert.equal(await check([plain, elsewhere], 'digest-1'), true)
  const broken = verifierOf({
    verify: () => false,
    looksPreHashed() {
      throw new Error('no')
    },
  })
  assert.equal(await check([plain, broken], 'phrase'), false)
})

test('legacy verifiers: prepare runs once, and its error ends the start', async () => {
  let prepared = 0
  const passwords = await open(verifierOf({ prepare: () => void prepared++ }).verifier)
  for (let i = 0; i < 3; i++) await passwords.check('old:1:phrase', 'phrase')
  assert.equal(prepared, 1)
  const broken = verifierOf({ prepare: () => Promise.reject(new Error('missing')) })
  await assert.rejects(open(broken.verifier), /missing/)
})
