import assert from 'node:assert/strict'
import { test } from 'node:test'
import { decodeUserId, encodeUserId } from '../../src/core/users/user-id.js'

test('user ids: decoding an encoded id returns the same value and type', () => {
  const ids = [
    '',
    'a',
    '1',
    ' 1',
    'n1',
    'é',
    0,
    1,
    -1,
    1.5,
    1e21,
    2 ** 53,
    Number.MIN_VALUE,
    0n,
    1n,
    -1n,
    2n ** 70n,
  ]
  for (const id of ids) assert.equal(decodeUserId(encodeUserId(id)), id)
})

test('user ids: a non-canonical number is refused, so that no two texts mean one user', () => {
  const numbers = [
    '',
    ' ',
    ' 1',
    '1 ',
    '01',
    '+1',
    '1.0',
    '1.',
    '.5',
    '0x1',
    '0b1',
    '1e0',
    '1e3',
    '-0',
    '1_0',
    '٣',
    '\t1',
  ]
  const never = ['NaN', 'Infinity', '-Infinity', 'null', 'true', '1n', '9007199254740993', '1e400']
  for (const text of [...numbers, ...never])
    assert.equal(decodeUserId(`n${text}`), null, JSON.stringify(text))
  for (const text of [...numbers, '00', '-01', '-0', '--1', '1n'])
    assert.equal(decodeUserId(`b${text}`), null, JSON.stringify(text))
  for (const text of ['', 'x1', '1', 'N1', 'undefined'])
    assert.equal(decodeUserId(text), null, JSON.stringify(text))
})
