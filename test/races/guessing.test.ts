import assert from 'node:assert/strict'
import { test } from 'node:test'
import { backends } from '../helpers/backends.js'
import { build } from '../helpers/build.js'
import { Client, signedIn } from '../helpers/client.js'
import { noUnhandledRejections, statuses, times } from '../helpers/hostile.js'
import { refuses } from '../helpers/refuses.js'
import { serverBackends } from '../helpers/sql-backends.js'

for (const backend of [...backends, ...serverBackends]) {
  test(`${backend.name}: brute force: of 100 parallel guesses at one account from many addresses 5 are verified`, async (t) => {
    noUnhandledRejections(t)
    const looked: string[] = []
    const locked: string[] = []
    const app = await build(t, {
      auth: {
        ...backend.options(),
        hooks: {
          onLoginFailed: ({ reason }) => looked.push(reason),
          onLockout: ({ reason }) => locked.push(reason),
        },
      },
    })
    await new Client(app).register('ann')
    for (const name of ['ann', 'nobody']) {
      looked.length = 0
      locked.length = 0
      const names = [name, `${name}@example.com`]
      const guesses = await Promise.all(
        times(100, (i) =>
          new Client(app, '', { remoteAddress: `10.${names.length}.0.${i}` }).login(
            names[0] ?? '',
            `guess ${i}`,
          ),
        ),
      )
      assert.deepEqual(statuses(guesses), { 401: 5, 429: 95 })
      assert.equal(looked.length, 5)
      assert.deepEqual(locked, ['identifier'], 'onLockout fires once')
      for (const response of guesses) {
        refuses(
          response,
          response.statusCode === 401 ? 'CRUDAUTH_BAD_CREDENTIALS' : 'CRUDAUTH_LOCKED_OUT',
        )
      }
    }
    refuses(
      await new Client(app, '', { remoteAddress: '10.9.9.9' }).login('ann'),
      'CRUDAUTH_LOCKED_OUT',
    )
  })

  test(`${backend.name}: brute force: of 100 parallel guesses at 100 accounts from one address 30 are verified`, async (t) => {
    noUnhandledRejections(t)
    const app = await build(t, { auth: backend.options() })
    const guesses = await Promise.all(
      times(100, (i) => new Client(app).login(`user${i}`, 'password of the year')),
    )
    assert.deepEqual(statuses(guesses), { 401: 30, 429: 70 })
  })

  test(`${backend.name}: brute force: of 100 parallel guesses from a known device 5 are verified`, async (t) => {
    noUnhandledRejections(t)
    const app = await build(t, { auth: backend.options() })
    const device = await signedIn(app, 'ann')
    const guesses = await Promise.all(times(100, (i) => device.login('ann', `guess ${i}`)))
    assert.deepEqual(statuses(guesses), { 401: 5, 429: 95 })
    assert.equal((await new Client(app).login('ann')).statusCode, 200)
  })

  test(`${backend.name}: POST /change-password: the rate limit admits 5 of 100 parallel guesses`, async (t) => {
    noUnhandledRejections(t)
    const app = await build(t, { auth: { ...backend.options(), rateLimits: {} } })
    const client = await signedIn(app, 'ann')
    const change = { new_password: 'another good one' }
    const guesses = await Promise.all(
      times(100, (i) =>
        client.post('/change-password', { current_password: `guess ${i}`, ...change }),
      ),
    )
    assert.deepEqual(statuses(guesses), { 401: 5, 429: 95 })
  })

  test(`${backend.name}: POST /register: the rate limit admits 20 of 100 parallel sign-ups from one address`, async (t) => {
    noUnhandledRejections(t)
    const app = await build(t, { auth: { ...backend.options(), rateLimits: {} } })
    const responses = await Promise.all(times(100, (i) => new Client(app).register(`user${i}`)))
    assert.deepEqual(statuses(responses), { 201: 20, 429: 80 })
  })
}
