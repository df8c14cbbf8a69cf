import assert from 'node:assert/strict'
import { test } from 'node:test'
import { encodeCbor } from '../helpers/cbor.js'

test('CBOR: encodes the examples of RFC 8949', () => {
  for (const [value, hex] of [
    [0, '00'],
    [23, '17'],
    [24, '1818'],
    [1000, '1903e8'],
    [1000000, '1a000f4240'],
    [-1, '20'],
    [-257, '390100'],
    ['IETF', '6449455446'],
    [Buffer.from('01020304', 'hex'), '4401020304'],
    [
      new Map([
        [1, 2],
        [3, 4],
      ]),
      'a201020304',
    ],
  ] as const)
    assert.equal(encodeCbor(value).toString('hex'), hex)
})
