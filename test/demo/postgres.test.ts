import assert from 'node:assert/strict'
import { readdirSync } from 'node:fs'
import { test } from 'node:test'
import pg from 'pg'
import { findProgram, programs } from '../../scripts/services/programs.js'
import { openEmpty, skipOf } from '../cli/places.js'
import { Authenticator } from './authenticator.js'
import { commandOf, startDemo, temporaryFolder } from './start.js'
import { password, Visitor } from './visitor.js'

test('demo: --postgres runs on a private PostgreSQL, which stops with the demo', {
  skip: findProgram(programs.postgres) ? false : 'needs PostgreSQL',
}, async (t) => {
  const folder = temporaryFolder(t)
  const command = [...commandOf('start'), '--postgres']
  const demo = await startDemo(t, folder, {}, command)
  const [, port] = /Accounts +a private PostgreSQL on port (\d+)/.exec(demo.output()) ?? []
  assert.ok(!readdirSync(folder).includes('demo.db'))

  const ada = new Visitor(demo.url)
  assert.equal((await ada.register('ada')).status, 202)
  assert.equal((await ada.register('ada')).body.code, 'CRUDAUTH_DUPLICATE')
  assert.equal((await ada.login('ada')).body.id, 1)
  assert.equal((await ada.get('/auth/me')).body.username, 'ada')

  const { secret } = (await ada.post('/auth/mfa/totp/setup', { password })).body
  const code = await new Authenticator(secret).code()
  assert.equal((await ada.post('/auth/mfa/totp/confirm', { code })).status, 200)
  assert.equal((await new Visitor(demo.url).login('ada')).body.mfa_required, true)
  assert.equal((await ada.post('/sudo', { password })).status, 200)
  assert.equal((await ada.send('DELETE', '/account')).status, 200)
  assert.equal((await ada.login('ada')).status, 401)

  assert.equal(await demo.stop(), 0)
  assert.doesNotMatch(demo.output(), /WARN|ERROR/)
  await assert.rejects(new pg.Client(`postgres://test@127.0.0.1:${port}/postgres`).connect(), {
    code: 'ECONNREFUSED',
  })
})

test('demo: DATABASE_URL keeps accounts and sessions in that PostgreSQL', {
  skip: skipOf('postgres'),
}, async (t) => {
  const { db, address } = await openEmpty(t, 'postgres')
  const url = new URL(address)
  url.password = 'swordfish'
  const env = { DATABASE_URL: url.href }
  const folder = temporaryFolder(t)
  // Two processes that start at once create the tables one after the other.
  const [first, other] = await Promise.all([
    startDemo(t, folder, env),
    startDemo(t, temporaryFolder(t), env),
  ])
  assert.match(first.output(), new RegExp(`Accounts +PostgreSQL at ${url.host}`))
  assert.equal(await other.stop(), 0)
  const ada = new Visitor(first.url)
  await ada.register('ada')
  assert.equal((await ada.login('ada')).status, 200)
  assert.equal(await first.stop(), 0)

  const second = await startDemo(t, folder, env)
  ada.url = second.url
  assert.equal((await ada.get('/auth/me')).body.username, 'ada')
  for (const table of ['accounts', 'crudauth_store', 'crudauth_counters'])
    assert.ok(await db.selectFrom(table).selectAll().executeTakeFirst(), table)
  assert.equal((await ada.post('/auth/logout')).status, 200)
  assert.equal((await ada.get('/auth/me')).status, 401)
  assert.equal(await second.stop(), 0)
  for (const demo of [first, other, second])
    assert.doesNotMatch(demo.output(), /WARN|ERROR|swordfish/)
})
