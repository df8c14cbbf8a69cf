import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { memoryUsers } from '../../src/index.js'
import { answers, refusesOwn } from '../helpers/answers.js'
import { backends } from '../helpers/backends.js'
import { password } from '../helpers/build.js'
import { Client } from '../helpers/client.js'
import { addressOf, mailApp, next, standing, tokensOf } from '../helpers/email.js'
import { tokenOf } from '../helpers/mailbox.js'

const invalid = 'CRUDAUTH_TOKEN_INVALID_OR_USED'

for (const backend of backends) {
  describe(`password reset, ${backend.name}`, () => {
    test('POST /password/reset-confirm: sets the password once and ends all sessions and tokens', async (t) => {
      const { app, anyone, join, ask, row } = await mailApp(t, backend)
      const client = await join('ann')
      const tokens = await tokensOf(app, 'ann')
      const other = await join('bob')
      const before = await row('ann')
      const token = await ask('reset', 'ann')
      const response = await anyone.post('/password/reset-confirm', { token, new_password: next })
      assert.deepEqual(Object.keys(answers(response, 200)), ['detail'])
      assert.equal(response.headers['set-cookie'], undefined, 'nobody is signed in by it')
      assert.deepEqual(await standing(app, client, tokens), [401, 401, 401])
      assert.equal((await other.get('/me')).statusCode, 200)
      assert.equal((await row('ann')).tokenVersion, Number(before.tokenVersion) + 1)
      refusesOwn(await new Client(app).login('ann', password), 'CRUDAUTH_BAD_CREDENTIALS')
      answers(await new Client(app).login('ann', next), 200)
      refusesOwn(
        await anyone.post('/password/reset-confirm', { token, new_password: `${next}!` }),
        invalid,
        [token],
      )
      answers(await new Client(app).login('ann', next), 200)
    })

    test('reset_password contains the link; password_changed follows without a token', async (t) => {
      const { anyone, mail, join, ask } = await mailApp(t, backend)
      await join('ann')
      const token = await ask('reset', 'ann')
      const message = await mail.next(addressOf('ann'), 'reset_password')
      assert.equal(message.context.link, `https://app.example.com/reset-password?token=${token}`)
      assert.equal(message.context.expiresInSeconds, 3600)
      answers(await anyone.post('/password/reset-confirm', { token, new_password: next }), 200)
      const notice = await mail.next(addressOf('ann'), 'password_changed')
      assert.equal(tokenOf(notice), '', 'it contains no token')
      assert.equal(notice.context.expiresInSeconds, 0)
      assert.ok(!`${notice.text}${notice.html}`.includes(next))
    })

    test('POST /change-password: sends password_changed without a token', async (t) => {
      const { mail, join } = await mailApp(t, backend)
      const client = await join('ann')
      answers(
        await client.post('/change-password', { current_password: password, new_password: next }),
        200,
      )
      assert.equal(tokenOf(await mail.next(addressOf('ann'), 'password_changed')), '')
    })

    test('POST /password/reset-confirm: sets a password for an account without one', async (t) => {
      const { app, anyone, users, ask } = await mailApp(t, backend)
      const hashedPassword = app.crudAuth.passwords.unusable()
      await users.create({
        email: addressOf('oauth'),
        username: 'oauth',
        hashedPassword,
        emailVerified: true,
      })
      await users.create({
        email: addressOf('none'),
        username: 'none',
        hashedPassword: null,
        emailVerified: true,
      })
      for (const name of ['oauth', 'none']) {
        const token = await ask('reset', name)
        answers(await anyone.post('/password/reset-confirm', { token, new_password: next }), 200)
        answers(await new Client(app).login(name, next), 200)
      }
    })

    test('POST /password/reset-confirm: a refused password does not use up the token', async (t) => {
      const { anyone, join, ask, users } = await mailApp(t, backend, {
        auth: {
          passwords: {
            cost: { memoryKiB: 64, iterations: 1 },
            check: (text) => (text.includes('forbidden') ? 'Not that one' : true),
          },
        },
      })
      await join('ann')
      const before = await users.findById(1)
      const token = await ask('reset', 'ann')
      for (const [new_password, code] of [
        ['short', 'CRUDAUTH_PASSWORD_TOO_SHORT'],
        ['password1', 'CRUDAUTH_PASSWORD_TOO_COMMON'],
        ['forbidden phrase', 'CRUDAUTH_PASSWORD_REJECTED'],
        ['ann@example.com', 'CRUDAUTH_PASSWORD_TOO_COMMON'],
      ] as const) {
        refusesOwn(await anyone.post('/password/reset-confirm', { token, new_password }), code, [
          token,
        ])
      }
      for (const body of [
        { token },
        { new_password: next },
        { token, new_password: 1 },
        { token, new_password: 'x'.repeat(5000) },
        { token, new_password: [next] },
      ]) {
        refusesOwn(await anyone.post('/password/reset-confirm', body), 'FST_ERR_VALIDATION', [
          token,
        ])
      }
      assert.deepEqual(await users.findById(1), before)
      answers(await anyone.post('/password/reset-confirm', { token, new_password: next }), 200)
    })

    test('POST /password/reset-confirm: an invalid token is reported before a bad password', async (t) => {
      const { anyone, join, ask } = await mailApp(t, backend)
      await join('ann')
      await ask('reset', 'ann')
      refusesOwn(
        await anyone.post('/password/reset-confirm', {
          token: 'A'.repeat(22),
          new_password: 'short',
        }),
        invalid,
      )
    })

    test('POST /password/reset-confirm: redeeming one of several tokens ends the others', async (t) => {
      const { app, anyone, join, ask } = await mailApp(t, backend)
      await join('ann')
      const tokens = [
        await ask('reset', 'ann'),
        await ask('reset', 'ann'),
        await ask('reset', 'ann'),
      ]
      assert.equal(new Set(tokens).size, 3)
      answers(
        await anyone.post('/password/reset-confirm', { token: tokens[1], new_password: next }),
        200,
      )
      for (const token of tokens) {
        refusesOwn(
          await anyone.post('/password/reset-confirm', { token, new_password: `${next}!` }),
          invalid,
        )
      }
      answers(await new Client(app).login('ann', next), 200)
    })

    test('POST /password/reset-confirm: an unverified account loses its provider ids and sessions', async (t) => {
      const { app, anyone, join, ask, row, set } = await mailApp(t, backend, {
        auth: { users: memoryUsers({ unique: ['googleId', 'githubId', 'appleId'] }) },
      })
      const squatter = await join('ann', { verified: false })
      const tokens = await tokensOf(app, 'ann')
      await set('ann', { googleId: 'of-the-squatter', githubId: 7, appleId: null })
      answers(
        await anyone.post('/password/reset-confirm', {
          token: await ask('reset', 'ann'),
          new_password: next,
        }),
        200,
      )
      const { emailVerified, googleId, githubId, appleId } = await row('ann')
      assert.deepEqual(
        { emailVerified, googleId, githubId, appleId },
        { emailVerified: true, googleId: null, githubId: null, appleId: null },
      )
      assert.deepEqual(await standing(app, squatter, tokens), [401, 401, 401])
    })

    test('POST /password/reset-confirm: a verified account keeps its provider ids', async (t) => {
      const { anyone, join, ask, row, set } = await mailApp(t, backend)
      await join('ann')
      await set('ann', { googleId: '108', githubId: 7 })
      answers(
        await anyone.post('/password/reset-confirm', {
          token: await ask('reset', 'ann'),
          new_password: next,
        }),
        200,
      )
      const { emailVerified, googleId, githubId } = await row('ann')
      assert.deepEqual(
        { emailVerified, googleId, githubId },
        { emailVerified: true, googleId: '108', githubId: 7 },
      )
    })

    test('POST /password/reset-confirm: a lost compare-and-set is retried if the password is unchanged', async (t) => {
      const { app, anyone, join, ask, users } = await mailApp(t, backend)
      await join('ann')
      const token = await ask('reset', 'ann')
      const { compareAndSet } = users
      users.compareAndSet = async () => {
        users.compareAndSet = compareAndSet
        return false
      }
      answers(await anyone.post('/password/reset-confirm', { token, new_password: next }), 200)
      assert.equal(users.compareAndSet, compareAndSet)
      answers(await new Client(app).login('ann', next), 200)
    })

    test('POST /password/reset-request: same response and no mail for unknown and disabled accounts', async (t) => {
      const { anyone, join, set, row, sendsNothing, ask, mail } = await mailApp(t, backend)
      await join('ann')
      await join('off')
      const token = await ask('reset', 'off')
      await set('off', { isActive: false })
      const before = await row('off')
      const known = (await anyone.post('/password/reset-request', { email: addressOf('ann') })).body
      await mail.next(addressOf('ann'), 'reset_password')
      await sendsNothing(async () => {
        for (const name of ['off', 'nobody']) {
          const response = await anyone.post('/password/reset-request', { email: addressOf(name) })
          answers(response, 202)
          assert.equal(response.body, known)
        }
        refusesOwn(
          await anyone.post('/password/reset-confirm', { token, new_password: next }),
          invalid,
        )
      })
      assert.deepEqual(await row('off'), before)
    })
  })
}
