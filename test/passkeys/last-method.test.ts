import assert from 'node:assert/strict'
import { describe, type TestContext, test } from 'node:test'
import { memoryUsers } from '../../src/index.js'
import { answers, refusesOwn } from '../helpers/answers.js'
import { hookedPasskeys, once } from '../helpers/hooked-passkeys.js'
import { times } from '../helpers/hostile.js'
import { ada, Browser, buildOAuth, fields, linkPlaces } from '../helpers/oauth.js'
import { passkeysEverywhere } from '../helpers/passkey-places.js'
import { addPasskey, device, passkeyIds, passkeyOptions } from '../helpers/passkeys.js'

const last = 'CRUDAUTH_LAST_SIGN_IN_METHOD'

/** An app whose users have no password, but links and passkeys. */
async function start(
  t: TestContext,
  accounts: ReturnType<(typeof linkPlaces)[number]['accounts']>,
  auth: object,
  store: NonNullable<Parameters<typeof passkeyOptions>[0]>['store'],
) {
  const users = memoryUsers({ fields })
  const options = passkeyOptions(store ? { store } : {})
  const built = await buildOAuth(t, {
    auth: { ...auth, users, passkeys: options },
    oauth: accounts ? { accounts: accounts.store } : {},
  })
  return {
    ...built,
    async join(name: string) {
      const browser = new Browser(built.app)
      await browser.signIn({ ...ada, sub: name, email: `${name}@example.com` })
      assert.ok(await browser.me())
      return { browser, passkey: await addPasskey(browser, device()) }
    },
  }
}

const linksOf = async (browser: Browser): Promise<unknown[]> =>
  answers(await browser.get('/oauth/accounts'), 200)

for (const place of passkeysEverywhere) {
  for (const links of linkPlaces) {
    test(`${place.name}, links in ${links.name}: the last passkey and the last link are never removed together`, async (t) => {
      const { auth, store } = await place.open(t)
      const { join } = await start(t, links.accounts(), auth, store)
      for (const name of times(15, (index) => `user${index}`)) {
        const { browser, passkey } = await join(name)
        const answered = await Promise.all([
          browser.delete(`/passkeys/${passkey.id}`),
          browser.delete('/oauth/acme'),
        ])
        const removed = answered.filter(({ statusCode }) => statusCode === 200).length
        for (const { statusCode, body } of answered)
          assert.ok([200, 409].includes(statusCode), body)
        const left = (await passkeyIds(browser)).length + (await linksOf(browser)).length
        assert.equal(left, 2 - removed, 'what was refused is still there')
        assert.ok(left >= 1, 'the account has a way in')
      }
    })
  }
}

for (const links of linkPlaces) {
  describe(`links in ${links.name}`, () => {
    test('a passkey is a way to sign in, and so is a link', async (t) => {
      const { join } = await start(t, links.accounts(), {}, undefined)
      const { browser, passkey } = await join('ada')
      answers(await browser.delete('/oauth/acme'), 200)
      refusesOwn(await browser.delete(`/passkeys/${passkey.id}`), last)
      await browser.link({ ...ada, sub: 'again' })
      answers(await browser.delete(`/passkeys/${passkey.id}`), 200)
      refusesOwn(await browser.delete('/oauth/acme'), last)
    })

    test('a link that goes between the look and the removal brings the passkey back', async (t) => {
      const hooked = hookedPasskeys()
      const { join } = await start(t, links.accounts(), {}, hooked.store)
      const { browser, passkey } = await join('ada')
      let unlinked = 0
      hooked.before = async (method) => {
        if (method !== 'delete' || unlinked > 0) return
        unlinked = (await browser.delete('/oauth/acme')).statusCode
      }
      refusesOwn(await browser.delete(`/passkeys/${passkey.id}`), last)
      assert.equal(unlinked, 200)
      assert.deepEqual(answers(await browser.get('/passkeys'), 200), [passkey])
    })

    test('a passkey is not brought back into an account that was deleted meanwhile', async (t) => {
      const hooked = hookedPasskeys()
      const { app, join } = await start(t, links.accounts(), {}, hooked.store)
      const { browser, passkey } = await join('ada')
      let [isUnlinked, isDeleted] = [false, false]
      hooked.before = async (method) => {
        if (method === 'delete' && !isUnlinked) {
          isUnlinked = true
          answers(await browser.delete('/oauth/acme'), 200)
        }
        // The passkey is about to be added again. A deletion replaces the credential.
        if (method === 'create' && isUnlinked && !isDeleted)
          isDeleted = await app.crudAuth.users.update(1, { hashedPassword: '!gone' })
      }
      refusesOwn(await browser.delete(`/passkeys/${passkey.id}`), last)
      assert.ok(isDeleted)
      assert.deepEqual(await hooked.store.listByUser(1), [])
    })

    test('a passkey that goes while a link is removed brings the link back', async (t) => {
      const hooked = hookedPasskeys()
      const { join } = await start(t, links.accounts(), {}, hooked.store)
      const { browser, passkey } = await join('ada')
      once(hooked, 'listByUser', async () => {
        assert.equal(await hooked.store.delete(1, passkey.id, false), 'deleted')
      })
      refusesOwn(await browser.delete('/oauth/acme'), last)
      assert.equal((await linksOf(browser)).length, 1)
    })

    test('an outage after the removal of a link or a passkey takes it back', async (t) => {
      const hooked = hookedPasskeys()
      const { join } = await start(t, links.accounts(), {}, hooked.store)
      const { browser, passkey } = await join('ada')
      let lists = 0
      const failFrom = (list: number) => {
        lists = 0
        hooked.before = (method) => {
          if (method === 'listByUser' && ++lists >= list) throw new Error('the database is away')
        }
      }
      for (const path of ['/oauth/acme', `/passkeys/${passkey.id}`]) {
        failFrom(2)
        refusesOwn(await browser.delete(path), 'CRUDAUTH_UNAVAILABLE')
        failFrom(Number.POSITIVE_INFINITY)
        assert.equal((await linksOf(browser)).length, 1)
        assert.deepEqual(await passkeyIds(browser), [passkey.id])
      }
    })
  })
}
