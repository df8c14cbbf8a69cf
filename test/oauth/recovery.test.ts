import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { LRUCache } from 'lru-cache'
import type { CrudAuthOptions, OAuthAccountStore } from '../../src/index.js'
import { answers } from '../helpers/answers.js'
import { type Backend, backends } from '../helpers/backends.js'
import { password } from '../helpers/build.js'
import { Mailbox } from '../helpers/mailbox.js'
import {
  Browser,
  browserOf,
  buildOAuth,
  landsOn,
  linkPlaces,
  type Person,
  refusesCallback,
} from '../helpers/oauth.js'
import { refuses } from '../helpers/refuses.js'

/** Recovery removes links of anyone who never verified the address or knew the password. */
const next = 'the true owner’s own phrase'
const victim = 'victim@example.com'
const stranger: Person = { sub: 'stranger', email: victim, email_verified: false }

interface Place {
  readonly name: string
  readonly accounts: () =>
    | { store: OAuthAccountStore; all(): { provider: string; userId: unknown }[] }
    | undefined
}

async function setUp(
  t: TestContext,
  backend: Backend,
  place: Place,
  auth: Partial<CrudAuthOptions> = {},
) {
  const mail = new Mailbox()
  const accounts = place.accounts()
  const options = { ...backend.options(), email: mail.options(), ...auth }
  const built = await buildOAuth(t, { auth: options, oauth: { accounts: accounts?.store } })
  /** Providers that the first account is linked to, including those no longer configured. */
  const links = async () => {
    if (accounts)
      return accounts.all().flatMap(({ provider, userId }) => (userId === 1 ? [provider] : []))
    const [row] = await built.rows()
    return ['acme', 'other', 'github'].filter(
      (provider) => typeof row?.[`${provider}Id`] === 'string',
    )
  }
  /** Links the first account to a provider that is no longer configured. */
  const linkFormer = async () => {
    const linkedAt = new Date()
    await (accounts
      ? accounts.store.add({
          provider: 'github',
          subject: 'former',
          userId: 1,
          email: null,
          linkedAt,
        })
      : built.store.update(1, { githubId: 'former' }))
  }
  const reset = async (address: string) => {
    const anyone = new Browser(built.app)
    answers(await anyone.post('/password/reset-request', { email: address }), 202)
    const token = await mail.token(address, 'reset_password')
    return anyone.post('/password/reset-confirm', { token, new_password: next })
  }
  return { ...built, mail, accounts, links, linkFormer, reset }
}

for (const backend of backends) {
  for (const place of linkPlaces as readonly Place[]) {
    const name = `${backend.name}, ${place.name}`

    test(`${name}: password reset: a never-verified account loses every provider link (pre-hijacking)`, async (t) => {
      const { app, rows, links, linkFormer, reset } = await setUp(t, backend, place)
      const evil = new Browser(app)
      landsOn(await evil.signIn(stranger), '/start')
      landsOn(await evil.link({ sub: 'stranger-too' }, 'other'), '/start')
      await linkFormer()
      assert.deepEqual((await links()).sort(), ['acme', 'github', 'other'])
      answers(await reset(victim), 200)
      assert.deepEqual(await links(), [])
      assert.equal((await rows())[0]?.emailVerified, true)
      assert.equal(await evil.me(), null)
      const back = new Browser(app)
      refusesCallback(await back.signIn(stranger), 'email_unverified')
      refusesCallback(await back.signIn({ sub: 'stranger-too' }, 'other'), 'email_missing')
      assert.equal(await back.me(), null)
      const owner = new Browser(app)
      assert.equal((await owner.login('victim', next)).statusCode, 200)
      assert.equal((await owner.me()).user_id, 1)
    })

    test(`${name}: password reset: a verified account keeps its provider links`, async (t) => {
      const { app, links, linkFormer, reset } = await setUp(t, backend, place)
      landsOn(await new Browser(app).signIn({ ...stranger, email_verified: true }), '/start')
      await linkFormer()
      answers(await reset(victim), 200)
      assert.deepEqual((await links()).sort(), ['acme', 'github'])
      const browser = new Browser(app)
      landsOn(await browser.signIn({ ...stranger, email_verified: true }), '/start')
      assert.equal((await browser.me()).user_id, 1)
    })

    test(`${name}: POST /email/change-revert: removes provider links that the attacker added`, async (t) => {
      const { app, mail, links } = await setUp(t, backend, place)
      const ann = await browserOf(app, 'ann')
      answers(
        await ann.post('/email/verify-confirm', {
          token: await mail.token('ann@example.com', 'verify_email'),
        }),
        200,
      )
      const thief = new Browser(app)
      await thief.login('ann')
      const evil: Person = { sub: 'thief', email: 'thief@example.com', email_verified: true }
      landsOn(await thief.link(evil), '/start')
      answers(
        await thief.post('/email/change-request', { new_email: 'thief@example.com', password }),
        202,
      )
      const token = await mail.token('thief@example.com', 'change_email')
      answers(await thief.post('/email/change-confirm', { token }), 200)
      assert.deepEqual(await links(), ['acme'])
      const revert = await mail.token('ann@example.com', 'email_changed')
      answers(await new Browser(app).post('/email/change-revert', { token: revert }), 200)
      assert.deepEqual(await links(), [])
      assert.equal(await thief.me(), null)
      const back = new Browser(app)
      landsOn(await back.signIn(evil), '/start')
      assert.equal((await back.me()).user_id, 2, 'a new account')
    })
  }

  test(`${backend.name}: password reset: 503 if the link table fails, and the token can be retried`, async (t) => {
    const accounts = linkPlaces[1].accounts()
    let failsAt = Number.POSITIVE_INFINITY
    let removals = 0
    const store: OAuthAccountStore = {
      ...accounts.store,
      async remove(userId, provider, keepLast) {
        if (++removals === failsAt) throw new Error('table-7 is down')
        return accounts.store.remove(userId, provider, keepLast)
      },
    }
    const place: Place = { name: 'table', accounts: () => ({ ...accounts, store }) }
    const { app, mail, rows, links } = await setUp(t, backend, place)
    const evil = new Browser(app)
    landsOn(await evil.signIn(stranger), '/start')
    landsOn(await evil.link({ sub: 'stranger-too' }, 'other'), '/start')
    const anyone = new Browser(app)
    answers(await anyone.post('/password/reset-request', { email: victim }), 202)
    const confirm = { token: await mail.token(victim, 'reset_password'), new_password: next }
    const [before] = await rows()
    failsAt = removals + 2
    refuses(await anyone.post('/password/reset-confirm', confirm), 'CRUDAUTH_UNAVAILABLE', [
      'table-7',
    ])
    // If the address counted as verified now, the retry would keep the second link.
    assert.deepEqual((await rows())[0], before)
    assert.equal((await links()).length, 1)
    answers(await anyone.post('/password/reset-confirm', confirm), 200)
    assert.deepEqual(await links(), [])
  })

  test(`${backend.name}: POST /email/change-revert: succeeds if the link table fails, and retries the removal`, async (t) => {
    const accounts = linkPlaces[1].accounts()
    let failures = 0
    const store: OAuthAccountStore = {
      ...accounts.store,
      async remove(userId, provider, keepLast) {
        if (failures-- > 0) throw new Error('table-7 is down')
        return accounts.store.remove(userId, provider, keepLast)
      },
    }
    const place: Place = { name: 'table', accounts: () => ({ ...accounts, store }) }
    const { app, mail, rows, links } = await setUp(t, backend, place, {
      delivery: { firstRetrySeconds: 0.02 },
    })
    const ann = await browserOf(app, 'ann')
    landsOn(await ann.link({ sub: 'thief' }), '/start')
    answers(
      await ann.post('/email/change-request', { new_email: 'thief@example.com', password }),
      202,
    )
    const token = await mail.token('thief@example.com', 'change_email')
    answers(await ann.post('/email/change-confirm', { token }), 200)
    const revert = await mail.token('ann@example.com', 'email_changed')
    failures = 3
    answers(await new Browser(app).post('/email/change-revert', { token: revert }), 200)
    assert.equal((await rows())[0]?.email, 'ann@example.com')
    assert.equal(await ann.me(), null)
    await mail.next('ann@example.com', 'reset_password')
    for (let tries = 0; (await links()).length > 0 && tries < 1000; tries++) await sleep(5)
    assert.deepEqual(await links(), [])
  })

  test(`${backend.name}: password reset: a link made during the reset does not survive it`, async (t) => {
    const accounts = linkPlaces[1].accounts()
    let meanwhile: (() => Promise<unknown>) | undefined
    const store: OAuthAccountStore = {
      ...accounts.store,
      async list(userId) {
        const listed = await accounts.store.list(userId)
        const work = meanwhile
        meanwhile = undefined
        await work?.()
        return listed
      },
    }
    const { app, links, reset } = await setUp(t, backend, {
      name: 'table',
      accounts: () => ({ ...accounts, store }),
    })
    const evil = await browserOf(app, 'victim')
    const query = await evil.beginLink()
    // Runs after the links to remove have been read.
    meanwhile = async () => {
      landsOn(await evil.finish(query, stranger), '/start')
      assert.deepEqual(await links(), ['acme'])
    }
    answers(await reset(victim), 200)
    assert.equal(meanwhile, undefined)
    assert.deepEqual(await links(), [])
  })
}

test('callback: fails closed with 503 when the store of reserved addresses is down', async (t) => {
  const mail = new Mailbox()
  let isDown = false
  const { app, store, rows } = await buildOAuth(t, { auth: { email: mail.options() } })
  const ann = await browserOf(app, 'ann')
  answers(
    await ann.post('/email/verify-confirm', {
      token: await mail.token('ann@example.com', 'verify_email'),
    }),
    200,
  )
  answers(await ann.post('/email/change-request', { new_email: 'new@example.com', password }), 202)
  answers(
    await ann.post('/email/change-confirm', {
      token: await mail.token('new@example.com', 'change_email'),
    }),
    200,
  )
  const before = await rows()
  const { get } = LRUCache.prototype
  t.mock.method(LRUCache.prototype, 'get', function (this: LRUCache<string, object>, key: string) {
    if (!isDown) return get.call(this, key)
    isDown = false
    throw new Error('state-7 is down')
  })
  const { findBy } = store
  store.findBy = async (field, value) => {
    const row = await findBy(field, value)
    // The look-up just before the store of reserved addresses is read.
    isDown = field === 'email'
    return row
  }
  const browser = new Browser(app)
  const query = await browser.begin()
  const response = await browser.finish(query, {
    sub: 'new-ann',
    email: 'ann@example.com',
    email_verified: true,
  })
  assert.equal(isDown, false, 'the outage happened')
  refusesCallback(response, 'CRUDAUTH_UNAVAILABLE')
  assert.ok(!response.body.includes('state-7'))
  assert.deepEqual(await rows(), before)
})
