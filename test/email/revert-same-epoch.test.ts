import assert from 'node:assert/strict'
import { test } from 'node:test'
import { memoryUsers } from '../../src/index.js'
import { answers } from '../helpers/answers.js'
import { backends } from '../helpers/backends.js'
import { addressOf, mailApp } from '../helpers/email.js'
import { refuses } from '../helpers/refuses.js'

const old = addressOf('ann')

for (const backend of backends) {
  test(`${backend.name}: revert without tokenVersion: 503 and no change if sessions can't be revoked`, async (t) => {
    const users = memoryUsers({
      fields: ['id', 'email', 'username', 'hashedPassword', 'emailVerified', 'isActive'],
    })
    const { app, anyone, join, move, row } = await mailApp(t, backend, { auth: { users } })
    const thief = await join('ann')
    const token = await move(thief, old, 'thief@example.com')
    const store = app.sessionStore
    const outage = t.mock.method(store, 'revokeAll', async () => {
      throw new Error('the store is down')
    })
    refuses(await anyone.post('/email/change-revert', { token }), 'CRUDAUTH_UNAVAILABLE')
    assert.equal((await row('ann')).email, 'thief@example.com')
    outage.mock.restore()
    answers(await anyone.post('/email/change-revert', { token }), 200)
    assert.equal((await row('ann')).email, old)
    refuses(await thief.get('/me'), 'CRUDAUTH_UNAUTHENTICATED')
  })
}
