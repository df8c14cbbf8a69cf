import assert from 'node:assert/strict'
import { test } from 'node:test'
import { answers } from '../helpers/answers.js'
import { backends } from '../helpers/backends.js'
import { cheap, password } from '../helpers/build.js'
import { addressOf, mailApp, next } from '../helpers/email.js'
import { serverBackends } from '../helpers/sql-backends.js'

const old = addressOf('ann')

for (const backend of [...backends, ...serverBackends]) {
  test(`${backend.name}: email revert: a password change in progress reissues the token to the old address`, async (t) => {
    let reached = () => {}
    let go = () => {}
    const underWay = new Promise<void>((resolve) => {
      reached = resolve
    })
    const gate = new Promise<void>((resolve) => {
      go = resolve
    })
    // Called after authentication and long before any write.
    const check = async (text: string) => {
      if (text !== next) return true
      reached()
      await gate
      return true
    }
    const { anyone, join, move, row, mail } = await mailApp(t, backend, {
      auth: { passwords: { cost: cheap, check } },
    })
    const client = await join('ann')
    const change = client.post('/change-password', {
      current_password: password,
      new_password: next,
    })
    await underWay
    const first = await move(client, old, 'thief@example.com')
    go()
    answers(await change, 200)
    assert.equal((await anyone.post('/email/change-revert', { token: first })).statusCode, 400)
    answers(
      await anyone.post('/email/change-revert', {
        token: await mail.token(old, 'email_changed', 2),
      }),
      200,
    )
    assert.equal((await row('ann')).email, old)
  })
}
