import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { answers, refusesOwn } from '../helpers/answers.js'
import { backends } from '../helpers/backends.js'
import { password } from '../helpers/build.js'
import { Client } from '../helpers/client.js'
import { addressOf, mailApp, next } from '../helpers/email.js'
import { noUnhandledRejections } from '../helpers/hostile.js'
import { settle } from '../helpers/mailbox.js'
import { breakableUsers } from '../helpers/users.js'

const driverText = 'relation "users" does not exist: SELECT hashed_password FROM /var/lib/db'
const failures: Record<string, () => unknown> = {
  rejects: () =>
    Promise.reject(Object.assign(new Error(driverText), { code: '42P01', statusCode: 418 })),
  'throws synchronously': () => {
    throw new Error(driverText)
  },
  hangs: () => new Promise(() => {}),
  'rejects after the timeout': () =>
    new Promise((_, reject) => setTimeout(() => reject(new Error(driverText)), 120)),
  'returns a number': () => 7,
}

for (const backend of backends) {
  for (const [what, fault] of Object.entries(failures)) {
    for (const verb of ['findById', 'compareAndSet'] as const) {
      test(`${backend.name}: confirmation routes: 503, and the token stays valid, if ${verb} ${what}`, async (t) => {
        noUnhandledRejections(t)
        const users = breakableUsers()
        const { app, anyone, mail, join, askChange, move, ask } = await mailApp(t, backend, {
          auth: { users: users.store, timeouts: { usersMs: 60 } },
        })
        const ann = await join('ann', { verified: false })
        const bob = await join('bob')
        const confirmations = [
          ['/email/verify-confirm', { token: await mail.token(addressOf('ann'), 'verify_email') }],
          ['/email/change-confirm', { token: await askChange(ann, 'new@example.com') }],
          [
            '/email/change-revert',
            { token: await move(bob, addressOf('bob'), 'moved@example.com') },
          ],
        ] as [string, { token: string; new_password?: string }][]
        await join('carl')
        confirmations.push([
          '/password/reset-confirm',
          { token: await ask('reset', 'carl'), new_password: next },
        ])
        const rows = await Promise.all([1, 2, 3].map((id) => users.inner.findById(id)))
        users.broken[verb] = fault
        for (const [url, body] of confirmations) {
          const response = await anyone.post(url, body)
          refusesOwn(response, 'CRUDAUTH_UNAVAILABLE', [
            body.token,
            driverText,
            'relation',
            'SELECT',
            '42P01',
          ])
        }
        // Late results are ignored.
        await delay(130)
        delete users.broken[verb]
        assert.deepEqual(await Promise.all([1, 2, 3].map((id) => users.inner.findById(id))), rows)
        for (const [url, body] of confirmations) answers(await anyone.post(url, body), 200)
        answers(await new Client(app).login('carl', next), 200)
      })
    }

    test(`${backend.name}: POST /password/reset-request: same response, and a message later, if findBy ${what}`, async (t) => {
      noUnhandledRejections(t)
      const users = breakableUsers()
      const { app, anyone, mail, join, sendsNothing } = await mailApp(t, backend, {
        auth: {
          users: users.store,
          timeouts: { usersMs: 60 },
          delivery: { firstRetrySeconds: 0.1, attempts: 10 },
        },
      })
      await join('ann', { verified: false })
      const well = await anyone.post('/password/reset-request', { email: addressOf('ann') })
      await mail.next(addressOf('ann'), 'reset_password')
      users.broken.findBy = fault
      await sendsNothing(async () => {
        for (const name of ['ann', 'nobody']) {
          const response = await anyone.post('/password/reset-request', { email: addressOf(name) })
          assert.equal(response.statusCode, 202)
          assert.equal(response.body, well.body)
        }
      })
      delete users.broken.findBy
      const token = await mail.token(addressOf('ann'), 'reset_password', 2)
      await settle()
      assert.equal(mail.to(addressOf('ann'), 'reset_password').length, 2, 'sent once')
      answers(await anyone.post('/password/reset-confirm', { token, new_password: next }), 200)
      answers(await new Client(app).login('ann', next), 200)
    })
  }

  test(`${backend.name}: POST /email/change-confirm: a write that times out but succeeds notifies the old address`, async (t) => {
    noUnhandledRejections(t)
    const users = breakableUsers()
    const { anyone, mail, join, askChange, row } = await mailApp(t, backend, {
      auth: { users: users.store, timeouts: { usersMs: 60 } },
    })
    const client = await join('ann')
    const token = await askChange(client, 'new@example.com')
    const late = users.inner.compareAndSet
    users.store.compareAndSet = async (...args) => {
      const done = await late(...args)
      await delay(120)
      return done
    }
    refusesOwn(await anyone.post('/email/change-confirm', { token }), 'CRUDAUTH_UNAVAILABLE', [
      token,
    ])
    users.store.compareAndSet = late
    assert.equal((await row('ann')).email, 'new@example.com')
    const revert = await mail.token(addressOf('ann'), 'email_changed')
    answers(await anyone.post('/email/change-revert', { token: revert }), 200)
    assert.equal((await row('ann')).email, addressOf('ann'))
  })

  test(`${backend.name}: POST /register: a failed write is 503 for new and known addresses and sends nothing`, async (t) => {
    noUnhandledRejections(t)
    const users = breakableUsers()
    const { anyone, join, sendsNothing } = await mailApp(t, backend, {
      auth: { users: users.store, timeouts: { usersMs: 60 } },
    })
    await join('ann')
    await sendsNothing(async () => {
      // Both write: a new address creates a row, a known one updates its row without a change.
      users.broken.create = failures.rejects as () => unknown
      users.broken.compareAndSet = failures.rejects as () => unknown
      for (const email of [addressOf('ann'), addressOf('fresh')]) {
        refusesOwn(
          await anyone.post('/register', { email, username: 'eve', password }),
          'CRUDAUTH_UNAVAILABLE',
          [password],
        )
      }
    })
  })
}
