import assert from 'node:assert/strict'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import SqliteFile from 'libsql'
import pg from 'pg'
import { findProgram, programs } from '../../scripts/services/programs.js'
import { createAuthenticator } from '../helpers/authenticator.js'
import { commandOf, type Demo, startDemo, temporaryFolder } from './start.js'
import { Visitor } from './visitor.js'

/** Adds a passkey, signs in with it, deletes the account with it, and counts what is left. */
async function usePasskey(demo: Demo, count: () => Promise<number>): Promise<void> {
  const ada = new Visitor(demo.url)
  const authenticator = createAuthenticator({ origin: demo.url })
  await ada.register('ada')
  await ada.login('ada')
  const added = (await ada.post('/auth/passkeys/register/options', {})).body
  const created = await ada.post('/auth/passkeys/register/verify', {
    challenge_id: added.challenge_id,
    response: authenticator.create(added.options),
    name: 'Laptop',
  })
  assert.equal(created.status, 201)

  const visitor = new Visitor(demo.url)
  /** What the authenticator signs for the options of a route. */
  const sign = async (path: string) => {
    const { challenge_id, options } = (await visitor.post(path, {})).body
    return { challenge_id, response: authenticator.get(options) }
  }
  const proof = await sign('/auth/passkeys/login/options')
  assert.equal((await visitor.post('/auth/passkeys/login/verify', proof)).body.username, 'ada')
  const [{ name, last_used_at }] = (await visitor.get('/auth/passkeys')).body
  assert.equal(name, 'Laptop')
  assert.ok(last_used_at)
  assert.equal(await count(), 1)
  const passkey = await sign('/sudo/passkey-options')
  assert.equal((await visitor.post('/sudo', { passkey })).status, 200)
  assert.equal((await visitor.post('/sudo', { passkey })).body.code, 'CRUDAUTH_MFA_CODE')
  assert.equal((await visitor.send('DELETE', '/account')).status, 200)
  assert.equal(await count(), 0)
}

test('demo: passkeys are in SQLite, and are deleted with their account', async (t) => {
  const folder = temporaryFolder(t)
  const demo = await startDemo(t, folder)
  await usePasskey(demo, async () => {
    const file = new SqliteFile(join(folder, 'demo.db'))
    const row = file.prepare('select count(*) as count from passkeys').get() as { count: number }
    file.close()
    return row.count
  })
  assert.doesNotMatch(demo.output(), /WARN|ERROR/)
})

test('demo: passkeys are in PostgreSQL, and are deleted with their account', {
  skip: findProgram(programs.postgres) ? false : 'needs PostgreSQL',
}, async (t: TestContext) => {
  const command = [...commandOf('start'), '--postgres']
  const demo = await startDemo(t, temporaryFolder(t), {}, command)
  const [, port] = /Accounts +a private PostgreSQL on port (\d+)/.exec(demo.output()) ?? []
  await usePasskey(demo, async () => {
    const client = new pg.Client(`postgres://test@127.0.0.1:${port}/postgres`)
    await client.connect()
    const { rows } = await client.query('select count(*)::integer as count from passkeys')
    await client.end()
    return rows[0].count
  })
  assert.equal(await demo.stop(), 0)
  assert.doesNotMatch(demo.output(), /WARN|ERROR/)
})
