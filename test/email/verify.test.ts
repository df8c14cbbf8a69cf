import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { answers, refusesOwn } from '../helpers/answers.js'
import { backends } from '../helpers/backends.js'
import { password } from '../helpers/build.js'
import { addressOf, mailApp } from '../helpers/email.js'
import { tokenOf } from '../helpers/mailbox.js'

const invalid = 'CRUDAUTH_TOKEN_INVALID_OR_USED'

for (const backend of backends) {
  describe(`email verification, ${backend.name}`, () => {
    test('POST /email/verify-confirm: a token verifies the address once', async (t) => {
      const { anyone, join, ask, row } = await mailApp(t, backend)
      await join('ann', { verified: false })
      assert.equal((await row('ann')).emailVerified, false)
      const token = await ask('verify', 'ann')
      assert.match(token, /^[\w-]{22}$/)
      assert.deepEqual(answers(await anyone.post('/email/verify-confirm', { token }), 200), {
        detail: 'Verified',
      })
      assert.equal((await row('ann')).emailVerified, true)
      refusesOwn(await anyone.post('/email/verify-confirm', { token }), invalid, [token])
    })

    test('verify_email contains the link to the front end, its lifetime and the recipient', async (t) => {
      const { mail, join } = await mailApp(t, backend)
      await join('ann', { verified: false })
      const message = await mail.next(addressOf('ann'), 'verify_email')
      const token = tokenOf(message)
      assert.equal(message.context.link, `https://app.example.com/verify-email?token=${token}`)
      assert.equal(message.context.expiresInSeconds, 86_400)
      assert.equal(message.context.recipient, addressOf('ann'))
      assert.ok(message.text.includes(message.context.link))
    })

    test('POST /email/verify-request: any spelling of the address finds the account', async (t) => {
      const { anyone, mail, join } = await mailApp(t, backend)
      await join('ann', { verified: false })
      answers(await anyone.post('/email/verify-request', { email: ' ANN\uff20Example.com ' }), 202)
      assert.equal((await mail.next('ann@example.com', 'verify_email', 2)).to, 'ann@example.com')
    })

    test('POST /email/verify-confirm: any outstanding token works, and redeeming it ends the others', async (t) => {
      const { anyone, join, ask, mail } = await mailApp(t, backend)
      await join('ann', { verified: false })
      const first = await mail.token(addressOf('ann'), 'verify_email')
      const [second, third] = [await ask('verify', 'ann'), await ask('verify', 'ann')]
      assert.equal(new Set([first, second, third]).size, 3)
      answers(await anyone.post('/email/verify-confirm', { token: second }), 200)
      for (const token of [first, second, third])
        refusesOwn(await anyone.post('/email/verify-confirm', { token }), invalid)

      await join('bob', { verified: false })
      const [oldest] = [
        await mail.token(addressOf('bob'), 'verify_email'),
        await ask('verify', 'bob'),
      ]
      answers(await anyone.post('/email/verify-confirm', { token: oldest }), 200)
    })

    test('POST /email/verify-request: no mail for verified, unknown or disabled accounts', async (t) => {
      const { anyone, join, set, row, sendsNothing } = await mailApp(t, backend)
      await join('ann')
      await join('off', { verified: false })
      await set('off', { isActive: false })
      const before = await row('off')
      const bodies = new Set<string>()
      await sendsNothing(async () => {
        for (const name of ['ann', 'off', 'nobody']) {
          const response = await anyone.post('/email/verify-request', { email: addressOf(name) })
          answers(response, 202)
          bodies.add(response.body)
        }
      })
      assert.equal(bodies.size, 1)
      assert.deepEqual(await row('off'), before)
    })

    test('POST /email/verify-request: an invalid body is 400 and sends nothing', async (t) => {
      const { anyone, join, sendsNothing } = await mailApp(t, backend)
      await join('ann', { verified: false })
      await sendsNothing(async () => {
        for (const body of [
          {},
          { email: 1 },
          { email: ['ann@example.com'] },
          { email: null },
          { email: '' },
          { phone: '+4915112345678' },
        ]) {
          refusesOwn(await anyone.post('/email/verify-request', body), 'FST_ERR_VALIDATION')
        }
        for (const email of [
          'ann',
          'ann@',
          'ann@example',
          'a@b@example.com',
          '"ann"@example.com',
          'ann@example.com\nBcc: x@example.com',
        ]) {
          const response = await anyone.post('/email/verify-request', { email })
          assert.equal(response.statusCode, 400, email)
          assert.ok(['FST_ERR_VALIDATION', 'CRUDAUTH_EMAIL_INVALID'].includes(response.json().code))
        }
      })
    })

    test('POST /email/verify-confirm: other properties of the body are ignored (mass assignment)', async (t) => {
      const { anyone, join, row, ask } = await mailApp(t, backend)
      await join('ann', { verified: false })
      await join('bob', { verified: false })
      const token = await ask('verify', 'ann')
      const extra = {
        user_id: 2,
        userId: 2,
        sub: '2',
        id: 2,
        email: addressOf('bob'),
        emailVerified: true,
        isSuperuser: true,
      }
      answers(await anyone.post('/email/verify-confirm', { token, ...extra }), 200)
      assert.equal((await row('ann')).emailVerified, true)
      assert.equal((await row('ann')).isSuperuser, false)
      assert.equal((await row('bob')).emailVerified, false)
    })

    test('POST /email/verify-confirm: an invalid body or an altered token does not use up the token', async (t) => {
      const { anyone, join, ask } = await mailApp(t, backend)
      await join('ann', { verified: false })
      const token = await ask('verify', 'ann')
      for (const body of [
        {},
        { token: [token] },
        { token: { token } },
        { token: '' },
        { token: 1 },
        { token: token.padEnd(129, 'x') },
      ]) {
        refusesOwn(await anyone.post('/email/verify-confirm', body), 'FST_ERR_VALIDATION', [token])
      }
      const variants = [
        `${token} `,
        ` ${token}`,
        `${token}=`,
        token.toUpperCase(),
        `${token}\0`,
        encodeURIComponent(`${token}.`),
      ]
      for (const other of variants.filter((text) => text !== token)) {
        refusesOwn(await anyone.post('/email/verify-confirm', { token: other }), invalid, [token])
      }
      answers(await anyone.post('/email/verify-confirm', { token }), 200)
    })

    test('POST /email/verify-confirm: neither starts nor ends a session', async (t) => {
      const { anyone, join, ask } = await mailApp(t, backend)
      const client = await join('ann', { verified: false })
      const response = await anyone.post('/email/verify-confirm', {
        token: await ask('verify', 'ann'),
      })
      assert.equal(response.headers['set-cookie'], undefined)
      assert.equal((await client.get('/me')).statusCode, 200)
      answers(await client.login('ann', password), 200)
    })
  })
}
