import assert from 'node:assert/strict'
import { test } from 'node:test'
import { DuplicateUserError, memoryUsers, type UserStore } from '../../src/index.js'
import { backends } from '../helpers/backends.js'
import { times } from '../helpers/bearer.js'
import { build, password } from '../helpers/build.js'
import { Client } from '../helpers/client.js'
import { Mailbox, settle } from '../helpers/mailbox.js'

/** Parallel requests all find the username free; the write then fails on the email. */
function refusingByEmail(inner: UserStore): UserStore {
  return {
    fields: inner.fields,
    findById: (id) => inner.findById(id),
    findBy: (field, value) => inner.findBy(field, value),
    async create(values) {
      await new Promise((resolve) => setTimeout(resolve, 5))
      if (await inner.findBy('email', values.email)) throw new DuplicateUserError('email')
      return inner.create(values)
    },
    update: (id, values) => inner.update(id, values),
    compareAndSet: (id, expected, values) => inner.compareAndSet(id, expected, values),
  }
}

for (const backend of backends) {
  test(`${backend.name}: POST /register: with delivery, one of 100 parallel sign-ups gets 202, the others 409`, async (t) => {
    const mail = new Mailbox()
    const users = refusingByEmail(memoryUsers())
    const app = await build(t, { auth: { ...backend.options(), email: mail.options(), users } })
    const client = new Client(app)
    const statuses = (await Promise.all(times(100, () => client.register('ann')))).map(
      ({ statusCode }) => statusCode,
    )
    assert.deepEqual(statuses.sort(), [202, ...times(99, () => 409)])
    await settle()
    assert.deepEqual(
      mail.messages.map(({ kind }) => kind),
      ['verify_email'],
    )
    const other = { email: 'ann@example.com', username: 'another', password }
    assert.equal((await client.post('/register', other)).statusCode, 202)
  })
}
