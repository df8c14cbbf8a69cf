import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { OAuthAccount } from '../../src/index.js'
import { backends } from '../helpers/backends.js'
import {
  ada,
  Browser,
  browserOf,
  buildOAuth,
  landsOn,
  memoryAccounts,
  type Person,
} from '../helpers/oauth.js'
import { refuses } from '../helpers/refuses.js'
import { serverBackends } from '../helpers/sql-backends.js'

const owner: Person = { sub: 'ann', email: 'ann@example.com', email_verified: true }
const stranger: Person = { sub: 'stranger', email: 'evil@example.com', email_verified: true }

/** Resolves when `open` is called. */
function gate() {
  let open = () => {}
  const opened = new Promise<void>((resolve) => {
    open = resolve
  })
  return { open, opened }
}

for (const backend of [...backends, ...serverBackends]) {
  test(`${backend.name}: pre-hijacking: the attacker's link in progress fails once the owner signs in`, async (t) => {
    const accounts = memoryAccounts()
    const arrived = gate()
    const waiting = gate()
    const add = async (account: OAuthAccount) => {
      if (account.provider === 'other') {
        waiting.open()
        await arrived.opened
      }
      return accounts.store.add(account)
    }
    const { app } = await buildOAuth(t, {
      auth: backend.options(),
      oauth: { accounts: { ...accounts.store, add } },
    })
    const squatter = await browserOf(app, 'ann')
    const linking = squatter.link(stranger, 'other')
    await waiting.opened
    const browser = new Browser(app)
    landsOn(await browser.signIn(owner), '/start')
    arrived.open()
    landsOn(await linking, '/start?error=oauth_failed')
    assert.deepEqual(
      accounts.all().map(({ provider, subject }) => [provider, subject]),
      [['acme', 'ann']],
    )
    const back = new Browser(app)
    landsOn(await back.signIn(stranger, 'other'), '/start')
    assert.equal((await back.me()).user_id, 2)
  })

  test(`${backend.name}: pre-hijacking: a failed link removal is 503, the owner's next sign-in completes it`, async (t) => {
    const accounts = memoryAccounts()
    let isDown = false
    const remove: typeof accounts.store.remove = async (...args) => {
      if (isDown) throw new Error('the table is locked')
      return accounts.store.remove(...args)
    }
    const { app } = await buildOAuth(t, {
      auth: backend.options(),
      oauth: { accounts: { ...accounts.store, remove } },
    })
    const squatter = await browserOf(app, 'ann')
    landsOn(await squatter.link(stranger, 'other'), '/start')
    isDown = true
    const failed = await new Browser(app).signIn(owner)
    refuses(failed, 'CRUDAUTH_UNAVAILABLE', ['locked'])
    isDown = false
    const browser = new Browser(app)
    landsOn(await browser.signIn(owner), '/start')
    assert.equal((await browser.me()).user_id, 1)
    assert.deepEqual(
      accounts.all().map(({ provider }) => provider),
      ['acme'],
    )
    assert.equal(await squatter.me(), null)
    assert.equal((await new Browser(app).login('ann')).statusCode, 401)
  })

  test(`${backend.name}: OAuth sign-up: a failed link insert is 503, the next sign-in finds the account`, async (t) => {
    const accounts = memoryAccounts()
    let isDown = true
    const add: typeof accounts.store.add = async (account) => {
      if (isDown) throw new Error('the table is locked')
      return accounts.store.add(account)
    }
    const { app, rows } = await buildOAuth(t, {
      auth: backend.options(),
      oauth: { accounts: { ...accounts.store, add } },
    })
    refuses(await new Browser(app).signIn(ada), 'CRUDAUTH_UNAVAILABLE', ['locked'])
    isDown = false
    const browser = new Browser(app)
    landsOn(await browser.signIn(ada), '/start')
    assert.equal((await browser.me()).user_id, 1)
    assert.equal((await rows()).length, 1)
  })

  test(`${backend.name}: GET /oauth/accounts: lists the stored provider, email and time of each link`, async (t) => {
    const accounts = memoryAccounts()
    const { app, rows } = await buildOAuth(t, {
      auth: backend.options(),
      oauth: { accounts: accounts.store },
    })
    const browser = new Browser(app)
    const before = Date.now()
    await browser.signIn(ada)
    await browser.link({ sub: 'second' }, 'other')
    const [first, second] = accounts.all()
    const { linkedAt, ...kept } = first as OAuthAccount
    assert.deepEqual(kept, {
      provider: 'acme',
      subject: 'ada-1',
      userId: 1,
      email: 'ada@example.com',
    })
    assert.ok(linkedAt.getTime() >= before && linkedAt.getTime() <= Date.now())
    assert.equal(second?.email, null)
    assert.equal((await rows())[0]?.acmeId, null, 'the column stays empty')
    const listed = (await browser.get('/oauth/accounts')).json()
    assert.deepEqual(listed, [
      { provider: 'acme', email: 'ada@example.com', linked_at: linkedAt.toISOString() },
      { provider: 'other', email: null, linked_at: second?.linkedAt.toISOString() },
    ])
  })
}

test('accounts store: a timeout is 503, a result for another subject is ignored', async (t) => {
  const accounts = memoryAccounts()
  const hanging = { ...accounts.store, find: () => new Promise<never>(() => {}) }
  const { app } = await buildOAuth(t, {
    auth: { timeouts: { usersMs: 100 } },
    oauth: { accounts: hanging },
  })
  refuses(await new Browser(app).signIn(ada), 'CRUDAUTH_UNAVAILABLE')

  const folding = memoryAccounts()
  const find: typeof folding.store.find = async (provider, subject) =>
    folding
      .all()
      .find(
        (account) =>
          account.provider === provider && account.subject.toLowerCase() === subject.toLowerCase(),
      ) ?? null
  const loose = await buildOAuth(t, { oauth: { accounts: { ...folding.store, find } } })
  await new Browser(loose.app).signIn(ada)
  const browser = new Browser(loose.app)
  await browser.signIn({ ...ada, sub: 'ADA-1', email: 'other@example.com' })
  assert.equal((await browser.me()).user_id, 2)
})
