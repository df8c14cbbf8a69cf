import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { answers, refusesOwn } from '../helpers/answers.js'
import { backends } from '../helpers/backends.js'
import { limitsOff, password } from '../helpers/build.js'
import { Client } from '../helpers/client.js'
import { addressOf, mailApp, next, standing, tokensOf } from '../helpers/email.js'

const invalid = 'CRUDAUTH_TOKEN_INVALID_OR_USED'
const old = addressOf('ann')
const thieves = 'thief@example.com'

for (const backend of backends) {
  describe(`POST /email/change-revert, ${backend.name}`, () => {
    test('a link valid for 72 hours restores the old address once and ends all sessions and tokens', async (t) => {
      const { app, anyone, join, move, row, mail } = await mailApp(t, backend)
      const client = await join('ann')
      const token = await move(client, old, thieves)
      const tokens = await tokensOf(app, 'ann')
      const message = await mail.next(old, 'email_changed')
      assert.equal(message.context.link, `https://app.example.com/revert-email?token=${token}`)
      assert.equal(message.context.expiresInSeconds, 259_200)
      const before = await row('ann')
      assert.deepEqual(
        Object.keys(answers(await anyone.post('/email/change-revert', { token }), 200)),
        ['detail'],
      )
      const { email, emailVerified, tokenVersion } = await row('ann')
      assert.deepEqual({ email, emailVerified }, { email: old, emailVerified: true })
      assert.equal(tokenVersion, Number(before.tokenVersion) + 1)
      assert.deepEqual(await standing(app, client, tokens), [401, 401, 401])
      refusesOwn(await anyone.post('/email/change-revert', { token }), invalid, [token])
      answers(await new Client(app).login(old), 200)
    })

    test('a password reset is sent to the restored address', async (t) => {
      const { app, anyone, join, move, mail } = await mailApp(t, backend)
      const client = await join('ann')
      answers(
        await anyone.post('/email/change-revert', { token: await move(client, old, thieves) }),
        200,
      )
      const reset = await mail.token(old, 'reset_password')
      answers(
        await anyone.post('/password/reset-confirm', { token: reset, new_password: next }),
        200,
      )
      answers(await new Client(app).login('ann', next), 200)
    })

    test('an unverified old address is not reserved', async (t) => {
      const { anyone, join, move, row } = await mailApp(t, backend)
      const client = await join('ann', { verified: false })
      await move(client, old, 'squatter@example.com')
      answers(await anyone.post('/register', { email: old, username: 'owner', password }), 202)
      assert.notEqual(await row('owner'), null)
    })

    test('an unverified old address is restored as unverified', async (t) => {
      const { anyone, join, move, row } = await mailApp(t, backend)
      const client = await join('ann', { verified: false })
      const token = await move(client, old, thieves)
      assert.equal((await row('ann')).emailVerified, true)
      answers(await anyone.post('/email/change-revert', { token }), 200)
      assert.equal((await row('ann')).emailVerified, false)
    })

    test('works after a further change of address and ends pending tokens', async (t) => {
      const { anyone, join, move, row, ask, askChange, mail } = await mailApp(t, backend)
      const client = await join('ann')
      const token = await move(client, old, thieves)
      await move(client, thieves, 'second@example.com')
      const pending = await askChange(client, 'third@example.com')
      answers(await anyone.post('/password/reset-request', { email: 'second@example.com' }), 202)
      const reset = await mail.token('second@example.com', 'reset_password')
      answers(await anyone.post('/email/change-revert', { token }), 200)
      assert.equal((await row('ann')).email, old)
      refusesOwn(await anyone.post('/email/change-confirm', { token: pending }), invalid)
      refusesOwn(
        await anyone.post('/password/reset-confirm', { token: reset, new_password: next }),
        invalid,
      )
      answers(
        await anyone.post('/password/reset-confirm', {
          token: await ask('reset', 'ann'),
          new_password: next,
        }),
        200,
      )
    })

    test('a password change replaces the link with a new one', async (t) => {
      const { anyone, join, move, row, mail } = await mailApp(t, backend)
      const client = await join('ann')
      const first = await move(client, old, thieves)
      answers(
        await client.post('/change-password', { current_password: password, new_password: next }),
        200,
      )
      const second = await mail.token(old, 'email_changed', 2)
      assert.notEqual(second, first)
      refusesOwn(await anyone.post('/email/change-revert', { token: first }), invalid)
      const { context } = await mail.next(old, 'email_changed')
      assert.ok(context.expiresInSeconds <= 259_200 && context.expiresInSeconds > 259_000)
      answers(await anyone.post('/email/change-revert', { token: second }), 200)
      assert.equal((await row('ann')).email, old)
      assert.equal((await row('ann')).emailVerified, true)
    })

    test('a password reset at the new address sends a new link', async (t) => {
      const { anyone, join, move, row, mail } = await mailApp(t, backend)
      const client = await join('ann')
      await move(client, old, thieves)
      answers(await anyone.post('/password/reset-request', { email: thieves }), 202)
      const reset = await mail.token(thieves, 'reset_password')
      answers(
        await anyone.post('/password/reset-confirm', { token: reset, new_password: next }),
        200,
      )
      answers(
        await anyone.post('/email/change-revert', {
          token: await mail.token(old, 'email_changed', 2),
        }),
        200,
      )
      assert.equal((await row('ann')).email, old)
    })

    test('a revert to a later address does not end the link to the earliest one', async (t) => {
      const { anyone, join, move, row, mail } = await mailApp(t, backend)
      const client = await join('ann')
      await move(client, old, thieves)
      const ofThief = await move(client, thieves, 'second@example.com')
      answers(await anyone.post('/email/change-revert', { token: ofThief }), 200)
      assert.equal((await row('ann')).email, thieves)
      const newest = await mail.token(old, 'email_changed', 2)
      answers(await anyone.post('/email/change-revert', { token: newest }), 200)
      assert.equal((await row('ann')).email, old)
      refusesOwn(await anyone.post('/email/change-revert', { token: ofThief }), invalid)
    })

    for (const target of [old, 'ann@home.example']) {
      test(`a password change sends every previous address a new link, which works for ${target}`, async (t) => {
        const { anyone, join, move, row, mail } = await mailApp(t, backend)
        const client = await join('ann')
        // The owner's own change, then the thief's.
        await move(client, old, 'ann@home.example')
        await move(client, 'ann@home.example', thieves)
        answers(
          await client.post('/change-password', { current_password: password, new_password: next }),
          200,
        )
        await mail.next(old, 'email_changed', 2)
        await mail.next('ann@home.example', 'email_changed', 2)
        const token = await mail.token(target, 'email_changed', 2)
        answers(await anyone.post('/email/change-revert', { token }), 200)
        assert.equal((await row('ann')).email, target)
      })
    }

    test('nobody else can register the reserved address or change to it', async (t) => {
      const { anyone, join, move, row, sendsNothing, users, mail } = await mailApp(t, backend)
      const client = await join('ann')
      const bob = await join('bob')
      const token = await move(client, old, thieves)
      const fresh = await anyone.post('/register', {
        email: addressOf('new'),
        username: 'new',
        password,
      })
      await mail.next(addressOf('new'), 'verify_email')
      const held = await anyone.post('/register', { email: old, username: 'eve', password })
      assert.equal(answers(held, 202).detail, answers(fresh, 202).detail)
      await mail.next(old, 'existing_account')
      assert.equal(await row('eve'), null)
      await sendsNothing(async () => {
        answers(await bob.post('/email/change-request', { new_email: old, password }), 202)
      })
      assert.equal(await users.findBy('email', old), null)
      answers(await anyone.post('/email/change-revert', { token }), 200)
      assert.equal((await row('ann')).email, old)
    })

    test('a pending change to an address that has become reserved is 409', async (t) => {
      const { anyone, join, move, askChange, row } = await mailApp(t, backend)
      const ann = await join('ann')
      const bob = await join('bob')
      const token = await askChange(bob, 'wanted@example.com')
      await move(ann, old, 'wanted@example.com')
      await move(ann, 'wanted@example.com', 'further@example.com')
      refusesOwn(await anyone.post('/email/change-confirm', { token }), 'CRUDAUTH_DUPLICATE')
      assert.equal((await row('bob')).email, addressOf('bob'))
    })

    test('the account itself can change to its reserved address', async (t) => {
      const { anyone, join, move, askChange, row } = await mailApp(t, backend)
      const client = await join('ann')
      await move(client, old, thieves)
      answers(
        await anyone.post('/email/change-confirm', { token: await askChange(client, old) }),
        200,
      )
      assert.equal((await row('ann')).email, old)
    })

    test('an old address that another account has verified is 400 and changes nothing', async (t) => {
      const { anyone, join, move, users, row } = await mailApp(t, backend)
      const client = await join('ann')
      const token = await move(client, old, thieves)
      await users.create({ email: old, username: 'eve', hashedPassword: null, emailVerified: true })
      refusesOwn(await anyone.post('/email/change-revert', { token }), 'CRUDAUTH_BAD_REQUEST', [
        token,
      ])
      assert.equal((await row('ann')).email, thieves)
      assert.equal((await client.get('/me')).statusCode, 200)
    })

    test('an old address that another account never verified is taken from that account', async (t) => {
      const { anyone, join, move, users, row } = await mailApp(t, backend)
      const client = await join('ann')
      const token = await move(client, old, thieves)
      await users.create({
        email: old,
        username: 'eve',
        hashedPassword: null,
        emailVerified: false,
      })
      answers(await anyone.post('/email/change-revert', { token }), 200)
      assert.equal((await row('ann')).email, old)
      assert.match(String((await row('eve')).email), /^gone-[\w-]+@account\.invalid$/)
    })

    test('the new address is free for others after the revert', async (t) => {
      const { anyone, join, move, row } = await mailApp(t, backend)
      const client = await join('ann')
      const token = await move(client, old, thieves)
      answers(await anyone.post('/email/change-revert', { token }), 200)
      answers(await anyone.post('/register', { email: thieves, username: 'eve', password }), 202)
      assert.notEqual(await row('eve'), null)
    })
  })
}

test('change of address: a verified former address is notified whatever the recipient limit', async (t) => {
  const { join, move } = await mailApp(t, backends[0] as (typeof backends)[number], {
    auth: { rateLimits: { ...limitsOff, recipient: { max: 1, windowSeconds: 3600 } } },
  })
  const client = await join('ann')
  await move(client, old, 'b@example.com')
  await move(client, 'b@example.com', old)
  await move(client, old, 'c@example.com')
})
