import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type CrudAuthOptions, type DeliveryIntent, memoryUsers } from '../../src/index.js'
import { backends } from '../helpers/backends.js'
import { password } from '../helpers/build.js'
import { settle } from '../helpers/mailbox.js'
import {
  ada,
  Browser,
  browserOf,
  buildOAuth,
  fields,
  landsOn,
  linkPlaces,
  type Person,
  refusesCallback,
} from '../helpers/oauth.js'
import { refuses } from '../helpers/refuses.js'

const owner: Person = { sub: 'ann', email: 'ann@example.com', email_verified: true }
const phone = '+4915112345678'

for (const backend of backends) {
  test(`${backend.name}: pre-hijacking: the owner's provider sign-in removes the attacker's recovery phone`, async (t) => {
    const sent: DeliveryIntent[] = []
    const users = memoryUsers({ fields: [...fields, 'phone', 'phoneVerified'] })
    const { app } = await buildOAuth(t, {
      auth: {
        ...backend.options(),
        users,
        identity: { login: ['email', 'phone'], recovery: 'phone' },
        channels: [{ name: 'sms', deliver: async (intent) => void sent.push(intent) }],
      },
    })
    const stranger = new Browser(app)
    const registered = await stranger.post('/register', {
      email: 'ann@example.com',
      phone,
      password,
    })
    assert.equal(registered.statusCode, 202, registered.body)
    const browser = new Browser(app)
    landsOn(await browser.signIn(owner), '/start')
    const row = await users.findById(1)
    assert.equal(row?.phone, null)
    assert.equal(row?.phoneVerified, false)
    await stranger.post('/password/reset-request', { phone })
    await settle()
    assert.deepEqual(
      sent.filter(({ kind }) => kind === 'reset_password'),
      [],
    )
    refuses(await stranger.login(phone), 'CRUDAUTH_BAD_CREDENTIALS')
    assert.equal((await browser.me()).user_id, 1)
  })

  for (const place of linkPlaces) {
    const setUp = (t: Parameters<typeof buildOAuth>[0], auth: Partial<CrudAuthOptions> = {}) =>
      buildOAuth(t, {
        auth: { ...backend.options(), ...auth },
        oauth: { accounts: place.accounts()?.store },
      })

    test(`${backend.name}, ${place.name}: pre-hijacking: the owner's sign-in removes the attacker's provider links`, async (t) => {
      const { app } = await setUp(t)
      const stranger = await browserOf(app, 'ann')
      landsOn(await stranger.link({ sub: 'stranger' }), '/start')
      landsOn(await stranger.link({ sub: 'stranger' }, 'other'), '/start')
      const browser = new Browser(app)
      landsOn(await browser.signIn(owner), '/start')
      assert.equal((await browser.me()).user_id, 1)
      assert.deepEqual(
        (await browser.get('/oauth/accounts'))
          .json()
          .map(({ provider }: { provider: string }) => provider),
        ['acme'],
      )
      assert.equal(await stranger.me(), null)
      for (const provider of ['acme', 'other']) {
        const back = await new Browser(app).signIn({ sub: 'stranger' }, provider)
        refusesCallback(back, 'email_missing')
      }
      landsOn(await browser.signIn(owner), '/start')
      assert.equal((await browser.me()).user_id, 1)
    })

    test(`${backend.name}, ${place.name}: pre-hijacking: the owner takes over an account with their unverified address`, async (t) => {
      const { app, rows } = await setUp(t)
      const stranger = new Browser(app)
      landsOn(await stranger.signIn({ ...owner, sub: 'stranger', email_verified: false }), '/start')
      const browser = new Browser(app)
      landsOn(await browser.signIn(owner), '/start')
      assert.equal((await browser.me()).user_id, 1)
      assert.equal((await rows())[0]?.emailVerified, true)
      assert.equal(await stranger.me(), null)
      refusesCallback(
        await stranger.signIn({ ...owner, sub: 'stranger', email_verified: false }),
        'email_unverified',
      )
      refusesCallback(
        await stranger.signIn({ ...owner, sub: 'stranger' }),
        'provider_already_linked',
      )
      assert.equal((await rows()).length, 1)
    })
  }

  test(`${backend.name}: account matching: without an emailVerified field, a matching address is not enough`, async (t) => {
    const users = memoryUsers({ fields: fields.filter((field) => field !== 'emailVerified') })
    const { app } = await buildOAuth(t, { auth: { ...backend.options(), users } })
    const ann = await browserOf(app, 'ann')
    const before = await users.findById(1)
    refusesCallback(await new Browser(app).signIn(owner), 'email_unverified')
    assert.deepEqual(await users.findById(1), before)
    landsOn(await ann.link(owner), '/start')
    const browser = new Browser(app)
    landsOn(await browser.signIn(owner), '/start')
    assert.equal((await browser.me()).user_id, 1)
    landsOn(await new Browser(app).signIn(ada), '/start')
    landsOn(await new Browser(app).signIn(ada), '/start')
    refusesCallback(await new Browser(app).signIn({ ...ada, sub: 'another' }), 'email_unverified')
  })

  test(`${backend.name}: OAuth sign-up: hooks run once although the username is taken`, async (t) => {
    const asked: unknown[] = []
    const { app, store } = await buildOAuth(t, {
      auth: {
        ...backend.options(),
        registration: {
          fields: ({ source }) =>
            source === 'oauth' ? { plan: `plan ${asked.push('fields')}` } : {},
        },
        hooks: { onBeforeRegister: (values) => void asked.push(values.username) },
      },
    })
    await new Browser(app).register('ada')
    asked.length = 0
    const browser = new Browser(app)
    landsOn(await browser.signIn({ ...ada, email: 'countess@example.com' }), '/start')
    assert.deepEqual(asked, ['ada', 'fields'])
    assert.match((await browser.me()).username, /^ada-\d+$/)
    assert.equal((await store.findById(2))?.plan, 'plan 2')
  })
}
