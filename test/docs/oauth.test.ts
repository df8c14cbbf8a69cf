import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import Fastify from 'fastify'
import { sql } from 'kysely'
import crudAuth, {
  type OAuthAccount,
  type OAuthAccountStore,
  type OAuthProfile,
  oidc,
} from '../../src/index.js'
import { kyselyOAuthAccounts } from '../../src/oauth-accounts/kysely.js'
import { memoryUsers } from '../../src/user-stores/memory.js'
import { cheap, password, secret } from '../helpers/build.js'
import { createSchema, openPostgres, serverOf } from '../helpers/databases.js'
import { blocksOf, page } from './documents.js'
import { runExample } from './load.js'

const document = page('docs/oauth.md')
const postgres = serverOf('TEST_POSTGRES_URL')

/** The store over the tables that the page shows, in a schema of its own, with users 1 to 3. */
async function openAccounts(t: TestContext): Promise<OAuthAccountStore> {
  const url = await createSchema(t, postgres.url)
  const db = openPostgres(url)
  t.after(() => db.destroy())
  const table = blocksOf(document).find(({ marks }) => marks.table === 'oauth-accounts')
  assert.ok(table, 'the page has the table')
  for (const statement of ['create table users (id bigint primary key)', table.code])
    await sql.raw(statement).execute(db)
  await sql.raw('insert into users (id) values (1), (2), (3)').execute(db)
  return kyselyOAuthAccounts(db)
}

/** node-postgres reads bigint as text. */
const account = (userId: string, provider: string, subject: string): OAuthAccount => ({
  provider,
  subject,
  userId,
  email: 'ada@example.com',
  linkedAt: new Date('2026-01-02T03:04:05.678Z'),
})

test('docs/oauth.md: the documented table of links fulfils the OAuthAccountStore contract', {
  skip: postgres.skip,
}, async (t) => {
  const store = await openAccounts(t)
  const google = account('1', 'google', 'Subject-1')
  assert.equal(await store.add(google), true)
  assert.deepEqual(await store.find('google', 'Subject-1'), google)
  assert.equal(await store.find('google', 'subject-1'), null, 'another case is another account')
  assert.equal(await store.find('github', 'Subject-1'), null)
  assert.equal(await store.add(account('2', 'google', 'Subject-1')), false, 'it is somebody else’s')
  assert.equal(
    await store.add(account('1', 'google', 'Subject-2')),
    false,
    'the user has one there',
  )
  assert.deepEqual(await store.list('1'), [google])
  assert.equal(await store.add(account('1', 'github', '0')), true)
  assert.deepEqual(
    (await store.list('1')).map(({ provider }) => provider),
    ['github', 'google'],
  )
  assert.equal(await store.remove('1', 'gitlab', false), 'absent')
  assert.equal(await store.remove('1', 'google', true), 'removed')
  assert.equal(await store.remove('1', 'github', true), 'last')
  assert.equal(await store.remove('1', 'github', false), 'removed')
  assert.deepEqual(await store.list('1'), [])
  await assert.rejects(store.add(account('9', 'google', 'nobody’s')), 'there is no such user')
})

test('docs/oauth.md: the documented table of links is correct under parallel calls', {
  skip: postgres.skip,
}, async (t) => {
  const store = await openAccounts(t)
  const users = ['1', '2', '3']
  for (let round = 0; round < 20; round++) {
    const added = await Promise.all(
      users.map((userId) => store.add(account(userId, 'google', `one-${round}`))),
    )
    assert.equal(added.filter(Boolean).length, 1, 'an account of a provider is one user’s')
    const [owner = ''] = users.filter((_, at) => added[at])
    assert.equal(await store.add(account(owner, 'github', `two-${round}`)), true)
    const removed = await Promise.all(
      ['google', 'github'].map((provider) => store.remove(owner, provider, true)),
    )
    assert.deepEqual(
      removed.sort(),
      ['last', 'removed'],
      'of two removals one leaves the last way in',
    )
    for (const { provider } of await store.list(owner)) await store.remove(owner, provider, false)
  }
})

const profileOf = (name: string, more: Partial<OAuthProfile> = {}): OAuthProfile => ({
  id: `id of ${name}`,
  email: `${name}@example.com`,
  emailVerified: true,
  username: name,
  raw: {},
  ...more,
})

const nobodysProvider = oidc({
  issuer: 'https://login.example.com',
  authorizationEndpoint: 'https://login.example.com/authorize',
  tokenEndpoint: 'https://login.example.com/token',
  jwksUri: 'https://login.example.com/jwks',
  clientId: 'app',
  clientSecret: 'never sent',
})
const oauth = { baseUrl: 'https://app.example.com', providers: { google: nobodysProvider } }

test('docs/oauth.md: the sign-up example sets fields for both sources and refuses other domains', async (t) => {
  const app = Fastify()
  t.after(() => app.close())
  for (const name of ['GOOGLE_ID', 'GOOGLE_SECRET']) {
    const before = process.env[name]
    process.env[name] = 'x'
    t.after(() => {
      if (before === undefined) delete process.env[name]
      else process.env[name] = before
    })
  }
  const users = memoryUsers()
  await runExample(t, 'oauth-sign-up', { app, secret, users })
  let answer: unknown
  app.post<{ Body: { name: string; more: object } }>('/native', async (request) => {
    const { user } = await app.crudAuth.oauth.resolve(
      request,
      'google',
      profileOf(request.body.name, request.body.more),
    )
    answer = user
    return {}
  })
  const native = (name: string, more: object = {}) =>
    app.inject({ method: 'POST', url: '/native', payload: { name, more } })
  assert.equal((await native('ada', { name: 'Ada Lovelace' })).statusCode, 200)
  const { username, display_name, came_by } = answer as Record<string, unknown>
  assert.deepEqual([username, display_name, came_by], ['ada', 'Ada Lovelace', 'google'])
  assert.equal((await native('bob')).statusCode, 200)
  assert.equal((answer as Record<string, unknown>).display_name, 'bob')
  const stranger = await native('eve', { email: 'eve@example.org' })
  assert.deepEqual(
    [stranger.statusCode, stranger.json().code],
    [400, 'CRUDAUTH_OAUTH_ACCESS_DENIED'],
  )
  const form = { email: 'carl@example.com', username: 'carl', password }
  assert.equal(
    (await app.inject({ method: 'POST', url: '/register', payload: form })).statusCode,
    201,
  )
  assert.equal((await users.findBy('username', 'carl'))?.came_by, 'form')
  assert.equal(await users.findBy('email', 'eve@example.org'), null)
})

test('docs/oauth.md: the custom callback signs in to the same account and refuses a disabled one', async (t) => {
  const app = Fastify()
  t.after(() => app.close())
  const users = memoryUsers()
  await app.register(crudAuth, { secret, users, passwords: { cost: cheap }, oauth })
  const verifiedProfile = async () => profileOf('ada')
  await runExample(t, 'oauth-native', { app, verifiedProfile })
  const native = () => app.inject({ method: 'POST', url: '/native/google' })
  const first = await native()
  assert.deepEqual([first.statusCode, first.json().created], [200, true], first.body)
  assert.equal(first.headers['cache-control'], 'no-store')
  const cookie = first.cookies.map(({ name, value }) => `${name}=${value}`).join('; ')
  assert.equal((await app.inject({ url: '/me', headers: { cookie } })).json().user_id, 1)
  assert.equal((await native()).json().created, false)
  await users.update(1, { isActive: false })
  const refused = await native()
  assert.equal(refused.statusCode, 403)
  assert.equal(refused.cookies.length, 0)
})
