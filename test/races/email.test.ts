import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { LightMyRequestResponse } from 'fastify'
import { answers, refusesOwn } from '../helpers/answers.js'
import { password } from '../helpers/build.js'
import { Client } from '../helpers/client.js'
import { mailApp } from '../helpers/email.js'
import { noUnhandledRejections, statuses, times } from '../helpers/hostile.js'
import { places } from '../helpers/races.js'

const invalid = 'CRUDAUTH_TOKEN_INVALID_OR_USED'

/** Asserts that exactly one succeeded and all others got the error for an invalid token. */
function oneWins(responses: LightMyRequestResponse[]): void {
  assert.deepEqual(statuses(responses), { 200: 1, 400: responses.length - 1 })
  for (const response of responses) if (response.statusCode === 400) refusesOwn(response, invalid)
}

for (const { name, options } of places) {
  const open = async (t: Parameters<typeof mailApp>[0]) => {
    noUnhandledRejections(t)
    const events: string[] = []
    const note = (event: string) => () => void events.push(event)
    const hooks = {
      onAfterRecoveryVerified: note('verified'),
      onAfterPasswordReset: note('reset'),
      onAfterEmailChanged: note('changed'),
    }
    const made = await mailApp(
      t,
      { name, options: () => ({}) },
      { auth: { ...(await options(t)), hooks } },
    )
    return { ...made, events }
  }

  test(`${name}: one-time tokens: of 100 parallel uses exactly one succeeds, with one event`, async (t) => {
    const { app, anyone, join, move, ask, askChange, events, mail } = await open(t)
    const all = (url: string, body: object) => Promise.all(times(100, () => anyone.post(url, body)))
    const client = await join('ann', { verified: false })

    oneWins(await all('/email/verify-confirm', { token: await ask('verify', 'ann') }))
    assert.deepEqual(events.splice(0), ['verified'])

    oneWins(
      await all('/email/change-confirm', { token: await askChange(client, 'first@example.com') }),
    )
    assert.deepEqual(events.splice(0), ['changed'])
    assert.equal(mail.to('first@example.com', 'change_email').length, 1)

    const revert = await move(client, 'first@example.com', 'second@example.com')
    events.splice(0)
    oneWins(await all('/email/change-revert', { token: revert }))
    assert.deepEqual(events.splice(0), ['changed'])
    answers(await new Client(app).login('first@example.com'), 200)

    answers(await anyone.post('/password/reset-request', { email: 'first@example.com' }), 202)
    const reset = await mail.token('first@example.com', 'reset_password')
    const wins = await Promise.all(
      times(100, (i) =>
        anyone.post('/password/reset-confirm', {
          token: reset,
          new_password: `the new phrase ${i}`,
        }),
      ),
    )
    oneWins(wins)
    assert.deepEqual(events.splice(0), ['reset'])
    const won = wins.findIndex(({ statusCode }) => statusCode === 200)
    answers(await new Client(app).login('ann', `the new phrase ${won}`), 200)
  })

  test(`${name}: password reset: of parallel resets with three tokens of one user exactly one wins`, async (t) => {
    const { app, anyone, join, ask, row, events } = await open(t)
    await join('ann')
    const tokens = [await ask('reset', 'ann'), await ask('reset', 'ann'), await ask('reset', 'ann')]
    events.splice(0)
    const responses = await Promise.all(
      times(30, (i) =>
        anyone.post('/password/reset-confirm', {
          token: tokens[i % 3],
          new_password: `the new phrase ${i}`,
        }),
      ),
    )
    oneWins(responses)
    assert.deepEqual(events, ['reset'])
    const version = ((await row('ann')).tokenVersion ?? (await row('ann')).token_version) as number
    assert.equal(version, 1)
    const won = responses.findIndex(({ statusCode }) => statusCode === 200)
    answers(await new Client(app).login('ann', `the new phrase ${won}`), 200)
    refusesOwn(await new Client(app).login('ann', password), 'CRUDAUTH_BAD_CREDENTIALS')
  })

  test(`${name}: email change: of two users confirming one address in parallel one gets 409`, async (t) => {
    const { anyone, join, askChange, users } = await open(t)
    for (let round = 0; round < 3; round++) {
      const wanted = `wanted${round}@example.com`
      const names = [`ann${round}`, `bob${round}`]
      const tokens: string[] = []
      for (const name of names) {
        const client = await join(name)
        tokens.push(await askChange(client, wanted))
      }
      const responses = await Promise.all(
        tokens.map((token) => anyone.post('/email/change-confirm', { token })),
      )
      assert.deepEqual(statuses(responses), { 200: 1, 409: 1 })
      for (const response of responses)
        if (response.statusCode === 409) refusesOwn(response, 'CRUDAUTH_DUPLICATE')
      const owner = (await users.findBy('email', wanted)) as Record<string, unknown>
      assert.equal(
        owner.username,
        names[responses.findIndex(({ statusCode }) => statusCode === 200)],
      )
    }
  })
}
