import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { memoryUsers } from '../../src/index.js'
import { answers, refusesOwn } from '../helpers/answers.js'
import { type Backend, backends } from '../helpers/backends.js'
import { type BuildOptions, password } from '../helpers/build.js'
import { addressOf, mailApp, next } from '../helpers/email.js'
import { settle } from '../helpers/mailbox.js'
import { interrupted } from '../helpers/passwords.js'

/** Changes of address that race with each other, with new passwords, and with a slow database. */
const old = addressOf('ann')
const thief = 'thief@example.com'

async function open(t: TestContext, backend: Backend, auth: BuildOptions['auth'] = {}) {
  const inner = memoryUsers()
  const users = interrupted(inner)
  const made = await mailApp(t, backend, { auth: { users: users.store, ...auth } })
  const revert = (token: string) => made.anyone.post('/email/change-revert', { token })
  return { ...made, inner, interruptions: users, revert }
}

for (const backend of backends) {
  test(`${backend.name}: race: a change of address during a password change can be reverted`, async (t) => {
    const { anyone, join, askChange, mail, row, revert, interruptions } = await open(t, backend)
    const client = await join('ann')
    const token = await askChange(client, thief)
    interruptions.around = {
      async before(_, values) {
        if (!('hashedPassword' in values)) return undefined
        interruptions.around = {}
        answers(await anyone.post('/email/change-confirm', { token }), 200)
        await mail.next(old, 'email_changed')
        return undefined
      },
    }
    answers(
      await client.post('/change-password', { current_password: password, new_password: next }),
      200,
    )
    answers(await revert(await mail.token(old, 'email_changed', 2)), 200)
    assert.equal((await row('ann')).email, old)
  })

  test(`${backend.name}: race: a change of address during a password reset ends the reset and can be reverted`, async (t) => {
    const { join, ask, askChange, anyone, mail, row, revert, interruptions } = await open(
      t,
      backend,
    )
    const client = await join('ann')
    const reset = await ask('reset', 'ann')
    const change = await askChange(client, thief)
    interruptions.around = {
      async before(_, values) {
        if (!('hashedPassword' in values)) return undefined
        interruptions.around = {}
        answers(await anyone.post('/email/change-confirm', { token: change }), 200)
        return undefined
      },
    }
    // The account no longer has the address that the token was sent to.
    refusesOwn(
      await anyone.post('/password/reset-confirm', { token: reset, new_password: next }),
      'CRUDAUTH_TOKEN_INVALID_OR_USED',
    )
    answers(await revert(await mail.token(old, 'email_changed')), 200)
    assert.equal((await row('ann')).email, old)
  })

  test(`${backend.name}: race: a revert succeeds despite a concurrent change of address`, async (t) => {
    const { anyone, join, move, askChange, row, revert, interruptions } = await open(t, backend)
    const client = await join('ann')
    const token = await move(client, old, thief)
    const onwards = await askChange(client, 'further@example.com')
    interruptions.around = {
      async before(_, values) {
        if (values.email !== old) return undefined
        interruptions.around = {}
        answers(await anyone.post('/email/change-confirm', { token: onwards }), 200)
        assert.equal((await row('ann')).email, 'further@example.com')
        return undefined
      },
    }
    answers(await revert(token), 200)
    assert.equal((await row('ann')).email, old)
    refusesOwn(await revert(token), 'CRUDAUTH_TOKEN_INVALID_OR_USED')
  })

  test(`${backend.name}: race: the old address is notified even if the address changes again first`, async (t) => {
    const { anyone, join, askChange, mail, row, revert, inner, interruptions } = await open(
      t,
      backend,
    )
    const client = await join('ann')
    const { id } = (await row('ann')) as { id: number }
    const token = await askChange(client, thief)
    interruptions.around = {
      async after() {
        interruptions.around = {}
        // Like a second confirmation before the first message is prepared.
        await inner.update(id, { email: 'further@example.com' })
      },
    }
    answers(await anyone.post('/email/change-confirm', { token }), 200)
    answers(await revert(await mail.token(old, 'email_changed')), 200)
    assert.equal((await row('ann')).email, old)
  })

  for (const when of ['before the message is prepared', 'long after the response']) {
    test(`${backend.name}: a change whose write times out notifies the old address: written ${when}`, async (t) => {
      const { anyone, join, askChange, mail, row, revert, inner, interruptions } = await open(
        t,
        backend,
        {
          timeouts: { usersMs: 80 },
          delivery: { firstRetrySeconds: 0.2 },
        },
      )
      const client = await join('ann')
      const token = await askChange(client, thief)
      let go = () => {}
      const gate = new Promise<void>((resolve) => {
        go = resolve
      })
      t.after(() => go())
      interruptions.around = {
        async before(id, values) {
          if (values.email !== thief) return undefined
          if (when.startsWith('before')) await inner.update(id, values)
          await gate
          if (when.startsWith('long')) await inner.update(id, values)
          return true
        },
      }
      refusesOwn(await anyone.post('/email/change-confirm', { token }), 'CRUDAUTH_UNAVAILABLE', [
        token,
      ])
      if (when.startsWith('long')) {
        await settle()
        assert.deepEqual(mail.to(old, 'email_changed'), [], 'nothing has changed yet')
        go()
      }
      const back = await mail.token(old, 'email_changed')
      assert.equal((await row('ann')).email, thief)
      answers(await revert(back), 200)
      assert.equal((await row('ann')).email, old)
    })
  }

  test(`${backend.name}: a failed change notifies nobody and can be repeated once the database is back`, async (t) => {
    const { anyone, join, askChange, mail, row, interruptions } = await open(t, backend, {
      delivery: { firstRetrySeconds: 0.01 },
    })
    const client = await join('ann')
    const token = await askChange(client, thief)
    interruptions.around = { before: () => Promise.reject(new Error('down')) }
    refusesOwn(await anyone.post('/email/change-confirm', { token }), 'CRUDAUTH_UNAVAILABLE', [
      token,
    ])
    await settle()
    assert.deepEqual(mail.to(old, 'email_changed'), [])
    interruptions.around = {}
    answers(await anyone.post('/email/change-confirm', { token }), 200)
    await mail.next(old, 'email_changed')
    assert.equal((await row('ann')).email, thief)
  })

  test(`${backend.name}: a change request retried after an error does not replace a newer one`, async (t) => {
    const inner = memoryUsers()
    const asked = { typo: 0 }
    const findBy: typeof inner.findBy = async (field, value) => {
      if (value === 'typo@example.com' && asked.typo++ === 0) throw new Error('a moment, please')
      return inner.findBy(field, value)
    }
    const { join, askChange, anyone, mail, row } = await mailApp(t, backend, {
      auth: { users: { ...inner, findBy }, delivery: { firstRetrySeconds: 0.3 } },
    })
    const client = await join('ann')
    answers(
      await client.post('/email/change-request', { new_email: 'typo@example.com', password }),
      202,
    )
    const token = await askChange(client, 'right@example.com')
    for (let tries = 0; asked.typo < 2 && tries < 1000; tries++) await settle()
    await settle()
    assert.equal(asked.typo, 2, 'the request was retried')
    assert.deepEqual(mail.to('typo@example.com'), [])
    answers(await anyone.post('/email/change-confirm', { token }), 200)
    assert.equal((await row('ann')).email, 'right@example.com')
  })
}
