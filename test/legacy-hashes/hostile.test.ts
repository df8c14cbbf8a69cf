import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { type FirebaseParameters, firebaseHashes } from '../../src/legacy-hashes/index.js'
import {
  firebaseParameters,
  type vectorSets as Sets,
  vectorSets,
} from '../helpers/legacy-vectors.js'

const dots = '.'.repeat(53)
const zeros = '0'.repeat(128)
const key = `${'A'.repeat(43)}=`
const key64 = `${'A'.repeat(86)}==`
const bcrypt = [
  `$2b$15$${dots}`,
  `$2b$31$${dots}`,
  `$2b$99$${dots}`,
  `$2b$03$${dots}`,
  `$2b$+4$${dots}`,
  `$2x$04$${dots}`,
  `$2$04$${dots}`,
  `$2b$04$${dots}.`,
  `$2b$04$${dots.slice(1)}`,
  `$2b$04$${dots.slice(1)}!`,
  ` $2b$04$${dots}`,
  `$2b$04$${dots}\n`,
]

/** Malformed hashes, and hashes whose cost would occupy the server. */
const refused: Record<keyof typeof Sets, readonly string[]> = {
  bcryptHashes: bcrypt,
  crudauthHashes: bcrypt,
  betterAuthHashes: [
    `${'0'.repeat(31)}:${zeros}`,
    `${'0'.repeat(32)}:${zeros}0`,
    `${'A'.repeat(32)}:${zeros}`,
    `:${zeros}`,
    `s2::${zeros}`,
    `s3:${'a'.repeat(16)}:${zeros}`,
    `s2:${'a'.repeat(100_000)}:${zeros}`,
    `${'0'.repeat(32)}:${zeros}\n`,
  ],
  djangoHashes: [
    `pbkdf2_sha256$2147483648$seasalt$${key}`,
    `pbkdf2_sha256$5000001$seasalt$${key}`,
    `pbkdf2_sha256$0$seasalt$${key}`,
    `pbkdf2_sha256$-1$seasalt$${key}`,
    `pbkdf2_sha256$1e3$seasalt$${key}`,
    `pbkdf2_sha256$1000$$${key}`,
    `pbkdf2_sha256$1000$${'x'.repeat(129)}$${key}`,
    `pbkdf2_sha256$1000$seasalt$${'A'.repeat(27)}=`,
    `pbkdf2_sha1$1000$seasalt$${key}`,
    `pbkdf2_md5$1000$seasalt$${key}`,
    'argon2$argon2id$v=19$m=4194304,t=2,p=8$Y041dExhNkljRUUy$TMa6A8fPJhCAUXRhJXCXdw',
    'argon2$argon2id$v=19$m=262144,t=99,p=8$Y041dExhNkljRUUy$TMa6A8fPJhCAUXRhJXCXdw',
    'argon2$argon2id$v=19$m=102400,t=2,p=0$Y041dExhNkljRUUy$TMa6A8fPJhCAUXRhJXCXdw',
    'argon2$argon2x$v=19$m=8,t=1,p=1$Y041dExhNkljRUUy$TMa6A8fPJhCAUXRhJXCXdw',
    `scrypt$1073741824$seasalt$8$1$${key64}`,
    `scrypt$1048576$seasalt$8$1$${key64}`,
    `scrypt$16384$seasalt$99$99$${key64}`,
    `scrypt$16383$seasalt$8$1$${key64}`,
    `scrypt$16384$seasalt$0$1$${key64}`,
    `bcrypt_sha256$$2b$12$${dots}`,
    `md5$seasalt$3f86d0d3d465b7b458c231bf3555c0e3`,
  ],
  firebaseHashes: [
    'firebase:AAAA',
    `firebase::${key64}`,
    `firebase:AAAA:${'A'.repeat(400)}`,
    `firebase:${'A'.repeat(100_000)}:${key64}`,
    `firebase:AAAA:${key64} `,
    `scrypt:AAAA:${key64}`,
  ],
  phpassHashes: [
    '$P$G12345678L6Lpt4BxNotVIMILOa9u81',
    '$P$S12345678L6Lpt4BxNotVIMILOa9u81',
    '$P$z12345678L6Lpt4BxNotVIMILOa9u81',
    '$P$412345678L6Lpt4BxNotVIMILOa9u81',
    '$P$B12345678L6Lpt4BxNotVIMILOa9u8',
    '$P$B12345678L6Lpt4BxNotVIMILOa9u811',
    '$P$9IQRaTwmfeRo7ud9Fh4E2PdI0S3r!L0',
    '$S$B12345678L6Lpt4BxNotVIMILOa9u81',
    `$wp$2y$31$${dots}`,
    `$wp$2b$10$${dots}`,
    `$wp$2y$10$${dots}.`,
    `$2y$10$${dots}`,
    '5f4dcc3b5aa765d61d8327deb882cf99',
  ],
}

for (const [name, hashes] of Object.entries(refused)) {
  const { verifier } = vectorSets[name as keyof typeof Sets]
  test(`${name}: malformed and too expensive hashes are refused without work`, async () => {
    const startedMs = performance.now()
    for (const hash of hashes) {
      assert.equal(verifier.matches(hash), false, hash.slice(0, 80))
      for (const password of ['password', hash.slice(0, 1000)])
        assert.equal(await verifier.verify(hash, password), false, hash.slice(0, 80))
    }
    // One of these hashes would take minutes.
    assert.ok(performance.now() - startedMs < 2000)
  })
}

test('phpassHashes: other work goes on during a long verification', async () => {
  const { verifier } = vectorSets.phpassHashes
  let turns = 0
  let done = false
  const count = () => {
    turns++
    if (!done) setImmediate(count)
  }
  setImmediate(count)
  // 2^17 rounds.
  await verifier.verify('$P$FiS0N5L672xzQx1rt1vgdJQRYKnQM9/', 'wrong')
  done = true
  assert.ok(turns >= 16, `${turns} turns of the event loop`)
})

describe('firebaseHashes', () => {
  const refuses = (parameters: object, message: RegExp) =>
    assert.throws(() => firebaseHashes(parameters as FirebaseParameters), {
      code: 'CRUDAUTH_CONFIG',
      message,
    })

  test('refuses missing and malformed parameters and shows no key', () => {
    refuses({}, /"firebaseHashes\.signerKey" must be Base64, got undefined; copy it from/)
    refuses({ ...firebaseParameters, signerKey: '' }, /"firebaseHashes\.signerKey"/)
    refuses({ ...firebaseParameters, signerKey: 'se cret' }, /got another string/)
    refuses({ ...firebaseParameters, saltSeparator: 1 }, /saltSeparator" must be Base64, got 1/)
    refuses(
      { ...firebaseParameters, rounds: 0 },
      /rounds" must be a whole number from 1 to 8, got 0/,
    )
    refuses({ ...firebaseParameters, rounds: 9 }, /"firebaseHashes\.rounds"/)
    refuses({ ...firebaseParameters, rounds: undefined }, /"firebaseHashes\.rounds" is required/)
    refuses({ ...firebaseParameters, memCost: 31 }, /"firebaseHashes\.memCost"/)
    refuses({ ...firebaseParameters, memcost: 14 }, /has no option "memcost"/)
  })

  test('accepts nothing with the parameters of another project', async () => {
    const [vector] = vectorSets.firebaseHashes.vectors
    assert.ok(vector)
    const changes: Partial<FirebaseParameters>[] = [
      { signerKey: firebaseParameters.signerKey.replace('j', 'k') },
      { saltSeparator: 'CA==' },
      { rounds: 7 },
      { memCost: 13 },
    ]
    for (const change of changes) {
      const other = firebaseHashes({ ...firebaseParameters, ...change })
      assert.equal(await other.verify(vector.hash, vector.password), false)
    }
  })
})
