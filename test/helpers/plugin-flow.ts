import assert from 'node:assert/strict'
import type { TestContext } from 'node:test'
import type { OAuthAccountStore, UserStore } from '../../src/index.js'
import { answers } from './answers.js'
import { password } from './build.js'
import { Mailbox } from './mailbox.js'
import { codeAt, enroll, mfaOptions } from './mfa.js'
import { ada, Browser, buildOAuth, landsOn } from './oauth.js'

/**
 * Everything that an app does with its stores: register, verify, sign in, change and reset the
 * password, sign in with providers, link and unlink, second factor.
 */
export async function pluginFlow(t: TestContext, users: UserStore, accounts: OAuthAccountStore) {
  const mailbox = new Mailbox()
  const { app } = await buildOAuth(t, {
    auth: { users, email: mailbox.options(), mfa: mfaOptions },
    oauth: { accounts },
  })
  const ann = new Browser(app)
  answers(await ann.register('ann'), 202)
  const verification = await mailbox.token('ann@example.com', 'verify_email')
  answers(await ann.post('/email/verify-confirm', { token: verification }), 200)
  answers(await ann.login('ann'), 200)
  const me = await ann.me()
  assert.equal(me.email_verified, true)
  assert.equal((await new Browser(app).login('ANN@example.com')).statusCode, 200)
  assert.equal((await new Browser(app).login('ann', 'wrong')).statusCode, 401)

  const other = new Browser(app)
  answers(await other.login('ann'), 200)
  const change = { current_password: password, new_password: 'another good one' }
  answers(await ann.post('/change-password', change), 200)
  assert.equal(await other.me(), null)
  answers(await ann.post('/password/reset-request', { email: 'ann@example.com' }), 202)
  const reset = await mailbox.token('ann@example.com', 'reset_password')
  answers(
    await new Browser(app).post('/password/reset-confirm', {
      token: reset,
      new_password: password,
    }),
    200,
  )
  assert.equal(await ann.me(), null)
  answers(await ann.login('ann'), 200)

  landsOn(await ann.link({ sub: 'ann-1', email: 'ann@example.com' }), '/start')
  landsOn(await ann.link({ sub: 'ann-2' }, 'other'), '/start')
  const listed = answers(await ann.get('/oauth/accounts'), 200) as unknown as {
    provider: string
  }[]
  assert.deepEqual(
    listed.map(({ provider }) => provider),
    ['acme', 'other'],
  )
  const again = new Browser(app)
  landsOn(await again.signIn({ sub: 'ann-2' }, 'other'), '/start')
  assert.equal((await again.me()).user_id, me.user_id)
  assert.equal((await again.delete('/oauth/other')).statusCode, 200)

  const stranger = new Browser(app)
  landsOn(await stranger.signIn(ada), '/start')
  assert.notEqual((await stranger.me()).user_id, me.user_id)
  assert.equal((await stranger.delete('/oauth/acme')).statusCode, 409)

  const { secret } = await enroll(again)
  const last = new Browser(app)
  const { challenge } = answers(await last.login('ann'), 200)
  answers(await last.post('/mfa/verify', { challenge, code: codeAt(secret) }), 200)
  assert.equal((await last.me()).user_id, me.user_id)
}
