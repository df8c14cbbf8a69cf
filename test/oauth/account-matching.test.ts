import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { OAuthAccountStore } from '../../src/index.js'
import { backends } from '../helpers/backends.js'
import { password } from '../helpers/build.js'
import { Mailbox, settle } from '../helpers/mailbox.js'
import {
  ada,
  Browser,
  browserOf,
  buildOAuth,
  landsOn,
  linkPlaces,
  type Person,
  refusesCallback,
} from '../helpers/oauth.js'
import { refuses } from '../helpers/refuses.js'

const ann = (more: Person = {}): Person => ({
  sub: 'ann-at-acme',
  email: 'ann@example.com',
  email_verified: true,
  ...more,
})

for (const backend of backends) {
  for (const place of linkPlaces) {
    const name = `${backend.name}, ${place.name}`
    const setUp = async (t: Parameters<typeof buildOAuth>[0], auth: object = {}) => {
      const accounts = place.accounts()
      const store: OAuthAccountStore | undefined = accounts?.store
      const built = await buildOAuth(t, {
        auth: { ...backend.options(), ...auth },
        oauth: { accounts: store },
      })
      /** Providers that the account with this username is linked to. */
      const linksOf = async (username: string) => {
        const row = await built.store.findBy('username', username)
        if (accounts)
          return (await accounts.store.list(row?.id as number))
            .map(({ provider }) => provider)
            .sort()
        return ['acme', 'other'].filter((provider) => row?.[`${provider}Id`] !== null)
      }
      return { ...built, linksOf }
    }

    test(`${name}: account matching: a verified email links to the verified account, which keeps its data`, async (t) => {
      const { app, store, rows, linksOf } = await setUp(t)
      const owner = await browserOf(app, 'ann')
      await owner.link(ann({ email: 'elsewhere@example.com' }), 'other')
      await store.update(1, { emailVerified: true })
      const [before] = await rows()
      const browser = new Browser(app)
      landsOn(await browser.signIn(ann({ email: 'ANN@Example.com' })), '/start')
      assert.equal((await browser.me()).user_id, 1)
      const [after] = await rows()
      assert.equal((await rows()).length, 1)
      for (const field of [
        'email',
        'username',
        'hashedPassword',
        'tokenVersion',
        'isActive',
        'emailVerified',
        'plan',
      ]) {
        assert.equal(after?.[field], before?.[field], field)
      }
      assert.deepEqual(await linksOf('ann'), ['acme', 'other'])
      assert.equal((await owner.me()).user_id, 1, 'the existing session survives')
      assert.equal((await new Browser(app).login('ann')).statusCode, 200)
      landsOn(await browser.signIn(ann({ email: 'moved@example.com' })), '/start')
      assert.equal((await browser.me()).user_id, 1, 'matched by the provider id afterwards')
    })

    test(`${name}: pre-hijacking: a verified owner takes the account over and the attacker loses all access`, async (t) => {
      const mailbox = new Mailbox()
      const { app, rows, linksOf } = await setUp(t, { email: mailbox.options() })
      const squatter = await browserOf(app, 'ann')
      landsOn(
        await squatter.link(
          { sub: 'squatter', email: 'evil@example.com', email_verified: true },
          'other',
        ),
        '/start',
      )
      const { access_token, refresh_token } = (
        await squatter.form('/token', { username: 'ann', password })
      ).json()
      await squatter.post('/password/reset-request', { email: 'ann@example.com' })
      const resetToken = await mailbox.token('ann@example.com', 'reset_password')
      const verifyToken = await mailbox.token('ann@example.com', 'verify_email')
      await squatter.post('/email/change-request', { new_email: 'evil@example.com', password })
      const changeToken = await mailbox.token('evil@example.com', 'change_email')

      const owner = new Browser(app)
      landsOn(await owner.signIn(ann()), '/start')
      assert.equal((await owner.me()).user_id, 1)
      const [row] = await rows()
      assert.equal((await rows()).length, 1)
      assert.match(String(row?.hashedPassword), /^!/)
      assert.equal(row?.emailVerified, true)
      assert.equal(row?.tokenVersion, 1)
      assert.deepEqual(await linksOf('ann'), ['acme'])

      assert.equal(await squatter.me(), null, 'the session has ended')
      refuses(await new Browser(app).login('ann'), 'CRUDAUTH_BAD_CREDENTIALS')
      const asBearer = await app.inject({
        url: '/me',
        headers: { authorization: `Bearer ${access_token}` },
      })
      assert.equal(asBearer.statusCode, 401)
      refuses(await squatter.post('/refresh', { refresh_token }), 'CRUDAUTH_INVALID_TOKEN')
      const reset = { token: resetToken, new_password: 'another good one' }
      refuses(
        await squatter.post('/password/reset-confirm', reset),
        'CRUDAUTH_TOKEN_INVALID_OR_USED',
      )
      refuses(
        await squatter.post('/email/verify-confirm', { token: verifyToken }),
        'CRUDAUTH_TOKEN_INVALID_OR_USED',
      )
      refuses(
        await squatter.post('/email/change-confirm', { token: changeToken }),
        'CRUDAUTH_TOKEN_INVALID_OR_USED',
      )
      const back = new Browser(app)
      const again = await back.signIn(
        { sub: 'squatter', email: 'evil@example.com', email_verified: true },
        'other',
      )
      landsOn(again, '/start')
      assert.equal((await back.me()).user_id, 2, 'the other provider now leads to a new account')
      assert.equal((await owner.me()).user_id, 1)
      assert.equal((await owner.get('/sessions')).json().length, 1)
    })

    test(`${name}: account matching: an unverified email of an existing account is refused without changes`, async (t) => {
      const { app, rows, linksOf } = await setUp(t)
      const owner = await browserOf(app, 'ann')
      const before = await rows()
      for (const email_verified of [false, undefined, null, 'false', 0, '0', 'yes']) {
        for (const email of ['ann@example.com', 'ANN@EXAMPLE.COM', 'ａnn@example.com']) {
          const browser = new Browser(app)
          refusesCallback(await browser.signIn(ann({ email, email_verified })), 'email_unverified')
          assert.equal(await browser.me(), null)
        }
      }
      assert.deepEqual(await rows(), before)
      assert.deepEqual(await linksOf('ann'), [])
      assert.equal((await owner.me()).user_id, 1)
    })

    test(`${name}: sign-up: an unverified email creates an unverified account and sends a verification`, async (t) => {
      const mailbox = new Mailbox()
      const { app, rows } = await setUp(t, { email: mailbox.options() })
      const browser = new Browser(app)
      landsOn(await browser.signIn(ann({ email_verified: false })), '/start')
      assert.equal((await rows())[0]?.emailVerified, false)
      landsOn(await new Browser(app).signIn(ann({ email_verified: false })), '/start')
      const token = await mailbox.token('ann@example.com', 'verify_email')
      assert.equal((await browser.post('/email/verify-confirm', { token })).statusCode, 200)
      assert.equal((await rows())[0]?.emailVerified, true)
      landsOn(await new Browser(app).signIn(ada), '/start')
      await settle()
      assert.equal(mailbox.messages.length, 1, 'a verified email gets no verification message')
    })

    test(`${name}: sign-up: no account without a valid email`, async (t) => {
      const { app, rows } = await setUp(t)
      for (const email of [
        undefined,
        null,
        '',
        'ann',
        'a@b@c',
        1,
        ['ann@example.com'],
        'ann@example',
        'a b@example.com',
        'ann@\r\nx.com',
      ]) {
        refusesCallback(await new Browser(app).signIn(ann({ email })), 'email_missing')
      }
      assert.deepEqual(await rows(), [])
    })

    test(`${name}: inactive account: refused by provider id, by email and by link, without changes`, async (t) => {
      const failures: string[] = []
      const hooks = {
        onLoginFailed: ({ reason }: { reason: string }) => void failures.push(reason),
      }
      const { app, store, rows, linksOf } = await setUp(t, { hooks })
      await new Browser(app).signIn(ann())
      const bob = await browserOf(app, 'bob')
      const linking = await bob.beginLink()
      for (const id of [1, 2]) await store.update(id, { isActive: false })
      await store.update(2, { emailVerified: true })
      const before = await rows()
      refusesCallback(await new Browser(app).signIn(ann()), 'account_inactive')
      refusesCallback(
        await new Browser(app).signIn(ann({ sub: 'another' }), 'other'),
        'account_inactive',
      )
      refusesCallback(
        await new Browser(app).signIn({
          sub: 'bob',
          email: 'bob@example.com',
          email_verified: true,
        }),
        'account_inactive',
      )
      refusesCallback(await bob.finish(linking, { sub: 'bob' }))
      assert.deepEqual(await rows(), before)
      assert.deepEqual(await linksOf('bob'), [])
      assert.deepEqual(failures, ['inactive', 'inactive', 'inactive'])
    })

    test(`${name}: account matching: an account linked to another subject is provider_already_linked`, async (t) => {
      const { app, rows, linksOf } = await setUp(t)
      await new Browser(app).signIn(ann())
      const before = await rows()
      const browser = new Browser(app)
      refusesCallback(
        await browser.signIn(ann({ sub: 'somebody-else' })),
        'provider_already_linked',
      )
      assert.equal(await browser.me(), null)
      assert.deepEqual(await rows(), before)
      assert.deepEqual(await linksOf('ann'), ['acme'])
    })

    test(`${name}: account matching: an email reserved for its previous owner is refused`, async (t) => {
      const mailbox = new Mailbox()
      const { app, rows } = await setUp(t, { email: mailbox.options() })
      const owner = await browserOf(app, 'ann')
      await owner.post('/email/verify-confirm', {
        token: await mailbox.token('ann@example.com', 'verify_email'),
      })
      await owner.post('/email/change-request', { new_email: 'new@example.com', password })
      const token = await mailbox.token('new@example.com', 'change_email')
      assert.equal((await owner.post('/email/change-confirm', { token })).statusCode, 200)
      const before = await rows()
      for (const email_verified of [true, false])
        refusesCallback(await new Browser(app).signIn(ann({ email_verified })), 'email_unverified')
      assert.deepEqual(await rows(), before)
      const revert = await mailbox.token('ann@example.com', 'email_changed')
      assert.equal((await owner.post('/email/change-revert', { token: revert })).statusCode, 200)
      assert.equal((await rows())[0]?.email, 'ann@example.com')
    })
  }
}
