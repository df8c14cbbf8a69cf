import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { type CrudAuthOptions, memoryUsers } from '../../src/index.js'
import { backends } from '../helpers/backends.js'
import { password } from '../helpers/build.js'
import { type GithubAccount, githubAt, startGithub } from '../helpers/github-standin.js'
import {
  ada,
  Browser,
  baseUrl,
  browserOf,
  buildOAuth,
  landsOn,
  linkPlaces,
  type Person,
  refusesCallback,
} from '../helpers/oauth.js'
import { visit } from '../helpers/protocol.js'
import { refuses } from '../helpers/refuses.js'

const until = `${baseUrl}/oauth/github/callback`

async function withGithub(t: TestContext, auth: Partial<CrudAuthOptions> = {}, oauth: object = {}) {
  const github = await startGithub(t)
  const built = await buildOAuth(t, { auth, oauth, providers: { github: githubAt(github) } })
  /** Signs in with this GitHub account and returns the user id. */
  const enter = async (account: Partial<GithubAccount>) => {
    const address = {
      email: `${account.login ?? 'octocat'}@example.com`,
      primary: true,
      verified: true,
      visibility: null,
    }
    Object.assign(github.account, { emails: [address] }, account)
    const browser = new Browser(built.app)
    const begun = await browser.get('/oauth/github/authorize')
    const params = await visit(String(begun.headers.location), { until })
    landsOn(await browser.callback(params, 'github'), '/start')
    return (await browser.me()).user_id
  }
  return { ...built, github, enter }
}

for (const backend of backends) {
  for (const place of linkPlaces) {
    test(`${backend.name}, ${place.name}: provider ids: distinct ids never collide, a number equals its text`, async (t) => {
      const { enter } = await withGithub(t, backend.options(), {
        accounts: place.accounts()?.store,
      })
      const ids = [
        ['0', 'zero'],
        ['1', 'one'],
        ['10', 'ten'],
        ['9007199254740993', 'big'],
        ['9007199254740992', 'nearly'],
        ['123456789012345678901234567890', 'huge'],
        ['"8b7c2f0e-6f0a-4c2e-9a51-0d5c5d0b6c11"', 'uuid'],
        ['"AbC"', 'upper'],
        ['"abc"', 'lower'],
        ['"01"', 'leading'],
        ['"1.0"', 'decimal'],
        ['"-1"', 'negative'],
        ['"__proto__"', 'proto'],
      ] as const
      const entered: unknown[] = []
      for (const [id, login] of ids) entered.push(await enter({ id, login }))
      assert.equal(new Set(entered).size, ids.length)
      for (const [index, [id]] of ids.entries()) {
        const other = { id, login: `renamed${index}`, emails: [] }
        assert.equal(await enter(other), entered[index], `${id} is found again`)
      }
      assert.equal(await enter({ id: '"0"', login: 'a', emails: [] }), entered[0])
      assert.equal(await enter({ id: '"1"', login: 'b', emails: [] }), entered[1])
      assert.equal(await enter({ id: '"9007199254740993"', login: 'c', emails: [] }), entered[3])
    })

    test(`${backend.name}, ${place.name}: provider ids: the same id at two providers means two users`, async (t) => {
      const { app } = await buildOAuth(t, {
        auth: backend.options(),
        oauth: { accounts: place.accounts()?.store },
      })
      const [one, two] = [new Browser(app), new Browser(app)]
      await one.signIn(ada)
      await two.signIn({ ...ada, email: 'other@example.com' }, 'other')
      assert.notEqual((await one.me()).user_id, (await two.me()).user_id)
    })
  }

  test(`${backend.name}: GitHub: a public but unverified address counts as missing`, async (t) => {
    const { app, github, rows } = await withGithub(t, backend.options())
    await browserOf(app, 'ann')
    const before = await rows()
    const emails = [
      { email: 'ann@example.com', primary: true, verified: false, visibility: 'public' as const },
    ]
    Object.assign(github.account, { email: 'ann@example.com', emails })
    const browser = new Browser(app)
    const begun = await browser.get('/oauth/github/authorize')
    const params = await visit(String(begun.headers.location), { until })
    refusesCallback(await browser.callback(params, 'github'), 'email_missing')
    assert.deepEqual(await rows(), before)
  })

  test(`${backend.name}: account matching: spelling variants of an address mean one account`, async (t) => {
    const { app, rows } = await buildOAuth(t, { auth: backend.options() })
    await new Browser(app).signIn({ ...ada, email: 'ada@xn--bcher-kva.example' })
    for (const [i, email] of [
      'ADA@bücher.example',
      'ada@xn--bcher-kva.example',
      'ａｄａ@BÜCHER.example',
    ].entries()) {
      refusesCallback(
        await new Browser(app).signIn({ ...ada, sub: `s${i}`, email, email_verified: false }),
        'email_unverified',
      )
      refusesCallback(
        await new Browser(app).signIn({ ...ada, sub: `s${i}`, email }),
        i === 1 ? 'provider_already_linked' : 'email_unverified',
      )
    }
    assert.equal((await rows()).length, 1)
    assert.equal((await rows())[0]?.email, 'ada@xn--bcher-kva.example')
    const browser = new Browser(app)
    landsOn(
      await browser.signIn(
        { ...ada, sub: 'at-other', email: 'ADA@XN--BCHER-KVA.EXAMPLE' },
        'other',
      ),
      '/start',
    )
    assert.equal((await browser.me()).user_id, 1)
  })
}

test('OAuth sign-up: mass assignment by parameters, headers and claims has no effect', async (t) => {
  const { app, rows } = await buildOAuth(t)
  const victim = await browserOf(app, 'ann')
  const person: Person = {
    ...ada,
    id: 1,
    user_id: 1,
    userId: 1,
    is_superuser: true,
    isSuperuser: true,
    is_active: false,
    hashed_password: 'x',
    acmeId: 'x',
    plan: 'gold',
    token_version: 9,
    __proto__: { email: 'ann@example.com' },
  }
  const browser = new Browser(app, '', { headers: { 'x-user-id': '1' } })
  const query = await browser.begin(
    '/oauth/acme/authorize?user_id=1&link=1&provider=other&acmeId=x',
  )
  landsOn(await browser.finish(query, person), '/start')
  const me = await browser.me()
  assert.equal(me.user_id, 2)
  assert.equal(me.is_superuser, false)
  const [, row] = await rows()
  assert.equal(row?.plan, null)
  assert.equal(row?.acmeId, 'ada-1')
  assert.equal(row?.isActive, true)
  assert.equal((await victim.me()).user_id, 1)
})

test('OAuth account: no guess signs in, set-password requires a fresh sign-in', async (t) => {
  const { app, rows } = await buildOAuth(t)
  const browser = new Browser(app)
  await browser.signIn(ada)
  const [row] = await rows()
  for (const guess of [
    '!',
    password,
    String(row?.hashedPassword),
    String(row?.hashedPassword).slice(1),
  ]) {
    refuses(await new Browser(app).login('ada', guess), 'CRUDAUTH_BAD_CREDENTIALS')
  }
  refuses(
    await browser.post('/change-password', {
      current_password: password,
      new_password: 'another good one',
    }),
    'CRUDAUTH_NO_PASSWORD',
  )
  t.mock.timers.enable({ apis: ['Date'], now: Date.now() + 601_000 })
  refuses(
    await browser.post('/set-password', { new_password: 'another good one' }),
    'CRUDAUTH_FRESH_SIGN_IN_REQUIRED',
  )
  const auth_time = Math.floor(Date.now() / 1000)
  landsOn(await browser.signIn({ ...ada, auth_time }), '/start')
  assert.equal(
    (await browser.post('/set-password', { new_password: 'another good one' })).statusCode,
    200,
  )
})

test('provider link: it does not sign in to a deleted user or a reused id', async (t) => {
  const inner = memoryUsers({
    fields: ['email', 'username', 'hashedPassword', 'emailVerified', 'createdAt'],
  })
  const gone = new Set<unknown>()
  const accounts = linkPlaces[1].accounts()
  const users = {
    ...inner,
    findById: async (id: never) => (gone.has(id) ? null : inner.findById(id)),
  }
  const { app } = await buildOAuth(t, { auth: { users }, oauth: { accounts: accounts.store } })
  await new Browser(app).signIn(ada)
  gone.add(1)
  const browser = new Browser(app)
  landsOn(await browser.signIn({ ...ada, email: 'new@example.com' }), '/start')
  assert.equal((await browser.me()).user_id, 2)
  assert.deepEqual(
    accounts.all().map(({ userId }) => userId),
    [2],
  )
  await inner.update(2, {
    createdAt: new Date(Date.now() + 3_600_000),
    emailVerified: true,
    email: 'remade@example.com',
  })
  const former = new Browser(app)
  landsOn(await former.signIn({ ...ada, email: 'third@example.com' }), '/start')
  assert.equal((await former.me()).user_id, 3)
})
