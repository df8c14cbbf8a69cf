import assert from 'node:assert/strict'
import { test } from 'node:test'
import { vectorSets } from '../helpers/legacy-vectors.js'

/** Everything in a row that a thief could send instead of the password. */
const partsOf = (hash: string): string[] => {
  const parts = hash.split(/[$:,=]/).filter((part) => part.length > 3)
  const decoded = parts.map((part) => Buffer.from(part, 'base64').toString('latin1'))
  return [hash, hash.replace(/^firebase:|^\$wp|^argon2/, ''), ...parts, ...decoded]
}

for (const [name, { verifier, vectors }] of Object.entries(vectorSets)) {
  for (const { password, hash, slow = false } of vectors) {
    const title = `${name}: ${hash.slice(0, 32)}`

    test(`${title} accepts its password and no other`, async () => {
      assert.equal(verifier.matches(hash), true)
      assert.equal(await verifier.verify(hash, password), true)
      const wrong = ['', password.slice(1)]
      if (!slow) {
        wrong.push(` ${password}`, `x${password}`, `${password}\0`, `${password}\0${password}`)
        // bcrypt compares no more than its limit.
        if (Buffer.byteLength(password) <= (verifier.maxBytes ?? Infinity))
          wrong.push(`${password} `, `${password}x`, password.slice(0, -1))
      }
      for (const other of wrong)
        assert.equal(await verifier.verify(hash, other), false, JSON.stringify(other))
    })

    test(`${title} doesn't accept the stored value or a part of it`, async () => {
      for (const part of slow ? [hash] : partsOf(hash))
        assert.equal(await verifier.verify(hash, part), false, JSON.stringify(part))
    })
  }

  test(`${name}: its sample is a hash of its kind that accepts nothing`, async () => {
    const { sample = '' } = verifier
    assert.equal(verifier.matches(sample), true)
    for (const password of ['', 'password', sample])
      assert.equal(await verifier.verify(sample, password), false)
  })

  test(`${name}: doesn't claim the hashes of the plugin or of accounts without a password`, () => {
    const argon =
      '$argon2id$v=19$m=19456,t=2,p=1$MTIzNDU2Nzg5MDEyMzQ1Ng$GKgXWNzQ8dL4pqUvCuBWQKHrBMBcOuBGkFjAfnSt5bo'
    for (const hash of [argon, '', '!', '!abc', 'x', '\0'])
      assert.equal(verifier.matches(hash), false, hash)
  })
}
