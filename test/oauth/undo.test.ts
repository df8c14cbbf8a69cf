import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { setTimeout as wait } from 'node:timers/promises'
import { type DeliveryIntent, type EmailOptions, memoryUsers } from '../../src/index.js'
import { answers } from '../helpers/answers.js'
import { type Backend, backends } from '../helpers/backends.js'
import { password } from '../helpers/build.js'
import { deferred } from '../helpers/delivery.js'
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
    /** A verified account, and an attacker who knows its password. */
    const setUp = async (t: TestContext, email: Partial<EmailOptions> = {}) => {
      const mail = new Mailbox()
      const accounts = (place as Place).accounts()?.store
      const built = await buildOAuth(t, {
        auth: { ...backend.options(), email: mail.options(email) },
        oauth: { accounts },
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
      /** Calls `work` with the subject of each new link, just before the link is stored. */
      const beforeLinking = (work: (subject: unknown) => Promise<void>) => {
        const { compareAndSet } = built.store
        if (accounts) {
          const { add } = accounts
          accounts.add = (account) => work(account.subject).then(() => add(account))
        } else {
          built.store.compareAndSet = async (id, expected, values) => {
            if (values.acmeId) await work(values.acmeId)
            return compareAndSet(id, expected, values)
          }
        }
      }
      return { ...built, mail, owner, thief, reset, beforeLinking }
    }
    const name = `${backend.name}, ${place.name}`

    test(`${name}: link: the recovery address is notified and can revert it`, async (t) => {
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
      // The attacker knows the password, so the owner also gets a reset token.
      const reset = await mail.token(ann, 'reset_password')
      const confirm = { token: reset, new_password: next }
      answers(await owner.post('/password/reset-confirm', confirm), 200)
    })

    test(`${name}: link: of two callbacks at once, the one that succeeds can be reverted`, async (t) => {
      const { app, mail, thief, beforeLinking } = await setUp(t)
      const [first, second] = [await thief.beginLink(), await thief.beginLink()]
      const [firstStores, secondStores, firstDone] = [deferred(), deferred(), deferred()]
      beforeLinking(async (subject) => {
        const isFirst = subject === 'evil-1'
        if (isFirst) firstStores.resolve()
        else secondStores.resolve()
        await (isFirst ? secondStores : firstDone).promise
      })
      const winner = thief.finish(first, { sub: 'evil-1' })
      await firstStores.promise
      const loser = thief.finish(second, { sub: 'evil-2' })
      landsOn(await winner, '/start')
      firstDone.resolve()
      landsOn(await loser, '/start?error=oauth_failed')
      const token = await mail.token(ann, 'provider_linked')
      answers(await new Browser(app).post('/email/change-revert', { token }), 200)
      refusesCallback(await new Browser(app).signIn({ sub: 'evil-1' }), 'email_missing')
    })

    test(`${name}: unlink: the recovery address is notified, without a token to redeem`, async (t) => {
      const { mail, owner } = await setUp(t)
      landsOn(await owner.link({ sub: 'mine' }), '/start')
      answers(await owner.delete('/oauth/acme'), 200)
      await mail.token(ann, 'provider_linked')
      const message = await mail.next(ann, 'provider_unlinked')
      assert.ok(!message.context.link.includes('token='))
      assert.equal(message.context.expiresInSeconds, 0)
    })

    test(`${name}: password reset: a link older than revertSeconds survives, a recent one is removed`, async (t) => {
      // Three days, which is the default. The clock of Redis can't be set, so wait there.
      const isMemory = backend.name === 'memory'
      const revertSeconds = isMemory ? 259_200 : 3
      const { app, owner, thief, reset } = await setUp(t, isMemory ? {} : { revertSeconds })
      landsOn(await owner.link({ sub: 'mine' }, 'other'), '/start')
      const ms = revertSeconds * 1000 + 100
      if (isMemory) t.mock.timers.enable({ apis: ['Date'], now: Date.now() + ms })
      else await wait(ms)
      answers(await owner.login('ann'), 200)
      answers(await thief.login('ann'), 200)
      landsOn(await thief.link({ sub: 'evil' }), '/start')
      await reset()
      refusesCallback(await new Browser(app).signIn({ sub: 'evil' }), 'email_missing')
      const back = new Browser(app)
      landsOn(await back.signIn({ sub: 'mine' }, 'other'), '/start')
      assert.equal((await back.me()).user_id, 1)
      const left = (await back.get('/oauth/accounts')).json() as { provider: string }[]
      assert.deepEqual(
        left.map(({ provider }) => provider),
        ['other'],
      )
    })

    test(`${name}: password reset: removes the attacker's link even after they changed the password`, async (t) => {
      const { app, thief, reset } = await setUp(t)
      landsOn(await thief.link({ sub: 'evil' }), '/start')
      const change = { current_password: password, new_password: 'the thief’s own phrase' }
      answers(await thief.post('/change-password', change), 200)
      await reset()
      assert.equal(await thief.me(), null)
      refusesCallback(await new Browser(app).signIn({ sub: 'evil' }), 'email_missing')
      assert.deepEqual((await ownerAfter(app)).json(), [])
    })

    test(`${name}: password reset: a link racing the write of the new password does not survive`, async (t) => {
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

    test(`${name}: password reset: a link begun before it and stored during it does not survive`, async (t) => {
      const { app, store, thief, reset, beforeLinking } = await setUp(t)
      const [isStoring, mayStore] = [deferred(), deferred()]
      beforeLinking(() => {
        isStoring.resolve()
        return mayStore.promise
      })
      const linking = thief.link({ sub: 'evil' })
      await isStoring.promise
      const { compareAndSet } = store
      store.compareAndSet = async (id, expected, values) => {
        mayStore.resolve()
        if (values.hashedPassword !== undefined) landsOn(await linking, '/start')
        return compareAndSet(id, expected, values)
      }
      await reset()
      refusesCallback(await new Browser(app).signIn({ sub: 'evil' }), 'email_missing')
    })

    test(`${name}: password reset: removes an automatic link; the verified email can sign in again`, async (t) => {
      const { app, reset } = await setUp(t)
      landsOn(await new Browser(app).signIn({ ...ada, email: ann, email_verified: true }), '/start')
      await reset()
      assert.deepEqual((await ownerAfter(app)).json(), [])
      landsOn(await new Browser(app).signIn({ ...ada, email: ann, email_verified: true }), '/start')
    })

    test(`${name}: link and unlink: work without a delivery channel`, async (t) => {
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
  test(`${backend.name}: unlink: two concurrent unlinks never remove both usable links`, async (t) => {
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
      assert.ok(left.length > 0, 'one sign-in method is left')
    }
  })
}

test('link: without email, the phone is notified and its token reverts the link', async (t) => {
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
