import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { memoryUsers } from '../../src/index.js'
import { backends } from '../helpers/backends.js'
import { noUnhandledRejections, statuses, times } from '../helpers/hostile.js'
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
import { serverBackends } from '../helpers/sql-backends.js'

/** Counts the responses by redirect target, or by status if there is none. */
const places = (responses: readonly { statusCode: number; headers: Record<string, unknown> }[]) => {
  const counts: Record<string, number> = {}
  for (const { statusCode, headers } of responses) {
    const place = statusCode === 302 ? String(headers.location) : String(statusCode)
    counts[place] = (counts[place] ?? 0) + 1
  }
  return counts
}

const begun = (app: Browser['app'], count: number, path?: string) =>
  Promise.all(
    times(count, async () => {
      const browser = new Browser(app)
      return { browser, query: await browser.begin(path) }
    }),
  )

for (const backend of [...backends, ...serverBackends]) {
  test(`${backend.name}: OAuth callback: of 100 parallel uses of one state exactly one signs in`, async (t) => {
    noUnhandledRejections(t)
    const { app, acme, rows } = await buildOAuth(t, { auth: backend.options() })
    const browser = new Browser(app)
    const query = await browser.begin()
    const answers = await Promise.all(times(100, () => browser.finish(query, ada)))
    assert.deepEqual(statuses(answers), { 302: 100 })
    const refused = answers.filter(({ headers }) => headers.location !== '/start')
    assert.equal(refused.length, 99)
    for (const answer of refused) refusesCallback(answer)
    assert.equal(acme.grants.length, 1, 'the code is exchanged once')
    assert.equal((await rows()).length, 1)
    assert.equal((await app.crudAuth.sessions.list(1)).length, 1)
  })

  for (const place of linkPlaces) {
    const name = `${backend.name}, ${place.name}`
    const setUp = async (t: TestContext) => {
      noUnhandledRejections(t)
      const accounts = place.accounts()
      const built = await buildOAuth(t, {
        auth: backend.options(),
        oauth: { accounts: accounts?.store },
      })
      return { ...built, accounts }
    }

    for (const email_verified of [true, false]) {
      test(`${name}: OAuth: 100 parallel sign-ups by one person create one account (address ${email_verified ? '' : 'not '}verified)`, async (t) => {
        const { app, rows } = await setUp(t)
        const answers = await Promise.all(
          (await begun(app, 100)).map(({ browser, query }) =>
            browser.finish(query, { ...ada, email_verified }),
          ),
        )
        assert.deepEqual(places(answers), { '/start': 100 })
        assert.equal((await rows()).length, 1)
        const again = new Browser(app)
        landsOn(await again.signIn({ ...ada, email_verified }), '/start')
        assert.equal((await again.me()).user_id, 1)
      })
    }

    test(`${name}: account matching: parallel sign-ups at two providers link one account to both`, async (t) => {
      const { app, rows } = await setUp(t)
      const one = await begun(app, 10)
      const two = await begun(app, 10, '/oauth/other/authorize')
      const answers = await Promise.all([
        ...one.map(({ browser, query }) => browser.finish(query, ada)),
        ...two.map(({ browser, query }) =>
          browser.finish(query, { ...ada, sub: 'ada-at-other' }, 'other'),
        ),
      ])
      assert.deepEqual(places(answers), { '/start': 20 })
      assert.equal((await rows()).length, 1)
      for (const [provider, sub] of [
        ['acme', 'ada-1'],
        ['other', 'ada-at-other'],
      ] as const) {
        const browser = new Browser(app)
        landsOn(await browser.signIn({ ...ada, sub }, provider), '/start')
        assert.equal((await browser.me()).user_id, 1)
      }
    })

    test(`${name}: OAuth: 30 parallel sign-ups with the same name get unique usernames`, async (t) => {
      const { app, rows } = await setUp(t)
      const person = (i: number): Person => ({ ...ada, sub: `s${i}`, email: `s${i}@example.com` })
      const answers = await Promise.all(
        (await begun(app, 30)).map(({ browser, query }, i) => browser.finish(query, person(i))),
      )
      assert.deepEqual(places(answers), { '/start': 30 })
      assert.equal(new Set((await rows()).map((row) => row?.username)).size, 30)
    })

    test(`${name}: provider link: of three users linking one account in parallel exactly one gets it`, async (t) => {
      const { app, rows, accounts } = await setUp(t)
      const browsers = [
        await browserOf(app, 'ann'),
        await browserOf(app, 'bob'),
        await browserOf(app, 'cyd'),
      ]
      const queries = await Promise.all(browsers.map((browser) => browser.beginLink()))
      const answers = await Promise.all(
        browsers.map((browser, i) =>
          browser.finish(queries[i] as URLSearchParams, { sub: 'shared' }),
        ),
      )
      assert.deepEqual(places(answers), { '/start': 1, '/start?error=oauth_linked_elsewhere': 2 })
      const holders = accounts
        ? accounts.all().length
        : (await rows()).filter((row) => row?.acmeId === 'shared').length
      assert.equal(holders, 1)
    })

    test(`${name}: provider link: of four parallel links of one user exactly one is stored`, async (t) => {
      const { app } = await setUp(t)
      const ann = await browserOf(app, 'ann')
      const queries = [
        await ann.beginLink(),
        await ann.beginLink(),
        await ann.beginLink(),
        await ann.beginLink(),
      ]
      const answers = await Promise.all(
        queries.map((query, i) => ann.finish(query, { sub: `mine-${i}` })),
      )
      const landed = answers.map(({ headers }) => String(headers.location))
      assert.equal(landed.filter((location) => location === '/start').length, 1, landed.join())
      assert.ok(
        landed.every(
          (location) => location === '/start' || location === '/start?error=oauth_failed',
        ),
        landed.join(),
      )
      assert.equal((await ann.get('/oauth/accounts')).json().length, 1)
      const winner = landed.indexOf('/start')
      const browser = new Browser(app)
      landsOn(await browser.signIn({ sub: `mine-${winner}` }), '/start')
      assert.equal((await browser.me()).user_id, 1)
      // The others are free: each links to another user.
      for (const i of times(4, (i) => i).filter((i) => i !== winner)) {
        const free = await browserOf(app, `bob${i}`)
        landsOn(await free.link({ sub: `mine-${i}` }), '/start')
        assert.equal((await free.get('/oauth/accounts')).json().length, 1)
      }
    })

    test(`${name}: unlink: parallel removal of the last two providers removes exactly one`, async (t) => {
      const { app } = await setUp(t)
      for (const i of times(5, (i) => i)) {
        const person: Person = { ...ada, sub: `s${i}`, email: `s${i}@example.com` }
        const browser = new Browser(app)
        await browser.signIn(person)
        await browser.link(person, 'other')
        const answers = await Promise.all([
          browser.delete('/oauth/acme'),
          browser.delete('/oauth/other'),
          browser.delete('/oauth/acme'),
          browser.delete('/oauth/other'),
        ])
        const counts = statuses(answers)
        assert.equal(counts[200], 1, JSON.stringify(counts))
        assert.ok(answers.every(({ statusCode }) => [200, 404, 409].includes(statusCode)))
        const left = (await browser.get('/oauth/accounts')).json()
        assert.equal(left.length, 1)
        landsOn(await browser.signIn(person, left[0].provider), '/start')
      }
    })
  }

  test(`${backend.name}: unlink and set-password: in parallel they leave at least one sign-in method`, async (t) => {
    noUnhandledRejections(t)
    const { app } = await buildOAuth(t, { auth: backend.options() })
    for (const i of times(5, (i) => i)) {
      const person: Person = { ...ada, sub: `s${i}`, email: `s${i}@example.com` }
      const browser = new Browser(app)
      await browser.signIn(person)
      const [set, removed] = await Promise.all([
        browser.post('/set-password', { new_password: 'another good one' }),
        browser.delete('/oauth/acme'),
      ])
      const accounts = (await browser.get('/oauth/accounts')).json()
      assert.equal(set?.statusCode, 200)
      assert.ok([200, 409].includes(removed?.statusCode ?? 0), removed?.body)
      assert.equal(accounts.length, removed?.statusCode === 200 ? 0 : 1)
      assert.equal(
        (await new Browser(app).login(`s${i}@example.com`, 'another good one')).statusCode,
        200,
      )
    }
  })

  test(`${backend.name}: unlink: the last link stays if the password is removed concurrently`, async (t) => {
    const inner = memoryUsers({ fields })
    let meanwhile: (() => Promise<unknown>) | null = null
    const compareAndSet: typeof inner.compareAndSet = async (id, expected, values) => {
      if (values.acmeId === null && meanwhile) {
        await meanwhile()
        meanwhile = null
      }
      return inner.compareAndSet(id, expected, values)
    }
    const { app } = await buildOAuth(t, {
      auth: { ...backend.options(), users: { ...inner, compareAndSet } },
    })
    const ann = await browserOf(app, 'ann')
    landsOn(await ann.link({ sub: 'mine' }), '/start')
    meanwhile = () => inner.update(1, { hashedPassword: app.crudAuth.passwords.unusable() })
    const answer = await ann.delete('/oauth/acme')
    assert.equal(answer.statusCode, 409, answer.body)
    assert.equal((await inner.findById(1))?.acmeId, 'mine')
  })

  test(`${backend.name}: pre-hijacking: the owner's sign-in wins over parallel changes by the attacker`, async (t) => {
    noUnhandledRejections(t)
    for (const i of times(5, (i) => i)) {
      const users = memoryUsers({ fields })
      const { app } = await buildOAuth(t, { auth: { ...backend.options(), users } })
      const stranger = await browserOf(app, 'ann')
      const query = await stranger.beginLink('other')
      const owner = new Browser(app)
      const ownerQuery = await owner.begin()
      const change = { current_password: 'correct horse battery', new_password: 'another good one' }
      const [arrived] = await Promise.all([
        owner.finish(ownerQuery, { sub: 'ann', email: 'ann@example.com', email_verified: true }),
        stranger.finish(query, { sub: 'stranger' }, 'other'),
        i % 2 === 0 ? stranger.post('/change-password', change) : null,
        new Browser(app).login('ann'),
      ])
      landsOn(arrived, '/start')
      const row = await users.findById(1)
      assert.match(String(row?.hashedPassword), /^!/)
      assert.equal(row?.acmeId, 'ann')
      assert.equal(row?.otherId, null)
      assert.equal(await stranger.me(), null)
      assert.equal((await owner.me()).user_id, 1)
      assert.equal((await new Browser(app).login('ann', change.new_password)).statusCode, 401)
    }
  })
}
