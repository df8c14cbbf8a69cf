import assert from 'node:assert/strict'
import { test } from 'node:test'
import { answers } from '../helpers/answers.js'
import { backends } from '../helpers/backends.js'
import { password } from '../helpers/build.js'
import { addressOf, mailApp } from '../helpers/email.js'
import { settle } from '../helpers/mailbox.js'

const old = addressOf('ann')
const budget = { max: 5, windowSeconds: 3600 }
const limits = {
  register: false,
  password_reset_request: false,
  email_change_request: false,
  change_password: false,
} as const

for (const backend of backends) {
  for (const verified of [false, true]) {
    const what = verified
      ? 'a verified address gets all of them'
      : 'an unverified address gets them up to the recipient limit'
    test(`${backend.name}: new revert links after each password change: ${what}`, async (t) => {
      const changes = 12
      const { join, move, mail } = await mailApp(t, backend, {
        auth: { rateLimits: { ...limits, recipient: budget } },
      })
      const client = await join('ann', { verified })
      await move(client, old, 'thief@example.com')
      let current = password
      for (let i = 0; i < changes; i++) {
        const next = `another good phrase ${i}`
        answers(
          await client.post('/change-password', { current_password: current, new_password: next }),
          200,
        )
        current = next
        // Wait for each message: one prepared after the next change would read the newer row.
        if (verified) await mail.token(old, 'email_changed', i + 2)
        else await settle()
      }
      await settle()
      assert.equal(mail.to(old, 'email_changed').length, verified ? changes + 1 : budget.max)
    })
  }
}
