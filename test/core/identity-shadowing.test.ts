import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { memoryUsers } from '../../src/index.js'
import { answers } from '../helpers/answers.js'
import { backends } from '../helpers/backends.js'
import { build, password } from '../helpers/build.js'
import { Client } from '../helpers/client.js'
import { Mailbox } from '../helpers/mailbox.js'
import { refuses } from '../helpers/refuses.js'

const phone = '+4915112345678'
const modelOf = (login: string[]) =>
  memoryUsers({
    fields: ['id', ...login, 'hashedPassword', 'emailVerified', 'tokenVersion'],
    unique: login,
  })

for (const backend of backends) {
  test(`${backend.name}: POST /register: a phone number is refused as a username`, async (t) => {
    const app = await build(t, {
      auth: {
        ...backend.options(),
        users: modelOf(['username', 'phone']),
        identity: { login: ['username', 'phone'], recovery: null },
      },
    })
    const client = new Client(app)
    answers(await client.post('/register', { username: 'ann', phone, password }), 201)
    for (const username of [phone, '＋4915112345678', '+4915199999999']) {
      const body = { username, phone: '+4917012345678', password }
      refuses(await client.post('/register', body), 'CRUDAUTH_USERNAME_INVALID')
    }
    assert.equal((await client.login(phone)).statusCode, 200)
  })

  test(`${backend.name}: POST /register: a login field can't take another account's value of the other`, async (t) => {
    const users = modelOf(['username', 'memberNumber'])
    const app = await build(t, {
      auth: {
        ...backend.options(),
        users,
        identity: { login: ['username', 'memberNumber'], recovery: null },
      },
    })
    const client = new Client(app)
    const sign = (username: string, memberNumber: string) =>
      client.post('/register', { username, memberNumber, password })
    answers(await sign('ann', 'M-1'), 201)
    refuses(await sign('M-1', 'M-2'), 'CRUDAUTH_DUPLICATE')
    refuses(await sign('bob', 'ann'), 'CRUDAUTH_DUPLICATE')
    answers(await sign('M-3', 'M-3'), 201)
    assert.equal((await client.login('M-1')).statusCode, 200)
  })

  test(`${backend.name}: POST /register: one of 100 parallel sign-ups with one value in two fields succeeds`, async (t) => {
    const users = modelOf(['username', 'memberNumber'])
    const app = await build(t, {
      auth: {
        ...backend.options(),
        // All look-ups finish before the first row is stored.
        users: { ...users, create: async (values) => sleep(50).then(() => users.create(values)) },
        identity: { login: ['username', 'memberNumber'], recovery: null },
      },
    })
    const statuses = await Promise.all(
      Array.from({ length: 100 }, async (_, at) => {
        const body =
          at % 2 === 0
            ? { username: 'contested', memberNumber: `M-${at}`, password }
            : { username: `user-${at}`, memberNumber: 'contested', password }
        return (await new Client(app).post('/register', body)).statusCode
      }),
    )
    assert.deepEqual(statuses.filter((status) => status === 201).length, 1)
    assert.equal(statuses.filter((status) => status === 409).length, 99)
  })

  test(`${backend.name}: email: an address that is another user's username can't be claimed`, async (t) => {
    const mailbox = new Mailbox()
    const users = memoryUsers()
    await users.create({
      email: 'old@example.com',
      username: 'ann@example.com',
      hashedPassword: '!',
      emailVerified: true,
      tokenVersion: 0,
    })
    const app = await build(t, {
      auth: { ...backend.options(), users, email: mailbox.options() },
    })
    const client = new Client(app)
    refuses(await client.register('ann'), 'CRUDAUTH_DUPLICATE')
    answers(await client.register('bob'), 202)
    assert.equal((await client.login('bob')).statusCode, 200)
    const change = { new_email: 'ann@example.com', password }
    answers(await client.post('/email/change-request', change), 202)
    answers(
      await client.post('/email/change-request', { new_email: 'free@example.com', password }),
      202,
    )
    await mailbox.token('free@example.com', 'change_email')
    assert.ok(!mailbox.messages.some(({ to }) => to === 'ann@example.com'))
  })
}
