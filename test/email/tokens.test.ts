import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { answers, refusesOwn } from '../helpers/answers.js'
import { backends } from '../helpers/backends.js'
import { password } from '../helpers/build.js'
import { Client } from '../helpers/client.js'
import { addressOf, type MailApp, mailApp, mortalUsers, next } from '../helpers/email.js'
import { Mailbox } from '../helpers/mailbox.js'

const invalid = 'CRUDAUTH_TOKEN_INVALID_OR_USED'

const confirmations = {
  verify: '/email/verify-confirm',
  reset: '/password/reset-confirm',
  change: '/email/change-confirm',
  revert: '/email/change-revert',
} as const
type Purpose = keyof typeof confirmations
const purposes = Object.keys(confirmations) as Purpose[]

const redeem = (anyone: Client, purpose: Purpose, token: string) =>
  anyone.post(confirmations[purpose], { token, ...(purpose === 'reset' && { new_password: next }) })

/** A valid token of each purpose, for an account that was never verified. */
async function oneOfEach({ join, move, ask, askChange, set }: MailApp, name = 'ann') {
  const client = await join(name, { verified: false })
  const revert = await move(client, addressOf(name), `${name}@moved.example`)
  await set(name, { email: addressOf(name), emailVerified: false })
  const tokens = {
    revert,
    verify: await ask('verify', name),
    reset: await ask('reset', name),
    change: await askChange(client, `${name}@new.example`),
  }
  return { client, tokens }
}

for (const backend of backends) {
  describe(`one-time tokens, ${backend.name}`, () => {
    test('a token works only for its purpose, and other routes do not use it up', async (t) => {
      const app = await mailApp(t, backend)
      const { tokens } = await oneOfEach(app)
      const before = await app.row('ann')
      for (const purpose of purposes) {
        for (const other of purposes) {
          if (purpose !== other)
            refusesOwn(await redeem(app.anyone, other, tokens[purpose]), invalid, [tokens[purpose]])
        }
      }
      assert.deepEqual(await app.row('ann'), before)
      // Each change may end other tokens: hence this order, and a fresh reset token.
      for (const purpose of ['verify', 'change', 'revert'] as const) {
        answers(await redeem(app.anyone, purpose, tokens[purpose]), 200)
      }
      answers(await redeem(app.anyone, 'reset', await app.ask('reset', 'ann')), 200)
    })

    test('unknown and malformed tokens get 400 on every confirmation route', async (t) => {
      const { anyone, join } = await mailApp(t, backend)
      await join('ann')
      for (const token of [
        'A'.repeat(22),
        'x',
        '__proto__',
        '*',
        '{}',
        '../1',
        'a:b',
        '\ud800',
        '𝒳'.repeat(60),
      ]) {
        for (const purpose of purposes) refusesOwn(await redeem(anyone, purpose, token), invalid)
      }
    })

    const ended: Record<
      string,
      (app: MailApp, client: Client, tokens: Record<Purpose, string>) => Promise<void>
    > = {
      'a password change': async (_, client) => {
        answers(
          await client.post('/change-password', { current_password: password, new_password: next }),
          200,
        )
      },
      'a password reset': async ({ anyone, ask }) => {
        answers(await redeem(anyone, 'reset', await ask('reset', 'ann')), 200)
      },
      'disabling the account': async ({ set }) => set('ann', { isActive: false }),
      'reverting an email change': async ({ anyone }, _, { revert }) =>
        void answers(await redeem(anyone, 'revert', revert), 200),
    }
    for (const [what, end] of Object.entries(ended)) {
      test(`${what} invalidates all outstanding tokens`, async (t) => {
        const app = await mailApp(t, backend)
        const { client, tokens } = await oneOfEach(app)
        await end(app, client, tokens)
        const before = await app.row('ann')
        for (const purpose of purposes)
          refusesOwn(await redeem(app.anyone, purpose, tokens[purpose]), invalid)
        assert.deepEqual(await app.row('ann'), before)
      })
    }

    test('the tokens of a disabled account are valid again once it is enabled', async (t) => {
      const app = await mailApp(t, backend)
      const { tokens } = await oneOfEach(app)
      await app.set('ann', { isActive: false })
      refusesOwn(await redeem(app.anyone, 'reset', tokens.reset), invalid)
      await app.set('ann', { isActive: true })
      answers(await redeem(app.anyone, 'reset', tokens.reset), 200)
    })

    test('a new address invalidates all tokens except the revert token', async (t) => {
      const app = await mailApp(t, backend)
      const { tokens } = await oneOfEach(app)
      await app.set('ann', { email: 'elsewhere@example.com' })
      for (const purpose of ['verify', 'reset', 'change'] as const) {
        refusesOwn(await redeem(app.anyone, purpose, tokens[purpose]), invalid)
      }
      answers(await redeem(app.anyone, 'revert', tokens.revert), 200)
    })

    test('an account created again with the same id and address inherits no tokens', async (t) => {
      const users = mortalUsers()
      const app = await mailApp(t, backend, { auth: { users: users.store } })
      const { tokens } = await oneOfEach(app)
      const { id, email, username } = await app.row('ann')
      const hashedPassword = await app.app.crudAuth.passwords.hash(password)
      await users.remake({ id, email, username, hashedPassword, emailVerified: false })
      const before = await app.row('ann')
      for (const purpose of purposes)
        refusesOwn(await redeem(app.anyone, purpose, tokens[purpose]), invalid)
      assert.deepEqual(await app.row('ann'), before)
    })

    test('verify, reset and change tokens expire', async (t) => {
      const mail = new Mailbox()
      const seconds = { verifySeconds: 1, resetSeconds: 1, changeSeconds: 1, revertSeconds: 1 }
      const made = await mailApp(t, backend, { auth: { email: mail.options(seconds) } })
      const app = { ...made, mail }
      const client = new Client(app.app)
      answers(await client.register('ann'), 202)
      answers(await client.login('ann'), 200)
      const tokens: Record<Purpose, string> = {
        verify: await mail.token(addressOf('ann'), 'verify_email'),
        reset: '',
        change: '',
        revert: '',
      }
      answers(await app.anyone.post('/password/reset-request', { email: addressOf('ann') }), 202)
      tokens.reset = await mail.token(addressOf('ann'), 'reset_password')
      answers(
        await client.post('/email/change-request', { new_email: 'ann@new.example', password }),
        202,
      )
      tokens.change = await mail.token('ann@new.example', 'change_email')
      await sleep(1100)
      const before = await app.row('ann')
      for (const purpose of ['verify', 'reset', 'change'] as const) {
        refusesOwn(await redeem(app.anyone, purpose, tokens[purpose]), invalid)
      }
      assert.deepEqual(await app.row('ann'), before)
      for (const message of mail.messages) assert.equal(message.context.expiresInSeconds, 1)
    })

    test('a revert token expires, and then the old address can be registered', async (t) => {
      const mail = new Mailbox()
      const app = await mailApp(t, backend, { auth: { email: mail.options({ revertSeconds: 1 }) } })
      const client = new Client(app.app)
      answers(await client.register('ann'), 202)
      answers(await client.login('ann'), 200)
      answers(
        await client.post('/email/change-request', { new_email: 'ann@new.example', password }),
        202,
      )
      answers(
        await redeem(app.anyone, 'change', await mail.token('ann@new.example', 'change_email')),
        200,
      )
      const token = await mail.token(addressOf('ann'), 'email_changed')
      await sleep(1100)
      refusesOwn(await redeem(app.anyone, 'revert', token), invalid)
      answers(
        await app.anyone.post('/register', {
          email: addressOf('ann'),
          username: 'second',
          password,
        }),
        202,
      )
      assert.notEqual(await app.row('second'), null)
    })
  })
}
