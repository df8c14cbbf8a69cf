import assert from 'node:assert/strict'
import { test } from 'node:test'
import { answers } from '../helpers/answers.js'
import { limitsOff, password } from '../helpers/build.js'
import { Client } from '../helpers/client.js'
import { addressOf, mailApp, next } from '../helpers/email.js'
import { noUnhandledRejections, statuses, times } from '../helpers/hostile.js'
import { settle } from '../helpers/mailbox.js'
import { places } from '../helpers/races.js'

for (const { name, options } of places) {
  const open = async (t: Parameters<typeof mailApp>[0], auth = {}) => {
    noUnhandledRejections(t)
    return mailApp(t, { name, options: () => ({}) }, { auth: { ...(await options(t)), ...auth } })
  }
  const uncapped = { rateLimits: { ...limitsOff, recipient: false } } as const

  test(`${name}: password reset: 100 parallel requests get 202 and five mails, one token is redeemed`, async (t) => {
    const { app, anyone, join, mail } = await open(t)
    await join('ann')
    const asked = await Promise.all(
      times(100, () => anyone.post('/password/reset-request', { email: addressOf('ann') })),
    )
    assert.deepEqual(statuses(asked), { 202: 100 })
    await mail.next(addressOf('ann'), 'reset_password', 5)
    await settle()
    const tokens = mail
      .to(addressOf('ann'), 'reset_password')
      .map(({ context }) => new URL(context.link).searchParams.get('token'))
    assert.equal(new Set(tokens).size, 5)
    const used = await Promise.all(
      tokens.map((token) => anyone.post('/password/reset-confirm', { token, new_password: next })),
    )
    assert.deepEqual(statuses(used), { 200: 1, 400: 4 })
    answers(await new Client(app).login('ann', next), 200)
  })

  test(`${name}: POST /register: 100 parallel sign-ups with one address get 202 and create one account`, async (t) => {
    const { app, mail, join, row } = await open(t, uncapped)
    await join('before')
    const names = times(100, (i) => `name${i}`)
    const responses = await Promise.all(
      names.map((username) =>
        new Client(app).post('/register', { email: addressOf('ann'), username, password }),
      ),
    )
    assert.deepEqual(statuses(responses), { 202: 100 })
    assert.equal(new Set(responses.map(({ body }) => body)).size, 1)
    const rows = (await Promise.all(names.map((username) => row(username)))).filter(
      (found) => found !== null,
    )
    assert.equal(rows.length, 1)
    await mail.next(addressOf('ann'), 'existing_account', 99)
    await mail.next(addressOf('ann'), 'verify_email')
    await settle()
    assert.equal(mail.to(addressOf('ann'), 'verify_email').length, 1)
  })

  test(`${name}: POST /register: 100 parallel sign-ups with one address and username create one account`, async (t) => {
    const { app } = await open(t)
    const responses = await Promise.all(
      times(100, (i) => new Client(app).register('ann', `the phrase of ${i}`)),
    )
    const seen = statuses(responses)
    assert.equal((seen[202] ?? 0) + (seen[409] ?? 0), 100, JSON.stringify(seen))
    assert.ok((seen[202] ?? 0) >= 1)
    const logins = await Promise.all(
      times(100, (i) => new Client(app).login('ann', `the phrase of ${i}`)),
    )
    assert.deepEqual(statuses(logins), { 200: 1, 401: 99 })
  })

  test(`${name}: email verification: among parallel logins one use of the token succeeds, and no login fails`, async (t) => {
    const { app, anyone, join, mail, row } = await open(t)
    await join('ann', { verified: false })
    const token = await mail.token(addressOf('ann'), 'verify_email')
    const clients = times(40, () => new Client(app))
    const uses: Promise<{ statusCode: number }>[] = []
    const logins = await Promise.all(
      clients.map((client, i) => {
        const login = client.login('ann')
        if (i % 10 === 5) uses.push(anyone.post('/email/verify-confirm', { token }))
        return login
      }),
    )
    assert.deepEqual(statuses(logins), { 200: 40 })
    assert.deepEqual(statuses(await Promise.all(uses)), { 200: 1, 400: 3 })
    assert.equal(
      Boolean((await row('ann')).emailVerified ?? (await row('ann')).email_verified),
      true,
    )
    const me = await Promise.all(clients.map((client) => client.get('/me')))
    const alive = me.filter(({ statusCode }) => statusCode === 200)
    assert.ok(alive.length > 0, 'sessions stay valid')
    for (const response of alive) assert.equal(response.json().email_verified, true)
  })

  test(`${name}: password reset: parallel logins leave no session of the old password`, async (t) => {
    const { app, anyone, join, ask } = await open(t)
    await join('ann', { verified: false })
    const token = await ask('reset', 'ann')
    const clients = times(40, () => new Client(app))
    let reset: Promise<{ statusCode: number }> | undefined
    const logins = await Promise.all(
      clients.map((client, i) => {
        const login = client.login('ann')
        if (i === 15) reset = anyone.post('/password/reset-confirm', { token, new_password: next })
        return login
      }),
    )
    assert.equal((await reset)?.statusCode, 200)
    const seen = statuses(logins)
    assert.equal((seen[200] ?? 0) + (seen[401] ?? 0), 40, JSON.stringify(seen))
    assert.deepEqual(statuses(await Promise.all(clients.map((client) => client.get('/me')))), {
      401: 40,
    })
    answers(await new Client(app).login('ann', next), 200)
  })

  test(`${name}: password reset: in parallel with a password change exactly one of the two wins`, async (t) => {
    const { app, anyone, join, ask } = await open(t)
    for (let round = 0; round < 5; round++) {
      const user = `ann${round}`
      const client = await join(user)
      const token = await ask('reset', user)
      const [reset, change] = await Promise.all([
        anyone.post('/password/reset-confirm', { token, new_password: 'by the reset alone' }),
        client.post('/change-password', {
          current_password: password,
          new_password: 'by the change alone',
        }),
      ])
      assert.ok([200, 400].includes(reset.statusCode), reset.body)
      assert.ok([200, 401].includes(change.statusCode), change.body)
      const logins = await Promise.all(
        [password, 'by the reset alone', 'by the change alone'].map((secret) =>
          new Client(app).login(user, secret),
        ),
      )
      assert.deepEqual(
        logins.map(({ statusCode }) => statusCode),
        [401, reset.statusCode === 200 ? 200 : 401, reset.statusCode === 200 ? 401 : 200],
      )
      assert.ok(reset.statusCode === 200 || change.statusCode === 200)
    }
  })

  test(`${name}: email revert: in parallel with other changes it still restores the old address`, async (t) => {
    const { anyone, join, move, askChange, row, mail } = await open(t)
    const client = await join('ann')
    const revert = await move(client, addressOf('ann'), 'thief@example.com')
    const onward = await askChange(client, 'further@example.com')
    const responses = await Promise.all([
      anyone.post('/email/change-revert', { token: revert }),
      anyone.post('/email/change-confirm', { token: onward }),
      client.post('/change-password', { current_password: password, new_password: next }),
    ])
    for (const { statusCode, body } of responses)
      assert.ok([200, 400, 401].includes(statusCode), body)
    if ((await row('ann')).email !== addressOf('ann')) {
      // In any order, the old address has received another token.
      await settle()
      const token = await mail.token(addressOf('ann'), 'email_changed')
      answers(await anyone.post('/email/change-revert', { token }), 200)
    }
    assert.equal((await row('ann')).email, addressOf('ann'))
  })
}
