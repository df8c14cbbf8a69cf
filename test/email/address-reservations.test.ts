import assert from 'node:assert/strict'
import { test } from 'node:test'
import { sql } from 'kysely'
import { memoryUsers, type UserStore } from '../../src/index.js'
import { kyselyUsers } from '../../src/user-stores/kysely/index.js'
import { answers, refusesOwn } from '../helpers/answers.js'
import { backends } from '../helpers/backends.js'
import { password } from '../helpers/build.js'
import { Client } from '../helpers/client.js'
import { addressOf, mailApp, next } from '../helpers/email.js'
import { openUsers } from '../helpers/hostile.js'
import { settle } from '../helpers/mailbox.js'
import { openSqlite } from '../helpers/sqlite.js'

/** A previous address stays reserved if it was verified, in whatever spelling it is stored. */
const old = addressOf('ann')
const registered = (username: string, email: string) => ({ email, username, password })

for (const backend of backends) {
  test(`${backend.name}: an unverified previous address does not keep its owner from signing up`, async (t) => {
    const { app, anyone, mail, askChange, row } = await mailApp(t, backend)
    const squatter = new Client(app)
    answers(await squatter.post('/register', registered('squatter', old)), 202)
    answers(await squatter.login('squatter'), 200)
    answers(
      await anyone.post('/email/change-confirm', {
        token: await askChange(squatter, 'evil@example.com'),
      }),
      200,
    )
    await mail.next(old, 'verify_email')
    answers(await anyone.post('/register', registered('ann', old)), 202)
    answers(
      await anyone.post('/email/verify-confirm', {
        token: await mail.token(old, 'verify_email', 2),
      }),
      200,
    )
    assert.equal((await row('ann')).emailVerified, true)
    assert.deepEqual(mail.to(old, 'existing_account'), [])
  })

  test(`${backend.name}: a verified previous address stays reserved, and a sign-up with it notifies its owner`, async (t) => {
    const { app, join, move, mail, anyone, users, row } = await mailApp(t, backend)
    const token = await move(await join('ann'), old, 'moved@example.com')
    const free = await anyone.post('/register', registered('bob', 'bob@example.com'))
    const taken = await new Client(app).post('/register', registered('eve', old))
    assert.equal(answers(taken, 202).detail, answers(free, 202).detail)
    await mail.next(old, 'existing_account')
    assert.equal(await users.findBy('username', 'eve'), null)
    answers(await anyone.post('/email/change-revert', { token }), 200)
    assert.equal((await row('ann')).email, old)
  })

  test(`${backend.name}: without token_version, a change of an unverified address can be reverted once`, async (t) => {
    const fields = ['id', 'email', 'username', 'hashedPassword', 'isActive', 'emailVerified']
    const { join, move, anyone, row } = await mailApp(t, backend, {
      auth: { users: memoryUsers({ fields }) },
    })
    const token = await move(await join('ann', { verified: false }), old, 'moved@example.com')
    answers(await anyone.post('/email/change-revert', { token }), 200)
    const { email, emailVerified } = await row('ann')
    assert.deepEqual([email, emailVerified], [old, false])
    refusesOwn(
      await anyone.post('/email/change-revert', { token }),
      'CRUDAUTH_TOKEN_INVALID_OR_USED',
    )
  })

  test(`${backend.name}: without a verified flag, every previous address stays reserved`, async (t) => {
    const fields = ['id', 'email', 'username', 'hashedPassword', 'isActive', 'tokenVersion']
    const { app, mail, anyone, users, askChange } = await mailApp(t, backend, {
      auth: { users: memoryUsers({ fields }) },
    })
    const client = new Client(app)
    answers(await client.register('ann'), 202)
    answers(await client.login('ann'), 200)
    answers(
      await anyone.post('/email/change-confirm', {
        token: await askChange(client, 'moved@example.com'),
      }),
      200,
    )
    const token = await mail.token(old, 'email_changed')
    answers(await new Client(app).post('/register', registered('eve', old)), 202)
    await mail.next(old, 'existing_account')
    assert.equal(await users.findBy('username', 'eve'), null)
    answers(await anyone.post('/email/change-revert', { token }), 200)
  })
}

const stored = 'Ann@Example.com'

/** A table that compares addresses case-insensitively. */
async function nocaseTable(t: { after(run: () => unknown): void }): Promise<UserStore> {
  const db = openSqlite()
  t.after(() => db.destroy())
  const columns = `id integer primary key, email text collate nocase not null unique, username text unique, hashed_password text,
    is_active integer not null default 1, is_superuser integer not null default 0, email_verified integer not null default 0,
    token_version integer not null default 0, created_at text, updated_at text`
  await sql.raw(`create table users (${columns})`).execute(db)
  return kyselyUsers(db)
}

/** A custom store that does the same. */
function nocaseMemory(): UserStore {
  const { store, rows } = openUsers()
  const findBy: UserStore['findBy'] = async (field, value) => {
    if (field !== 'email') return store.findBy(field, value)
    const all = (await rows()) as ({ email?: unknown } | null)[]
    return (all.find((row) => String(row?.email).toLowerCase() === String(value).toLowerCase()) ??
      null) as never
  }
  return { ...store, findBy }
}

const stores = { 'a table': nocaseTable, 'a custom store': async () => nocaseMemory() }

for (const backend of backends) {
  for (const [name, open] of Object.entries(stores)) {
    const legacy = async (t: Parameters<typeof mailApp>[0]) => {
      const users = await open(t)
      const made = await mailApp(t, backend, { auth: { users } })
      const hashedPassword = await made.app.crudAuth.passwords.hash(password)
      await users.create({ email: stored, username: 'ann', hashedPassword })
      return {
        ...made,
        byName: async (username: string) =>
          (await users.findBy('username', username)) as Record<string, unknown>,
      }
    }

    test(`${backend.name}: an address that ${name} stores in mixed case can be verified and used for a reset`, async (t) => {
      const { anyone, ask, byName, app } = await legacy(t)
      answers(
        await anyone.post('/email/verify-confirm', { token: await ask('verify', 'ann') }),
        200,
      )
      const { emailVerified, email_verified = emailVerified, email } = await byName('ann')
      assert.deepEqual([Number(email_verified), email], [1, stored])
      answers(
        await anyone.post('/password/reset-confirm', {
          token: await ask('reset', 'ann'),
          new_password: next,
        }),
        200,
      )
      answers(await new Client(app).login('ann', next), 200)
    })

    test(`${backend.name}: an address that ${name} stores in mixed case is reserved and restored by a revert`, async (t) => {
      const { anyone, ask, byName, app, move, mail } = await legacy(t)
      answers(
        await anyone.post('/email/verify-confirm', { token: await ask('verify', 'ann') }),
        200,
      )
      const client = new Client(app)
      answers(await client.login('ann'), 200)
      const same = await client.post('/email/change-request', { new_email: old, password })
      assert.equal(answers(same, 400).message, 'That is the address of the account already')
      const token = await move(client, old, 'moved@example.com')
      for (const spelling of [old, stored]) {
        answers(await new Client(app).post('/register', registered('eve', spelling)), 202)
      }
      await mail.next(old, 'existing_account', 2)
      await settle()
      assert.equal(await byName('eve'), null)
      answers(await anyone.post('/email/change-revert', { token }), 200)
      assert.equal((await byName('ann')).email, old)
    })
  }
}
