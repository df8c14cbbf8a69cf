import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { createHashQueue } from '../../src/core/passwords/hash-queue.js'
import { createPasswords } from '../../src/core/passwords/passwords.js'
import { createPasswordPolicy } from '../../src/core/passwords/policy.js'
import type { LegacyVerifier, PasswordCost } from '../../src/index.js'
import { cheap } from '../helpers/build.js'

const open = (legacy: LegacyVerifier[] = [], cost: PasswordCost = cheap) =>
  createPasswords(cost, legacy, createHashQueue(4, 100))

describe('password hashes', () => {
  test('use Argon2id with the configured cost and a different salt each time', async () => {
    const passwords = await open()
    const [one, two] = [
      await passwords.hash('a good phrase'),
      await passwords.hash('a good phrase'),
    ]
    assert.match(one, /^\$argon2id\$v=19\$m=64,t=1,p=1\$/)
    assert.notEqual(one, two)
    for (const hash of [one, two]) assert.equal(await passwords.verify(hash, 'a good phrase'), true)
  })

  test('compare passwords in NFC; letter case, spaces and width are significant', async () => {
    const passwords = await open()
    const hash = await passwords.hash('Zoe\u0308 and I')
    assert.equal(await passwords.verify(hash, 'Zo\u00eb and I'), true)
    for (const wrong of [
      'zo\u00eb and i',
      'Zo\u00eb and I ',
      ' Zo\u00eb and I',
      'Ｚo\u00eb and I',
      'Zoe and I',
      '',
    ]) {
      assert.equal(await passwords.verify(hash, wrong), false, wrong)
    }
  })

  test('do not truncate a password of 1024 characters or after a NUL', async () => {
    const passwords = await open()
    const long = 'é'.repeat(1023)
    assert.equal(await passwords.verify(await passwords.hash(`${long}a`), `${long}b`), false)
    assert.equal(await passwords.verify(await passwords.hash('a\0b'), 'a\0c'), false)
  })

  test('verify returns false for malformed, unusable and unknown hashes and does not throw', async () => {
    const passwords = await open()
    for (const hash of [
      '',
      '!',
      '!abc',
      'x',
      '$argon2id$',
      '$argon2id$v=19$m=64,t=1,p=1$',
      '$argon2id$v=19$m=0,t=0,p=0$YQ$YQ',
      '$2b$10$abc',
      '*',
      'null',
      '\0',
    ]) {
      for (const password of ['', 'x', hash])
        assert.equal(await passwords.verify(hash, password), false, hash)
    }
  })

  test('verify returns false for an empty password', async () => {
    const passwords = await open()
    assert.equal(await passwords.verify(await passwords.hash(''), ''), false)
  })

  test('are outdated if their cost differs from the configured cost', async () => {
    const passwords = await open()
    const hash = await passwords.hash('a good phrase')
    assert.deepEqual(await passwords.check(hash, 'a good phrase'), { ok: true, outdated: false })
    for (const cost of [
      { ...cheap, memoryKiB: 128 },
      { ...cheap, iterations: 2 },
      { memoryKiB: 64, iterations: 1, parallelism: 2 },
    ]) {
      const other = await open([], cost)
      assert.deepEqual(await other.check(hash, 'a good phrase'), { ok: true, outdated: true })
      assert.deepEqual(await other.check(hash, 'wrong'), { ok: false, outdated: false })
    }
  })

  test('isUsable detects unusable hashes, each of which is unique', async () => {
    const passwords = await open()
    const hash = await passwords.hash('a good phrase')
    for (const value of [hash, '$2b$10$abc']) assert.equal(passwords.isUsable(value), true)
    for (const value of [null, undefined, '', '!', passwords.unusable()])
      assert.equal(passwords.isUsable(value), false)
    assert.notEqual(passwords.unusable(), passwords.unusable())
  })
})

describe('a legacy verifier', () => {
  const legacy = (more: Partial<LegacyVerifier> = {}) => {
    const calls: string[] = []
    const verifier: LegacyVerifier = {
      matches: (hash) => hash.startsWith('old:'),
      verify(hash, password) {
        calls.push(hash)
        return hash === `old:${password}`
      },
      ...more,
    }
    return { verifier, calls }
  }

  test('accepts the password of its hashes, which are outdated', async () => {
    const passwords = await open([legacy().verifier])
    assert.deepEqual(await passwords.check('old:phrase', 'phrase'), { ok: true, outdated: true })
    assert.deepEqual(await passwords.check('old:phrase', 'other'), { ok: false, outdated: false })
    assert.equal(
      await passwords.verify(await passwords.hash('a good phrase'), 'a good phrase'),
      true,
    )
  })

  test('cannot accept an empty password, the stored hash or an unusable hash', async () => {
    const passwords = await open([legacy({ verify: () => true }).verifier])
    assert.equal(await passwords.verify('old:phrase', 'old:phrase'), false)
    assert.equal(await passwords.verify('old:phrase', ''), false)
    assert.equal(await passwords.verify('!old:phrase', 'phrase'), false)
  })

  for (const [what, verify] of [
    [
      'throws',
      () => {
        throw new Error('no')
      },
    ],
    ['rejects', () => Promise.reject(new Error('no'))],
    ['returns 1', () => 1],
    ['returns "true"', () => 'true'],
    ['resolves with an object', async () => ({})],
    ['returns undefined', () => undefined],
  ] as const) {
    test(`that ${what} refuses the password`, async () => {
      const passwords = await open([
        legacy({ verify: verify as unknown as LegacyVerifier['verify'] }).verifier,
      ])
      assert.equal(await passwords.verify('old:phrase', 'phrase'), false)
    })
  }

  test('whose "matches" throws is skipped', async () => {
    const broken: LegacyVerifier = {
      matches() {
        throw new Error('no')
      },
      verify: () => true,
    }
    const passwords = await open([broken, legacy().verifier])
    assert.equal(await passwords.verify('old:phrase', 'phrase'), true)
    assert.equal(await passwords.verify('unknown', 'phrase'), false)
  })

  test('runs for unknown users with its sample, or else with the first hash it has seen', async () => {
    const sampled = legacy({ sample: 'old:sample' })
    const passwords = await open([sampled.verifier])
    await passwords.check(null, 'phrase')
    assert.deepEqual(sampled.calls, ['old:sample'])
    const bare = legacy()
    const others = await open([bare.verifier])
    await others.check(null, 'phrase')
    assert.deepEqual(bare.calls, [])
    await others.check('old:phrase', 'wrong')
    await others.check(null, 'phrase')
    await others.check('!', 'phrase')
    await others.check(await others.hash('x'), 'wrong')
    assert.deepEqual(bare.calls, new Array(4).fill('old:phrase'))
  })
})

describe('the hash queue', () => {
  /** Tasks that the test ends. */
  const tasks = () => {
    const ends: (() => void)[] = []
    let running = 0
    let most = 0
    const task = async () => {
      running++
      most = Math.max(most, running)
      await new Promise<void>((resolve) => ends.push(resolve))
      running--
    }
    return { task, ends, most: () => most, running: () => running }
  }
  const settle = () => new Promise((resolve) => setImmediate(resolve))

  test('limits running and waiting tasks and refuses the rest with 503 and Retry-After', async () => {
    const gate = createHashQueue(2, 3)
    const { task, ends, most } = tasks()
    const accepted = Array.from({ length: 5 }, () => gate.run(task))
    for (let n = 0; n < 3; n++) {
      await assert.rejects(
        gate.run(task),
        (error: { code: string; statusCode: number; headers: Record<string, string> }) => {
          assert.deepEqual(
            [error.code, error.statusCode, error.headers['retry-after']],
            ['CRUDAUTH_OVERLOADED', 503, '1'],
          )
          return true
        },
      )
    }
    for (let n = 0; n < 5; n++) {
      await settle()
      ends.shift()?.()
    }
    await Promise.all(accepted)
    assert.equal(most(), 2)
    await assert.doesNotReject(gate.run(async () => {}))
  })

  test('runs tasks in order, and a failed task frees its slot', async () => {
    const gate = createHashQueue(1, 10)
    const order: number[] = []
    const all = Array.from({ length: 5 }, (_, n) =>
      gate.run(async () => {
        order.push(n)
        if (n % 2 === 0) throw new Error('failed')
        return n
      }),
    )
    const settled = await Promise.allSettled(all)
    assert.deepEqual(order, [0, 1, 2, 3, 4])
    assert.deepEqual(
      settled.map(({ status }) => status),
      ['rejected', 'fulfilled', 'rejected', 'fulfilled', 'rejected'],
    )
    assert.equal(await gate.run(async () => 'free'), 'free')
  })

  test('with a length of 0 refuses tasks that cannot start immediately', async () => {
    const gate = createHashQueue(1, 0)
    const { task, ends } = tasks()
    const first = gate.run(task)
    await assert.rejects(gate.run(task), { code: 'CRUDAUTH_OVERLOADED' })
    ends[0]?.()
    await first
    assert.equal(await gate.run(async () => 1), 1)
  })
})

describe('the password policy', () => {
  const refuses = (password: string, context = {}, minLength = 8) =>
    assert.rejects(
      createPasswordPolicy(minLength, undefined)(password, context),
      (error: { code: string; message: string }) => {
        assert.match(error.code, /^CRUDAUTH_(PASSWORD_TOO_(SHORT|COMMON)|BAD_REQUEST)$/)
        assert.ok(password === 'password' || !error.message.includes(password), error.message)
        return true
      },
    )
  const takes = (password: string, context = {}, minLength = 8) =>
    assert.doesNotReject(createPasswordPolicy(minLength, undefined)(password, context))

  test('counts length in code points of the NFC form', async () => {
    await takes('🔑'.repeat(8))
    await refuses('🔑'.repeat(7))
    await refuses('e\u0301'.repeat(7))
    await takes('e\u0301'.repeat(8))
    await takes('🔑'.repeat(1024))
    await refuses('🔑'.repeat(1025))
  })

  test('has no composition rules and accepts spaces and any script', async () => {
    for (const password of [
      'aaaaaaaaab',
      '        x',
      'пароль из слов',
      '密码密码密码密码',
      '\u200b\u200b\u200b\u200b\u200b\u200b\u200b\u200b',
    ]) {
      await takes(password)
    }
  })

  test('refuses common passwords in any letter case', async () => {
    for (const password of [
      'password',
      'PASSWORD',
      'Password1',
      '12345678',
      'qwertyuiop',
      'iloveyou',
    ])
      await refuses(password)
    await takes('password of mine')
  })

  test('refuses the email, its local part and the username in any letter case', async () => {
    const context = { email: 'ann.long@example.com', username: 'annabelle' }
    for (const password of [
      'ann.long@example.com',
      'ANN.LONG@EXAMPLE.COM',
      'ann.long',
      'AnnaBelle',
    ])
      await refuses(password, context)
    await takes('ann.long and annabelle', context)
  })

  test('calls the custom check last, with the NFC form', async () => {
    const asked: string[] = []
    const policy = createPasswordPolicy(8, (password) => {
      asked.push(password)
      return true
    })
    await assert.rejects(policy('short', {}))
    await assert.rejects(policy('password', {}))
    await policy('Zoe\u0308 and I', {})
    assert.deepEqual(asked, ['Zo\u00eb and I'])
  })
})
