import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createKeyring } from '../../src/crypto/keys.js'
import { createSeal } from '../../src/crypto/seal.js'
import { keys, secret } from '../helpers/delivery.js'

const other = 'Zq7-another-secret-of-thirty-two-bytes!'
const text = '{"token":"T0ken-abcdefghijklmnop","recipient":"grüße@example.com"}'

test('seal: sealed text opens again, is unreadable and differs every time', () => {
  const { seal, open } = createSeal(keys)
  const sealed = seal(text)
  assert.equal(open(sealed), text)
  assert.match(sealed, /^[\w-]+$/)
  assert.ok(!Buffer.from(sealed, 'base64url').includes('T0ken'))
  assert.notEqual(seal(text), sealed)
  assert.equal(open(seal('')), '')
})

test('seal: modified, truncated, extended or non-canonical text does not open', () => {
  const { seal, open } = createSeal(keys)
  const sealed = seal(text)
  const bytes = Buffer.from(sealed, 'base64url')
  for (let at = 0; at < bytes.length; at++) {
    const changed = Buffer.from(bytes)
    changed[at] = (changed[at] as number) ^ 1
    assert.equal(open(changed.toString('base64url')), null, `byte ${at}`)
  }
  for (const bad of [
    '',
    'a',
    sealed.slice(1),
    sealed.slice(0, -4),
    `${sealed}AAAA`,
    `${sealed}=`,
    ` ${sealed}`,
    `${sealed}\n`,
  ]) {
    assert.equal(open(bad), null)
  }
  // In base64url of length 4n+2 or 4n+3, the last character has unused bits.
  const loose = seal('a')
  assert.equal(loose.length % 4, 3)
  assert.equal(
    open(`${loose.slice(0, -1)}${String.fromCharCode(loose.charCodeAt(loose.length - 1) + 1)}`),
    null,
  )
})

test('seal: the first secret seals, all listed secrets open, and a removed one does not', () => {
  const before = createSeal(createKeyring(secret)('delivery')).seal(text)
  const rotating = createSeal(createKeyring([other, secret])('delivery'))
  assert.equal(rotating.open(before), text)
  const after = createSeal(createKeyring(other)('delivery'))
  assert.equal(after.open(rotating.seal(text)), text)
  assert.equal(after.open(before), null)
})

test('seal: text sealed for one purpose does not open for another', () => {
  const keyring = createKeyring(secret)
  assert.equal(
    createSeal(keyring('one-time')).open(createSeal(keyring('delivery')).seal(text)),
    null,
  )
})
