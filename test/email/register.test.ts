import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { answers, refusesOwn } from '../helpers/answers.js'
import { backends } from '../helpers/backends.js'
import { build, password } from '../helpers/build.js'
import { Client } from '../helpers/client.js'
import { addressOf, mailApp } from '../helpers/email.js'
import { tokenOf } from '../helpers/mailbox.js'

const comparable = (headers: Record<string, unknown>) => {
  const { date, ...rest } = headers
  return rest
}

for (const backend of backends) {
  describe(`POST /register with delivery, ${backend.name}`, () => {
    test('new and known addresses get the same response; only the message to the owner differs', async (t) => {
      const { anyone, mail, row, users, app } = await mailApp(t, backend)
      const fresh = await anyone.post('/register', {
        email: addressOf('ann'),
        username: 'ann',
        password,
      })
      assert.deepEqual(Object.keys(answers(fresh, 202)), ['detail'])
      const link = await mail.next(addressOf('ann'), 'verify_email')
      assert.notEqual(tokenOf(link), '')
      const before = await row('ann')
      const known = await anyone.post('/register', {
        email: ' Ann@EXAMPLE.com',
        username: 'eve',
        password: 'eves own phrase',
      })
      answers(known, 202)
      assert.equal(known.body, fresh.body)
      assert.deepEqual(comparable(known.headers), comparable(fresh.headers))
      const notice = await mail.next(addressOf('ann'), 'existing_account')
      assert.equal(tokenOf(notice), '')
      assert.ok(
        !`${notice.text}${notice.html}${notice.subject}`.includes('eve'),
        'input of a stranger is not mailed',
      )
      assert.equal(await row('eve'), null)
      assert.deepEqual(await row('ann'), before)
      assert.equal(await users.findById(2), null)
      refusesOwn(await new Client(app).login('eve', 'eves own phrase'), 'CRUDAUTH_BAD_CREDENTIALS')
      refusesOwn(
        await new Client(app).login(addressOf('ann'), 'eves own phrase'),
        'CRUDAUTH_BAD_CREDENTIALS',
      )
    })

    test('a taken username is 409 with the same body for new and known addresses', async (t) => {
      const { anyone, join, row, sendsNothing } = await mailApp(t, backend)
      await join('ann')
      await join('bob')
      await sendsNothing(async () => {
        const bodies = new Set<string>()
        for (const email of ['new@example.com', addressOf('bob'), addressOf('ann')]) {
          const response = await anyone.post('/register', { email, username: 'ann', password })
          refusesOwn(response, 'CRUDAUTH_DUPLICATE', [email])
          bodies.add(response.body)
        }
        assert.equal(bodies.size, 1)
      })
      assert.equal((await row('ann')).email, addressOf('ann'))
    })

    test('the owner of a disabled account gets no notice', async (t) => {
      const { anyone, join, set, row, sendsNothing } = await mailApp(t, backend)
      await join('off')
      await set('off', { isActive: false })
      const before = await row('off')
      await sendsNothing(async () => {
        answers(
          await anyone.post('/register', { email: addressOf('off'), username: 'eve', password }),
          202,
        )
      })
      assert.deepEqual(await row('off'), before)
    })

    test('validation errors and hook refusals are the same for new and known addresses', async (t) => {
      const { anyone, join, sendsNothing } = await mailApp(t, backend, {
        auth: {
          hooks: {
            onBeforeRegister({ username }) {
              if (username === 'refused') throw new Error('not that one')
            },
          },
        },
      })
      await join('ann')
      await sendsNothing(async () => {
        for (const [more, status] of [
          [{ username: 'eve', password: 'short' }, 400],
          [{ username: 'refused', password }, 403],
          [{ username: 'e\0e', password }, 400],
          [{ username: 'eve' }, 400],
        ] as const) {
          const known = await anyone.post('/register', { email: addressOf('ann'), ...more })
          const fresh = await anyone.post('/register', { email: addressOf('new'), ...more })
          assert.equal(known.statusCode, status, known.body)
          assert.equal(known.body, fresh.body)
        }
      })
    })

    test('onAfterRegister runs only for new accounts', async (t) => {
      const told: string[] = []
      const { anyone, join } = await mailApp(t, backend, {
        auth: {
          hooks: {
            onAfterRegister: (user) =>
              void told.push(String((user as { username?: string }).username)),
          },
        },
      })
      await join('ann')
      answers(
        await anyone.post('/register', { email: addressOf('ann'), username: 'eve', password }),
        202,
      )
      assert.deepEqual(told, ['ann'])
    })

    test('an unverified account can sign in, but not pass currentUser({ verified: true })', async (t) => {
      const { app, join, row } = await mailApp(t, backend, {
        routes(app) {
          app.get('/verified', { onRequest: app.currentUser({ verified: true }) }, async () => ({}))
        },
      })
      const client = await join('ann', { verified: false })
      assert.equal((await client.get('/me')).statusCode, 200)
      assert.equal((await client.get('/verified')).statusCode, 403)
      assert.equal((await row('ann')).emailVerified, false)
      const bob = await join('bob')
      assert.equal((await bob.get('/verified')).statusCode, 200)
      assert.ok(app)
    })

    test('without delivery a new account is 201 and a known address 409', async (t) => {
      const app = await build(t, { auth: backend.options() })
      const body = answers(await new Client(app).register('ann'), 201)
      assert.deepEqual(
        { email: body.email, username: body.username },
        { email: addressOf('ann'), username: 'ann' },
      )
      refusesOwn(
        await new Client(app).post('/register', {
          email: addressOf('ann'),
          username: 'eve',
          password,
        }),
        'CRUDAUTH_DUPLICATE',
      )
    })
  })
}
