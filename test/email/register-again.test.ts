import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { sql } from 'kysely'
import {
  type DeliveryIntent,
  DuplicateUserError,
  memoryUsers,
  type UserStore,
} from '../../src/index.js'
import { kyselyUsers } from '../../src/user-stores/kysely/index.js'
import { answers, refusesOwn } from '../helpers/answers.js'
import { backends } from '../helpers/backends.js'
import { password } from '../helpers/build.js'
import { Client } from '../helpers/client.js'
import { addressOf, mailApp, withPhone } from '../helpers/email.js'
import { openSqlite } from '../helpers/sqlite.js'

/** A sign-up reveals that a username is taken, but not that an address or phone number is. */
const free = 'free@example.com'
const phone = '+4915112345678'

/** A table with a unique index on `lower(username)`, which no field declares. */
async function lowerIndex(t: TestContext): Promise<UserStore> {
  const db = openSqlite()
  t.after(() => db.destroy())
  const columns = `id integer primary key, email text not null unique, username text unique, hashed_password text,
    is_active integer not null default 1, is_superuser integer not null default 0, email_verified integer not null default 0,
    token_version integer not null default 0, created_at text, updated_at text`
  await sql.raw(`create table users (${columns})`).execute(db)
  await sql.raw('create unique index users_lower on users (lower(username))').execute(db)
  return kyselyUsers(db)
}

/** A user store that never says which field was taken. */
function mute(): UserStore {
  const inner = memoryUsers()
  const taken = new Set<string>()
  return {
    ...inner,
    async create(values) {
      const username = String(values.username).toLowerCase()
      if (taken.has(username)) throw new DuplicateUserError('unknown')
      const row = await inner.create(values).catch((error) => {
        throw error instanceof DuplicateUserError ? new DuplicateUserError('unknown') : error
      })
      taken.add(username)
      return row
    },
  }
}

for (const backend of backends) {
  for (const [name, open] of Object.entries({
    'an expression index': lowerIndex,
    'a store that names no field': async () => mute(),
  })) {
    test(`${backend.name}: a username that ${name} refuses is 409 and sends nothing`, async (t) => {
      const { app, anyone, sendsNothing, mail, users } = await mailApp(t, backend, {
        auth: { users: await open(t) },
      })
      answers(await anyone.register('ann'), 202)
      await mail.next(addressOf('ann'), 'verify_email')
      await sendsNothing(async () => {
        refusesOwn(
          await new Client(app).post('/register', { email: free, username: 'ANN', password }),
          'CRUDAUTH_DUPLICATE',
        )
      })
      assert.equal(await users.findBy('email', free), null)
    })

    test(`${backend.name}: an address that ${name} refuses is 202 and notifies its owner`, async (t) => {
      const { app, anyone, mail, users } = await mailApp(t, backend, {
        auth: { users: await open(t) },
      })
      const detail = answers(await anyone.register('ann'), 202).detail
      const again = await new Client(app).post('/register', {
        email: addressOf('ann'),
        username: 'eve',
        password,
      })
      assert.equal(answers(again, 202).detail, detail)
      await mail.next(addressOf('ann'), 'existing_account')
      assert.equal(await users.findBy('username', 'eve'), null)
    })
  }

  test(`${backend.name}: a taken custom field is 409 for known and unknown addresses alike`, async (t) => {
    const users = memoryUsers({ unique: ['badge'] })
    const registration = { extraFields: ['badge'] }
    const { app, mail, sendsNothing } = await mailApp(t, backend, { auth: { users, registration } })
    const signUp = (name: string, email: string, badge: unknown) =>
      new Client(app).post('/register', { email, username: name, password, badge })
    answers(await signUp('ann', addressOf('ann'), 7), 202)
    answers(await signUp('bob', addressOf('bob'), 'seven'), 202)
    for (const name of ['ann', 'bob']) await mail.next(addressOf(name), 'verify_email')
    await sendsNothing(async () => {
      for (const badge of [7, 'seven']) {
        const [known, unknown] = await Promise.all([
          signUp('eve', addressOf('ann'), badge),
          signUp('eve', free, badge),
        ])
        for (const response of [known, unknown]) refusesOwn(response, 'CRUDAUTH_DUPLICATE')
        assert.equal(known.body, unknown.body)
      }
    })
    assert.equal(
      answers(await signUp('eve', addressOf('ann'), 8), 202).detail,
      answers(await signUp('eve', free, 9), 202).detail,
    )
  })

  for (const recovery of ['email', 'phone']) {
    test(`${backend.name}: a taken phone number notifies its owner, not the caller, with recovery by ${recovery}`, async (t) => {
      const got: DeliveryIntent[] = []
      let wake = () => {}
      const told = new Promise<void>((resolve) => {
        wake = resolve
      })
      const sms = {
        name: 'sms',
        deliver(intent: DeliveryIntent) {
          if (intent.factor !== 'phone') return
          got.push(intent)
          if (intent.kind === 'existing_account') wake()
        },
      }
      const { app, users } = await mailApp(t, backend, {
        auth: {
          users: memoryUsers({ fields: withPhone, unique: ['phone'] }),
          registration: { extraFields: ['phone'] },
          identity: { login: ['email', 'username'], recovery },
          channels: [sms],
        },
      })
      const signUp = (username: string, number: string) =>
        new Client(app).post('/register', {
          email: addressOf(username),
          username,
          password,
          phone: number,
        })
      answers(await signUp('ann', phone), 202)
      const known = await signUp('eve', phone)
      const unknown = await signUp('bob', '+4915112345679')
      assert.equal(answers(known, 202).detail, answers(unknown, 202).detail)
      await told
      const { kind, recipient, token } = got.find(
        ({ kind }) => kind === 'existing_account',
      ) as DeliveryIntent
      assert.deepEqual([kind, recipient, token], ['existing_account', phone, null])
      assert.equal(await users.findBy('username', 'eve'), null)
    })
  }
}
