import assert from 'node:assert/strict'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import Database from 'libsql'
import { commandOf, startDemo, temporaryFolder } from './start.js'
import { password, Visitor } from './visitor.js'

const startOidcDemo = (t: TestContext, folder: string) =>
  startDemo(t, folder, {}, commandOf('demo:oidc'))

/** A user who follows redirects to the provider and back. The provider has its own cookies. */
class Traveller extends Visitor {
  private readonly provider = new Visitor('')

  /** Goes through the provider's pages. Returns the callback URL. */
  async passProvider(address: string, account: string): Promise<string> {
    let { origin, pathname, search } = new URL(address)
    let form: URLSearchParams | undefined
    for (let step = 0; step < 12; step++) {
      this.provider.url = origin
      const answer = await this.provider.send(form ? 'POST' : 'GET', pathname + search, form)
      form = undefined
      if (answer.status === 200) {
        const isLogin = String(answer.body).includes('name="login"')
        form = new URLSearchParams({ decision: 'allow', ...(isLogin && { login: account }) })
        continue
      }
      const next = new URL(String(answer.headers.get('location')), origin + pathname)
      if (next.origin === new URL(this.url).origin) return next.pathname + next.search
      ;({ origin, pathname, search } = next)
    }
    throw new Error('the provider sends nobody back')
  }

  /** Signs in at the provider. Resolves to the response of the callback. */
  async signIn(account: string) {
    const begun = await this.get('/auth/oauth/local/authorize?redirect_to=/')
    assert.equal(begun.status, 302)
    return this.get(await this.passProvider(String(begun.headers.get('location')), account))
  }
}

test('demo: provider sign-ins reach the same account and log no secrets', async (t) => {
  const folder = temporaryFolder(t)
  const demo = await startOidcDemo(t, folder)
  const [, provider = ''] = /Provider +(http:\/\/127\.0\.0\.1:\d+) /.exec(demo.output()) ?? []
  const ada = new Traveller(demo.url)
  assert.deepEqual(
    (await ada.get('/providers')).body.map(({ key }: { key: string }) => key),
    ['local'],
  )
  const back = await ada.signIn('ada')
  assert.deepEqual([back.status, back.headers.get('location')], [302, '/'])
  assert.deepEqual((await ada.get('/dashboard')).body, {
    hello: 'ada',
    devices: 1,
    verified: true,
    has_password: false,
  })
  const { user_id } = (await ada.get('/auth/me')).body
  const [linked] = (await ada.get('/auth/oauth/accounts')).body
  assert.equal(linked.provider, 'local')
  assert.ok(Math.abs(Date.parse(linked.linked_at) - Date.now()) < 60_000)

  const again = new Traveller(demo.url)
  await again.signIn('ada')
  assert.equal((await again.get('/auth/me')).body.user_id, user_id)
  // After a restart the provider has another issuer URL, and its accounts still match.
  assert.equal(await demo.stop(), 0)
  await assert.rejects(fetch(provider), 'the provider ends with the demo')
  const later = await startOidcDemo(t, folder)
  const third = new Traveller(later.url)
  await third.signIn('ada')
  assert.equal((await third.get('/auth/me')).body.user_id, user_id)

  assert.match(demo.output(), /GET \/auth\/oauth\/local\/callback 302 in /)
  for (const secret of [/[?&](code|state)=/, /code_challenge/, /client_secret/, /eyJ/])
    assert.doesNotMatch(demo.output(), secret)
})

test('demo: a refused callback redirects to the page with an error code and no session', async (t) => {
  const demo = await startOidcDemo(t, temporaryFolder(t))
  await new Visitor(demo.url).register('bob')
  const stranger = new Traveller(demo.url)
  const refused = await stranger.signIn('bob')
  assert.equal(refused.status, 302)
  assert.equal(refused.headers.get('location'), '/?error=email_unverified')
  assert.equal(refused.headers.get('referrer-policy'), 'no-referrer')
  assert.equal(refused.headers.get('cache-control'), 'no-store')
  assert.ok(![...stranger.cookies.keys()].some((name) => /session/.test(name)))
})

test('demo: without a provider the OAuth routes are 404', async (t) => {
  const demo = await startDemo(t, temporaryFolder(t))
  const visitor = new Visitor(demo.url)
  assert.deepEqual((await visitor.get('/providers')).body, [])
  assert.equal((await visitor.get('/auth/oauth/local/authorize')).status, 404)
  assert.equal((await visitor.get('/auth/oauth/accounts')).status, 404)
  assert.doesNotMatch(demo.output(), /Provider|oidc/)
})

test('demo: a database of an older version is migrated and keeps its accounts', async (t) => {
  const folder = temporaryFolder(t)
  const first = await startDemo(t, folder)
  const ada = new Traveller(first.url)
  await ada.register('ada')
  assert.equal(await first.stop(), 0)
  const database = new Database(join(folder, 'demo.db'))
  // The schema before the demo had providers and second factors.
  database.exec('drop index accounts_local_id')
  for (const name of [
    'local_id',
    'oauth_provider',
    'oauth_updated_at',
    'totp_secret_encrypted',
    'totp_confirmed_at',
    'totp_last_step',
    'mfa_recovery_codes',
  ]) {
    database.exec(`alter table accounts drop column ${name}`)
  }
  database.close()

  const second = await startOidcDemo(t, folder)
  ada.url = second.url
  assert.equal((await ada.login('ada')).status, 200)
  const { body } = await ada.post('/auth/oauth/local/link', { redirect_to: '/?linked=local' })
  const linked = await ada.get(await ada.passProvider(body.authorize_url, 'ada'))
  assert.deepEqual([linked.status, linked.headers.get('location')], [302, '/?linked=local'])
  assert.equal((await ada.get('/auth/oauth/accounts')).body.length, 1)
  assert.equal((await ada.send('DELETE', '/auth/oauth/local')).status, 200)
  assert.deepEqual((await ada.get('/auth/oauth/accounts')).body, [])
  assert.equal((await ada.login('ada', password)).status, 200)
  assert.equal(await second.stop(), 0)

  // The migration also created the unique index.
  const after = new Database(join(folder, 'demo.db'))
  t.after(() => after.close())
  after.exec(`update accounts set local_id = 'x'`)
  assert.throws(
    () =>
      after.exec(
        `insert into accounts (email, username, local_id) values ('b@example.com', 'b', 'x')`,
      ),
    /UNIQUE constraint failed: accounts\.local_id/,
  )
})
