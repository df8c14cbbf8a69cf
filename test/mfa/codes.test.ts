import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { FastifyInstance } from 'fastify'
import { isOneTimeCode, newTotpSecret, otpauthUri, stepOf } from '../../src/features/mfa/totp.js'
import type { RegisteredUser } from '../../src/index.js'
import { answers } from '../helpers/answers.js'
import { build, password } from '../helpers/build.js'
import { Client, signedIn } from '../helpers/client.js'
import { times } from '../helpers/hostile.js'
import {
  allowCodesAgain,
  challengeOf,
  codeAt,
  enrolledUser,
  fromBase32,
  mfaOptions,
  verify,
  wrongCode,
} from '../helpers/mfa.js'
import { countingUsers } from '../helpers/users.js'

const auth = { mfa: mfaOptions, lockout: false } as const
/** The middle of a time step. */
const noon = Date.UTC(2026, 5, 1, 12, 0, 15)

/** RFC 6238, appendix B: SHA-1. Codes of six digits are the end of those of eight. */
const vectors = [
  [59, '94287082'],
  [1_111_111_109, '07081804'],
  [1_111_111_111, '14050471'],
  [1_234_567_890, '89005924'],
  [2_000_000_000, '69279037'],
  [20_000_000_000, '65353130'],
] as const

describe('TOTP codes (RFC 6238)', () => {
  for (const [seconds, code] of vectors) {
    test(`appendix B: ${code.slice(2)} at ${seconds} seconds`, () => {
      const secret = 'GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ'
      const step = Math.floor(seconds / 30)
      assert.equal(fromBase32(secret).toString(), '12345678901234567890')
      assert.equal(stepOf(secret, code.slice(2), seconds * 1000), step)
      assert.equal(codeAt(secret, seconds * 1000), code.slice(2))
      for (const away of [-1, 1])
        assert.equal(stepOf(secret, code.slice(2), (seconds + away * 30) * 1000), step)
      for (const away of [-2, 2].filter((steps) => seconds + steps * 30 > 0))
        assert.equal(stepOf(secret, code.slice(2), (seconds + away * 30) * 1000), null)
      assert.equal(stepOf(secret, code, seconds * 1000), null, 'eight digits')
    })
  }

  test('only six ASCII digits are a code', () => {
    for (const text of ['012345', '012 345', ' 012345\n']) assert.ok(isOneTimeCode(text), text)
    for (const text of [
      '',
      '12345',
      '1234567',
      '12345a',
      '-12345',
      '1e3456',
      '123-456',
      '１２３４５６',
      '١٢٣٤٥٦',
      '१२३४५६',
      '𝟏𝟐𝟑𝟒𝟓𝟔',
    ])
      assert.ok(!isOneTimeCode(text), text)
  })

  for (const away of [-3, -2, -1, 0, 1, 2, 3]) {
    test(`a code that is ${away} steps away is ${Math.abs(away) > 1 ? 'refused' : 'accepted'}`, async (t) => {
      t.mock.timers.enable({ apis: ['Date'], now: noon })
      const app = await build(t, { auth })
      const { secret } = await enrolledUser(app, 'ada')
      const client = new Client(app)
      const code = codeAt(secret, noon + away * 30_000)
      const response = await verify(client, await challengeOf(client, 'ada'), code)
      assert.equal(response.statusCode, Math.abs(away) > 1 ? 401 : 200)
    })
  }

  test('spaces are ignored, digits of other scripts are not codes', async (t) => {
    t.mock.timers.enable({ apis: ['Date'], now: noon })
    const app = await build(t, { auth: { ...auth, mfa: { ...mfaOptions, maxAttempts: 100 } } })
    const { secret } = await enrolledUser(app, 'ada')
    const code = codeAt(secret, noon)
    const spelled = (zero: number) =>
      [...code].map((digit) => String.fromCodePoint(zero + Number(digit))).join('')
    const client = new Client(app)
    const challenge = await challengeOf(client, 'ada')
    for (const other of [
      ...[0xff10, 0x0660, 0x0966, 0x1d7ce].map(spelled),
      code.replace(/^(...)/, '$1-'),
      `${code}0`,
      `0${code}`,
      code.slice(1),
      `${code}\u0000`,
      '',
    ])
      assert.equal((await verify(client, challenge, other)).statusCode, 401, other)
    for (const spaced of [
      `${code.slice(0, 3)} ${code.slice(3)}`,
      ` ${code}\t`,
      [...code].join(' '),
    ]) {
      const again = await challengeOf(client, 'ada')
      assert.equal((await verify(client, again, spaced)).statusCode, 200, spaced)
      await allowCodesAgain(app, 'ada')
    }
  })

  test('a secret is 20 random bytes in base32, without padding', () => {
    const secrets = times(50, newTotpSecret)
    assert.equal(new Set(secrets).size, 50)
    for (const secret of secrets) {
      assert.match(secret, /^[A-Z2-7]{32}$/)
      assert.equal(fromBase32(secret).length, 20)
    }
  })
})

describe('the otpauth URI', () => {
  test('it names the issuer and the account, percent-encoded', () => {
    assert.equal(
      otpauthUri('Example App', 'ada+x@example.com', 'ABC'),
      'otpauth://totp/Example%20App%3Aada%2Bx%40example.com?secret=ABC&issuer=Example%20App&algorithm=SHA1&digits=6&period=30',
    )
    assert.equal(
      otpauthUri('Ä & B/C?#', 'a b', 'ABC'),
      'otpauth://totp/%C3%84%20%26%20B%2FC%3F%23%3Aa%20b?secret=ABC&issuer=%C3%84%20%26%20B%2FC%3F%23&algorithm=SHA1&digits=6&period=30',
    )
  })

  test('the account is the email, else the username, else the id', async (t) => {
    const app = await build(t, { auth })
    const labelOf = async (values: Record<string, unknown>) => {
      const user = await app.crudAuth.users.create({ hashedPassword: null, ...values })
      const { otpauthUri: uri, secret } = await app.crudAuth.mfa.beginSetup(user)
      const { pathname, searchParams } = new URL(uri)
      assert.equal(searchParams.get('secret'), secret)
      return decodeURIComponent(pathname.replace('//totp/', '').replace(/^\//, ''))
    }
    assert.equal(await labelOf({ email: 'a@b.de', username: 'ann' }), 'Example App:a@b.de')
    assert.equal(await labelOf({ email: null, username: 'bob' }), 'Example App:bob')
    assert.equal(await labelOf({ email: null, username: null }), 'Example App:3')
  })

  test('the routes return it with the secret', async (t) => {
    const app = await build(t, { auth })
    const client = await signedIn(app, 'ada')
    const setup = answers(await client.post('/mfa/totp/setup', { password }), 200)
    assert.equal(
      setup.otpauth_uri,
      `otpauth://totp/Example%20App%3Aada%40example.com?secret=${setup.secret}&issuer=Example%20App&algorithm=SHA1&digits=6&period=30`,
    )
  })
})

describe('each time step counts once, whatever the code was for', () => {
  const purposes = ['sign-in', 'sudo', 'regenerate', 'verifyCode', 'disable'] as const

  /** Uses a code for a purpose. Returns whether it was accepted. */
  const userOf = (app: FastifyInstance, client: Client) => {
    const post = async (url: string, code: string) =>
      (await client.post(url, { code })).statusCode === 200
    return async (purpose: (typeof purposes)[number], code: string): Promise<boolean> => {
      if (purpose === 'sudo') return post('/sudo', code)
      if (purpose === 'regenerate') return post('/mfa/recovery-codes/regenerate', code)
      if (purpose === 'disable') return post('/mfa/totp/disable', code)
      if (purpose === 'verifyCode') {
        const row = await app.crudAuth.users.findById(1)
        return app.crudAuth.mfa.verifyCode(row as RegisteredUser, code)
      }
      const other = new Client(app)
      return (await verify(other, await challengeOf(other, 'ada'), code)).statusCode === 200
    }
  }

  const setUp = async (t: Parameters<typeof build>[0]) => {
    const app = await build(t, {
      auth: { ...auth, sudo: { maxAttempts: 100 } },
      routes(app) {
        app.post('/sudo', { onRequest: app.currentUser() }, async (request) => {
          await app.crudAuth.sudo.elevate(request, request.body as { code: string })
          return {}
        })
      },
    })
    const ada = await enrolledUser(app, 'ada')
    return { app, ...ada, use: userOf(app, ada.client) }
  }

  for (const first of purposes.slice(0, 4)) {
    test(`a code of ${first} is refused everywhere`, async (t) => {
      const { secret, use } = await setUp(t)
      const code = codeAt(secret)
      assert.equal(await use(first, code), true)
      for (const purpose of purposes) assert.equal(await use(purpose, code), false, purpose)
      assert.equal(await use('disable', codeAt(secret, Date.now() + 30_000)), true)
    })
  }

  test('of one code for all purposes in parallel, one is accepted', async (t) => {
    const { secret, use } = await setUp(t)
    const code = codeAt(secret)
    const all = times(20, () => purposes.slice(0, 4)).flat()
    const used = await Promise.all(all.map((purpose) => use(purpose, code)))
    assert.equal(used.filter(Boolean).length, 1)
  })

  test('a code of an earlier step than the last is refused', async (t) => {
    t.mock.timers.enable({ apis: ['Date'], now: noon })
    const { secret, use } = await setUp(t)
    assert.equal(await use('sign-in', codeAt(secret, noon + 30_000)), true)
    for (const ms of [-30_000, 0, 30_000])
      assert.equal(await use('sign-in', codeAt(secret, noon + ms)), false)
    t.mock.timers.tick(30_000)
    assert.equal(await use('sign-in', codeAt(secret, noon + 30_000)), false)
    assert.equal(await use('sign-in', codeAt(secret, noon + 60_000)), true)
  })
})

test('wrong, used and unknown codes do the same work (timing)', async (t) => {
  const { store, calls } = countingUsers()
  const app = await build(t, { auth: { ...auth, users: store } })
  const { secret, recoveryCodes } = await enrolledUser(app, 'ada')
  const code = codeAt(secret)
  for (const used of [code, recoveryCodes[0] ?? '']) {
    const client = new Client(app)
    answers(await verify(client, await challengeOf(client, 'ada'), used), 200)
  }
  const client = new Client(app)
  const challenge = await challengeOf(client, 'ada')
  const work: object[] = []
  for (const bad of [wrongCode(secret), code, recoveryCodes[0] ?? '', 'aaaa-bbbb-cccc-dddd']) {
    const before = { ...calls }
    const response = await verify(client, challenge, bad)
    work.push({
      body: response.body,
      reads: calls.findById - before.findById,
      writes: calls.compareAndSet + calls.update - before.compareAndSet - before.update,
    })
  }
  for (const other of work) assert.deepEqual(other, work[0])
})
