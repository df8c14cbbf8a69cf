import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { answers, refusesOwn } from '../helpers/answers.js'
import { backends } from '../helpers/backends.js'
import { password } from '../helpers/build.js'
import { Client } from '../helpers/client.js'
import { addressOf, mailApp, next, standing, tokensOf } from '../helpers/email.js'
import { settle } from '../helpers/mailbox.js'

const invalid = 'CRUDAUTH_TOKEN_INVALID_OR_USED'
const fresh = 'new@example.com'

for (const backend of backends) {
  describe(`change of email address, ${backend.name}`, () => {
    test('POST /email/change-confirm: changes and verifies the address once, and keeps sessions', async (t) => {
      const { app, anyone, join, askChange, row, mail } = await mailApp(t, backend)
      const client = await join('ann', { verified: false })
      const tokens = await tokensOf(app, 'ann')
      const token = await askChange(client, fresh)
      assert.equal((await row('ann')).email, addressOf('ann'), 'nothing has changed yet')
      const message = await mail.next(fresh, 'change_email')
      assert.equal(
        message.context.link,
        `https://app.example.com/confirm-email-change?token=${token}`,
      )
      assert.equal(message.context.expiresInSeconds, 3600)
      assert.deepEqual(answers(await anyone.post('/email/change-confirm', { token }), 200), {
        detail: 'Email changed',
      })
      const { email, emailVerified, tokenVersion } = await row('ann')
      assert.deepEqual(
        { email, emailVerified, tokenVersion },
        { email: fresh, emailVerified: true, tokenVersion: 0 },
      )
      refusesOwn(await anyone.post('/email/change-confirm', { token }), invalid, [token])
      assert.deepEqual(
        (await standing(app, client, tokens)).slice(0, 2),
        [200, 200],
        'nobody is signed out',
      )
      answers(await new Client(app).login(fresh), 200)
      refusesOwn(await new Client(app).login(addressOf('ann')), 'CRUDAUTH_BAD_CREDENTIALS')
    })

    test('POST /email/change-request: a bearer token needs no CSRF token', async (t) => {
      const { app, join, mail } = await mailApp(t, backend)
      await join('ann')
      const headers = { authorization: `Bearer ${(await tokensOf(app, 'ann')).access}` }
      answers(
        await new Client(app).post(
          '/email/change-request',
          { new_email: fresh, password },
          { headers },
        ),
        202,
      )
      await mail.next(fresh, 'change_email')
    })

    test('POST /email/change-request: requires authentication, the CSRF token and a valid body', async (t) => {
      const { anyone, app, join, sendsNothing } = await mailApp(t, backend)
      const client = await join('ann')
      const body = { new_email: fresh, password }
      await sendsNothing(async () => {
        refusesOwn(await anyone.post('/email/change-request', body), 'CRUDAUTH_UNAUTHENTICATED', [
          password,
        ])
        const bare = new Client(app)
        for (const [name, value] of client.cookies) bare.cookies.set(name, value)
        refusesOwn(await bare.post('/email/change-request', body), 'CRUDAUTH_CSRF', [password])
        for (const wrong of [
          {},
          { new_email: fresh },
          { password },
          { ...body, new_email: [fresh] },
          { ...body, password: 1 },
          { email: fresh, password },
        ]) {
          refusesOwn(await client.post('/email/change-request', wrong), 'FST_ERR_VALIDATION', [
            password,
          ])
        }
        refusesOwn(
          await client.post('/email/change-request', { ...body, new_email: 'no address' }),
          'CRUDAUTH_EMAIL_INVALID',
        )
      })
    })

    test('POST /email/change-request: no mail for a wrong password or the current address', async (t) => {
      const { join, set, app, sendsNothing } = await mailApp(t, backend)
      const client = await join('ann')
      const bare = await join('bare')
      const tokens = await tokensOf(app, 'bare')
      await sendsNothing(async () => {
        refusesOwn(
          await client.post('/email/change-request', {
            new_email: fresh,
            password: 'wrong password',
          }),
          'CRUDAUTH_WRONG_PASSWORD',
        )
        for (const new_email of [addressOf('ann'), 'ANN@Example.COM', ' ann@example.com']) {
          refusesOwn(
            await client.post('/email/change-request', { new_email, password }),
            'CRUDAUTH_SAME_EMAIL',
          )
        }
        await set('bare', { hashedPassword: null })
        // Removing the password changes the credential epoch, so the old tokens have ended.
        const headers = { authorization: `Bearer ${tokens.access}` }
        refusesOwn(
          await new Client(app).post(
            '/email/change-request',
            { new_email: fresh, password },
            { headers },
          ),
          'CRUDAUTH_UNAUTHENTICATED',
        )
        assert.equal((await bare.get('/me')).statusCode, 401)
      })
    })

    test('POST /email/change-request: an account without a password gets CRUDAUTH_NO_PASSWORD', async (t) => {
      const { app, users, sendsNothing } = await mailApp(t, backend, {
        routes(app) {
          app.post('/by-hand', async (request, reply) => {
            const user = await app.crudAuth.users.findBy('username', 'oauth')
            const session = await app.crudAuth.sessions.create(request, user as never)
            app.crudAuth.sessions.setCookies(request, reply, session)
            return { csrf_token: session.csrfToken }
          })
        },
      })
      await users.create({
        email: addressOf('oauth'),
        username: 'oauth',
        hashedPassword: app.crudAuth.passwords.unusable(),
      })
      const client = new Client(app)
      client.csrf = (await client.post('/by-hand')).json().csrf_token
      await sendsNothing(async () => {
        refusesOwn(
          await client.post('/email/change-request', { new_email: fresh, password }),
          'CRUDAUTH_NO_PASSWORD',
        )
      })
    })

    test('POST /email/change-request: a taken address gets the same response and no mail', async (t) => {
      const { join, sendsNothing, mail } = await mailApp(t, backend)
      const client = await join('ann')
      await join('bob')
      const free = await client.post('/email/change-request', { new_email: fresh, password })
      answers(free, 202)
      await mail.next(fresh, 'change_email')
      await sendsNothing(async () => {
        const taken = await client.post('/email/change-request', {
          new_email: addressOf('bob'),
          password,
        })
        answers(taken, 202)
        assert.equal(taken.body, free.body)
      })
    })

    test('POST /email/change-request: a newer request ends the older one', async (t) => {
      const { anyone, join, askChange, row } = await mailApp(t, backend)
      const client = await join('ann')
      const older = await askChange(client, fresh)
      const newer = await askChange(client, 'newer@example.com')
      refusesOwn(await anyone.post('/email/change-confirm', { token: older }), invalid)
      answers(await anyone.post('/email/change-confirm', { token: newer }), 200)
      assert.equal((await row('ann')).email, 'newer@example.com')
    })

    test('POST /email/change-request: a request for a taken address ends the older one too', async (t) => {
      const { anyone, join, askChange } = await mailApp(t, backend)
      const client = await join('ann')
      await join('bob')
      const older = await askChange(client, fresh)
      answers(
        await client.post('/email/change-request', { new_email: addressOf('bob'), password }),
        202,
      )
      await settle()
      refusesOwn(await anyone.post('/email/change-confirm', { token: older }), invalid)
    })

    test('POST /email/change-confirm: an address taken meanwhile is 409 and changes nothing', async (t) => {
      const { anyone, join, askChange, row, users } = await mailApp(t, backend)
      const client = await join('ann', { verified: false })
      const token = await askChange(client, fresh)
      await users.create({ email: fresh, username: 'quick', hashedPassword: null })
      refusesOwn(await anyone.post('/email/change-confirm', { token }), 'CRUDAUTH_DUPLICATE', [
        token,
        fresh,
      ])
      const { email, emailVerified } = await row('ann')
      assert.deepEqual({ email, emailVerified }, { email: addressOf('ann'), emailVerified: false })
      assert.ok(
        await users.update((await row('quick')).id as number, { email: 'elsewhere@example.com' }),
      )
      answers(await anyone.post('/email/change-confirm', { token }), 200)
    })

    test('POST /email/change-confirm: a password change ends the token', async (t) => {
      const { anyone, join, askChange } = await mailApp(t, backend)
      const client = await join('ann')
      const token = await askChange(client, fresh)
      answers(
        await client.post('/change-password', { current_password: password, new_password: next }),
        200,
      )
      refusesOwn(await anyone.post('/email/change-confirm', { token }), invalid)
    })
  })
}
