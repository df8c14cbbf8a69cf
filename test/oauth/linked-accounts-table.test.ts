import assert from 'node:assert/strict'
import { test } from 'node:test'
import { memoryUsers, type OAuthAccountStore, type UserStore } from '../../src/index.js'
import { backends } from '../helpers/backends.js'
import {
  ada,
  Browser,
  browserOf,
  buildOAuth,
  fields,
  landsOn,
  memoryAccounts,
  type Person,
} from '../helpers/oauth.js'
import { refuses } from '../helpers/refuses.js'

/** Links in a table outlive users and providers, and are not written together with the row. */
const owner: Person = { sub: 'ann', email: 'ann@example.com', email_verified: true }
const stranger: Person = { sub: 'stranger', email: 'evil@example.com', email_verified: true }

const linkedTo = ({ all }: ReturnType<typeof memoryAccounts>) =>
  all().map(({ provider, subject, userId }) => `${provider} ${subject} ${userId}`)

for (const backend of backends) {
  test(`${backend.name}: unlink: a link to a provider that was removed does not count as a sign-in method`, async (t) => {
    const accounts = memoryAccounts()
    const { app } = await buildOAuth(t, {
      auth: backend.options(),
      oauth: { accounts: accounts.store },
    })
    const browser = new Browser(app)
    await browser.signIn(ada)
    await accounts.store.add({
      provider: 'gone',
      subject: 'ada',
      userId: 1,
      email: null,
      linkedAt: new Date(),
    })
    refuses(await browser.delete('/oauth/acme'), 'CRUDAUTH_LAST_SIGN_IN_METHOD')
    assert.deepEqual(linkedTo(accounts), ['acme ada-1 1', 'gone ada 1'])
    landsOn(await browser.link({ sub: 'ada' }, 'other'), '/start')
    assert.equal((await browser.delete('/oauth/acme')).statusCode, 200)
    refuses(await browser.delete('/oauth/other'), 'CRUDAUTH_LAST_SIGN_IN_METHOD')
  })

  test(`${backend.name}: unlink: an account with a password may remove its last usable link`, async (t) => {
    const accounts = memoryAccounts()
    const { app } = await buildOAuth(t, {
      auth: backend.options(),
      oauth: { accounts: accounts.store },
    })
    const browser = await browserOf(app, 'ann')
    landsOn(await browser.link({ sub: 'mine' }), '/start')
    const former = { provider: 'gone', subject: 'x', userId: 1, email: null }
    await accounts.store.add({ ...former, linkedAt: new Date() })
    assert.equal((await browser.delete('/oauth/acme')).statusCode, 200)
    assert.deepEqual(linkedTo(accounts), ['gone x 1'])
  })

  test(`${backend.name}: unlink: a pre-hijacker racing the owner's sign-in cannot remove the owner's link`, async (t) => {
    const accounts = memoryAccounts()
    let meanwhile: (() => Promise<unknown>) | undefined
    const store: OAuthAccountStore = {
      ...accounts.store,
      async list(userId) {
        const work = meanwhile
        meanwhile = undefined
        await work?.()
        return accounts.store.list(userId)
      },
    }
    const { app } = await buildOAuth(t, { auth: backend.options(), oauth: { accounts: store } })
    const squatter = await browserOf(app, 'ann')
    landsOn(await squatter.link(stranger), '/start')
    meanwhile = async () => landsOn(await new Browser(app).signIn(owner), '/start')
    refuses(await squatter.delete('/oauth/acme'), 'CRUDAUTH_NOT_FOUND')
    assert.equal(meanwhile, undefined)
    assert.deepEqual(linkedTo(accounts), ['acme ann 1'])
  })

  test(`${backend.name}: link: a pre-hijacker racing the owner's sign-in cannot replace the owner's link`, async (t) => {
    const accounts = memoryAccounts()
    let meanwhile: (() => Promise<unknown>) | undefined
    const store: OAuthAccountStore = {
      ...accounts.store,
      async add(account) {
        const added = await accounts.store.add(account)
        const work = meanwhile
        meanwhile = undefined
        await work?.()
        return added
      },
    }
    const { app } = await buildOAuth(t, { auth: backend.options(), oauth: { accounts: store } })
    const squatter = await browserOf(app, 'ann')
    const query = await squatter.beginLink()
    meanwhile = async () => landsOn(await new Browser(app).signIn(owner), '/start')
    landsOn(await squatter.finish(query, stranger), '/start?error=oauth_failed')
    assert.equal(meanwhile, undefined)
    assert.deepEqual(linkedTo(accounts), ['acme ann 1'])
  })

  test(`${backend.name}: callback: a link older than its user is not used, except within clock-skew tolerance`, async (t) => {
    const accounts = memoryAccounts()
    const users = memoryUsers({ fields })
    const { app } = await buildOAuth(t, {
      auth: { ...backend.options(), users },
      oauth: { accounts: accounts.store },
    })
    await new Browser(app).signIn(ada)
    await users.update(1, { createdAt: new Date(Date.now() + 30_000) })
    const browser = new Browser(app)
    landsOn(await browser.signIn({ ...ada, email: 'moved@example.com' }), '/start')
    assert.equal((await browser.me()).user_id, 1)
    await users.update(1, {
      createdAt: new Date(Date.now() + 3_600_000),
      email: 'heir@example.com',
    })
    const heir = await users.findById(1)
    const former = new Browser(app)
    landsOn(await former.signIn(ada), '/start')
    assert.equal((await former.me()).user_id, 2)
    assert.deepEqual(linkedTo(accounts), ['acme ada-1 2'])
    assert.deepEqual(await users.findById(1), heir)
  })
}

/** A time as databases and their drivers return it. */
const shapes: [string, (time: Date) => unknown][] = [
  ['a Date', (time) => time],
  ['ISO text', (time) => time.toISOString()],
  ['PostgreSQL text', (time) => time.toISOString().replace('T', ' ').replace('Z', '+00')],
  ['milliseconds', (time) => time.getTime()],
  ['seconds', (time) => Math.floor(time.getTime() / 1000)],
  ['seconds with a fraction', (time) => time.getTime() / 1000],
  ['milliseconds as text', (time) => String(time.getTime())],
  ['seconds as text', (time) => String(Math.floor(time.getTime() / 1000))],
  ['milliseconds as bigint', (time) => BigInt(time.getTime())],
  ['seconds as bigint', (time) => BigInt(time.getTime()) / 1000n],
  ['microseconds as bigint', (time) => BigInt(time.getTime()) * 1000n],
  ['nanoseconds as bigint', (time) => BigInt(time.getTime()) * 1_000_000n],
  ['an object of a date library', (time) => ({ toString: () => time.toISOString() })],
]

for (const [shape, as] of shapes) {
  for (const of of ['user', 'link'] as const) {
    test(`callback: a link older than its user is not used if the time of the ${of} is ${shape}`, async (t) => {
      const accounts = memoryAccounts()
      const inner = memoryUsers({ fields })
      const shown = <T extends object>(row: T | null, name: keyof T): T | null =>
        row && { ...row, [name]: as(row[name] as Date) }
      const { findById } = inner
      const { find } = accounts.store
      const users: UserStore =
        of === 'link'
          ? inner
          : { ...inner, findById: async (id) => shown(await findById(id), 'createdAt') }
      const store: OAuthAccountStore =
        of === 'user'
          ? accounts.store
          : { ...accounts.store, find: async (...key) => shown(await find(...key), 'linkedAt') }
      const { app } = await buildOAuth(t, { auth: { users }, oauth: { accounts: store } })
      await new Browser(app).signIn(ada)
      const again = new Browser(app)
      landsOn(await again.signIn({ ...ada, email: 'moved@example.com' }), '/start')
      assert.equal((await again.me()).user_id, 1)
      const later = new Date(Date.now() + 3_600_000)
      await inner.update(1, { createdAt: later, email: 'heir@example.com' })
      const former = new Browser(app)
      landsOn(await former.signIn(ada), '/start')
      assert.equal((await former.me()).user_id, 2)
    })
  }
}

test('GET /oauth/accounts: the time of a link in columns is right if it is stored in seconds', async (t) => {
  const inner = memoryUsers({ fields })
  const seconds = Math.floor(Date.now() / 1000)
  const users: UserStore = {
    ...inner,
    async findById(id) {
      const row = await inner.findById(id)
      return row && { ...row, oauthUpdatedAt: seconds }
    },
  }
  const { app } = await buildOAuth(t, { auth: { users } })
  const browser = new Browser(app)
  await browser.signIn(ada)
  const [link] = (await browser.get('/oauth/accounts')).json()
  assert.equal(link.linked_at, new Date(seconds * 1000).toISOString())
})
