import assert from 'node:assert/strict'
import { test } from 'node:test'
import { build, password } from '../helpers/build.js'
import { Client } from '../helpers/client.js'
import { noUnhandledRejections, statuses, times } from '../helpers/hostile.js'
import { places } from '../helpers/races.js'
import { refuses } from '../helpers/refuses.js'

for (const { name, options } of places) {
  test(`${name}: POST /register: 100 parallel sign-ups with one email and username create one account`, async (t) => {
    noUnhandledRejections(t)
    const app = await build(t, { auth: await options(t) })
    const responses = await Promise.all(times(100, () => new Client(app).register('ann')))
    assert.deepEqual(statuses(responses), { 201: 1, 409: 99 })
    for (const response of responses)
      if (response.statusCode === 409) refuses(response, 'CRUDAUTH_DUPLICATE', [password])
    const id = responses.find(({ statusCode }) => statusCode === 201)?.json().id
    assert.equal((await new Client(app).login('ann')).json().id, id)
    assert.equal((await new Client(app).login('ann@example.com')).json().id, id)
  })

  test(`${name}: POST /register: 100 parallel sign-ups with spellings of one email create one account`, async (t) => {
    noUnhandledRejections(t)
    const app = await build(t, { auth: await options(t) })
    const spellings = [
      'ann@example.com',
      'ANN@Example.com',
      ' ann@example.com',
      'ann\uff20example.com',
      'ann@example\u3002com',
    ]
    const responses = await Promise.all(
      times(100, (i) =>
        new Client(app).post('/register', {
          email: spellings[i % 5],
          username: `name${i}`,
          password,
        }),
      ),
    )
    assert.deepEqual(statuses(responses), { 201: 1, 409: 99 })
    const signedIn = await Promise.all(
      times(100, (i) => new Client(app, '', { remoteAddress: `10.0.0.${i}` }).login(`name${i}`)),
    )
    assert.deepEqual(statuses(signedIn), { 200: 1, 401: 99 }, 'no other account is stored')
  })

  test(`${name}: POST /register: 100 parallel sign-ups with one username create one account`, async (t) => {
    noUnhandledRejections(t)
    const app = await build(t, { auth: await options(t) })
    const responses = await Promise.all(
      times(100, (i) =>
        new Client(app).post('/register', {
          email: `mail${i}@example.com`,
          username: 'ann',
          password,
        }),
      ),
    )
    assert.deepEqual(statuses(responses), { 201: 1, 409: 99 })
    assert.equal((await new Client(app).login('ann')).statusCode, 200)
  })

  test(`${name}: POST /register: 100 parallel sign-ups of different users create 100 working accounts`, async (t) => {
    noUnhandledRejections(t)
    const app = await build(t, { auth: { ...(await options(t)), lockout: false } })
    const responses = await Promise.all(
      times(100, (i) => new Client(app).register(`user${i}`, `the password ${i}`)),
    )
    assert.deepEqual(statuses(responses), { 201: 100 })
    assert.equal(new Set(responses.map((response) => response.json().id)).size, 100)
    const clients = times(100, () => new Client(app))
    const logins = await Promise.all(
      clients.map((client, i) => client.login(`user${i}`, `the password ${i}`)),
    )
    assert.deepEqual(statuses(logins), { 200: 100 })
    const me = await Promise.all(clients.map((client) => client.get('/me')))
    assert.deepEqual(
      me.map((response) => response.json().username),
      times(100, (i) => `user${i}`),
    )
  })
}
