import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { type DeliveryIntent, memoryUsers } from '../../src/index.js'
import { answers } from '../helpers/answers.js'
import { type Backend, backends } from '../helpers/backends.js'
import { password } from '../helpers/build.js'
import { Mailbox } from '../helpers/mailbox.js'
import {
  ada,
  Browser,
  browserOf,
  buildOAuth,
  landsOn,
  linkPlaces,
  refusesCallback,
} from '../helpers/oauth.js'
import { refuses } from '../helpers/refuses.js'

const next = 'the owner’s own next phrase'
const ann = 'ann@example.com'
type Place = (typeof linkPlaces)[number]

for (const backend of backends) {
  for (const place of linkPlaces) {
    /** An account that has proved its address, and a thief who knows its password. */
    const setUp = async (t: TestContext) => {
      const mail = new Mailbox()
      const built = await buildOAuth(t, {
        auth: { ...backend.options(), email: mail.options() },
        oauth: { accounts: (place as Place).accounts()?.store },
      })
      const owner = await browserOf(built.app, 'ann')
      const token = await mail.token(ann, 'verify_email')
      answers(await owner.post('/email/verify-confirm', { token }), 200)
      const thief = new Browser(built.app)
      answers(await thief.login('ann'), 200)
      const reset = async () => {
        answers(await owner.post('/password/reset-request', { email: ann }), 202)
        const token = await mail.token(ann, 'reset_password')
        answers(await owner.post('/password/reset-confirm', { token, new_password: next }), 200)
      }
      return { ...built, mail, owner, thief, reset }
    }
    const name = `${backend.name}, ${place.name}`

    test(`${name}: a link is told to the recovery factor, and can be taken back there`, async (t) => {
      const { app, mail, owner, thief } = await setUp(t)
      landsOn(await thief.link({ sub: 'evil' }), '/start')
      const token = await mail.token(ann, 'provider_linked')
      const message = mail.messages.find(({ kind }) => kind === 'provider_linked')
      assert.match(String(message?.text), /Acme/)
      answers(await new Browser(app).post('/email/change-revert', { token }), 200)
      assert.equal(await thief.me(), null)
      assert.equal(await owner.me(), null)
      refusesCallback(await new Browser(app).signIn({ sub: 'evil' }), 'email_missing')
      refuses(
        await new Browser(app).post('/email/change-revert', { token }),
        'CRUDAUTH_TOKEN_INVALID_OR_USED',
      )
      // Whoever made the link knows the password.
      const reset = await mail.token(ann, 'reset_password')
      const confirm = { token: reset, new_password: next }
      answers(await owner.post('/password/reset-confirm', confirm), 200)
    })

    test(`${name}: a link that was taken away is told as well, and has nothing to redeem`, async (t) => {
      const { mail, owner } = await setUp(t)
      landsOn(await owner.link({ sub: 'mine' }), '/start')
      answers(await owner.delete('/oauth/acme'), 200)
      await mail.token(ann, 'provider_linked')
      const message = await mail.next(ann, 'provider_unlinked')
      assert.ok(!message.context.link.includes('token='))
      assert.equal(message.context.expiresInSeconds, 0)
    })

    test(`${name}: a reset takes links away that were made lately, and leaves the others`, async (t) => {
      const { app, owner, thief, reset } = await setUp(t)
      landsOn(await owner.link({ sub: 'mine' }, 'other'), '/start')
      t.mock.timers.enable({ apis: ['Date'], now: Date.now() + 259_201_000 })
      answers(await owner.login('ann'), 200)
      answers(await thief.login('ann'), 200)
      landsOn(await thief.link({ sub: 'evil' }), '/start')
      if (backend.name === 'memory') {
        await reset()
        const back = new Browser(app)
        landsOn(await back.signIn({ sub: 'mine' }, 'other'), '/start')
        assert.equal((await back.me()).user_id, 1)
      }
    })

    test(`${name}: however the thief changes the password after the link, the owner's reset ends both`, async (t) => {
      const { app, thief, reset } = await setUp(t)
      landsOn(await thief.link({ sub: 'evil' }), '/start')
      const change = { current_password: password, new_password: 'the thief’s own phrase' }
      answers(await thief.post('/change-password', change), 200)
      await reset()
      assert.equal(await thief.me(), null)
      refusesCallback(await new Browser(app).signIn({ sub: 'evil' }), 'email_missing')
      assert.deepEqual((await ownerAfter(app)).json(), [])
    })

    test(`${name}: a link that is made as a reset is written does not outlive it`, async (t) => {
      const { app, store, thief, reset } = await setUp(t)
      const query = await thief.beginLink()
      const { compareAndSet } = store
      store.compareAndSet = async (id, expected, values) => {
        if (values.hashedPassword === undefined) return compareAndSet(id, expected, values)
        store.compareAndSet = compareAndSet
        landsOn(await thief.finish(query, { sub: 'evil' }), '/start')
        return compareAndSet(id, expected, values)
      }
      await reset()
      assert.equal(store.compareAndSet, compareAndSet)
      assert.equal(await thief.me(), null)
      refusesCallback(await new Browser(app).signIn({ sub: 'evil' }), 'email_missing')
    })

    test(`${name}: of a link to an address and its account, a reset takes the link alone`, async (t) => {
      const { app, reset } = await setUp(t)
      landsOn(await new Browser(app).signIn({ ...ada, email: ann, email_verified: true }), '/start')
      await reset()
      assert.deepEqual((await ownerAfter(app)).json(), [])
      landsOn(await new Browser(app).signIn({ ...ada, email: ann, email_verified: true }), '/start')
    })

    test(`${name}: without a way to write to people linking works, and nothing is kept for an undo`, async (t) => {
      const { app } = await buildOAuth(t, {
        auth: backend.options(),
        oauth: { accounts: (place as Place).accounts()?.store },
      })
      const browser = await browserOf(app, 'ann')
      landsOn(await browser.link({ sub: 'mine' }), '/start')
      answers(await browser.delete('/oauth/acme'), 200)
    })
  }

  const ownerAfter = async (app: Browser['app']) => {
    const owner = new Browser(app)
    answers(await owner.login('ann', next), 200)
    return owner.get('/oauth/accounts')
  }

  leftovers(backend)
}

/** A table of links with one to a provider that is no longer configured. */
function leftovers(backend: Backend) {
  test(`${backend.name}: of two unlinks at once one at most goes through, whatever a former provider has left`, async (t) => {
    for (let round = 0; round < 10; round++) {
      const accounts = linkPlaces[1].accounts()
      const { app } = await buildOAuth(t, {
        auth: backend.options(),
        oauth: { accounts: accounts.store },
      })
      const browser = new Browser(app)
      landsOn(await browser.signIn(ada), '/start')
      landsOn(await browser.link({ sub: 'mine' }, 'other'), '/start')
      const account = { provider: 'former', subject: 'x', userId: 1, email: null }
      await accounts.store.add({ ...account, linkedAt: new Date() })
      await Promise.all([browser.delete('/oauth/acme'), browser.delete('/oauth/other')])
      const left = accounts.all().filter(({ provider }) => provider !== 'former')
      assert.ok(left.length > 0, 'a way in is left')
    }
  })
}

test('where there is no email, a link is told to the phone, and can be taken back by what came there', async (t) => {
  const phone = '+4915112345678'
  const factors = ['phone', 'phoneVerified', 'acmeId', 'otherId']
  const users = memoryUsers({
    fields: [...factors, 'id', 'hashedPassword', 'isActive', 'tokenVersion'],
    unique: ['phone', 'acmeId', 'otherId'],
  })
  let tell = (_token: string | null) => {}
  const told = new Promise<string | null>((resolve) => {
    tell = resolve
  })
  const deliver = ({ kind, token }: DeliveryIntent) => {
    if (kind === 'provider_linked') tell(token)
  }
  const { app } = await buildOAuth(t, {
    auth: {
      users,
      identity: { login: ['phone'], recovery: 'phone' },
      channels: [{ name: 'sms', deliver }],
    },
  })
  const browser = new Browser(app)
  await browser.post('/register', { phone, password })
  await users.update(1, { phoneVerified: true })
  answers(await browser.login(phone), 200)
  landsOn(await browser.link({ sub: 'evil' }), '/start')
  const token = await told
  answers(await new Browser(app).post('/email/change-revert', { token }), 200)
  assert.equal((await users.findById(1))?.acmeId, null)
})
