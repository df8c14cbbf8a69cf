import assert from 'node:assert/strict'
import type { TestContext } from 'node:test'
import Fastify from 'fastify'
import type { Kysely } from 'kysely'
import crudAuth, { sessionTransport } from '../../src/index.js'
import { kyselyState } from '../../src/state/kysely/index.js'
import { kyselyUsers } from '../../src/user-stores/kysely/index.js'
import { answers } from '../helpers/answers.js'
import { captureLogs, cheap, limitsOff, secret } from '../helpers/build.js'
import { Client } from '../helpers/client.js'
import { codeAt, enrolledUser, mfaOptions, signInWithCode } from '../helpers/mfa.js'

/**
 * Starts an app on printed tables, which must start without a word about them. Then registers,
 * signs in, sets up a second factor and signs in with it. All state is in the database.
 */
export async function tryTables(t: TestContext, db: Kysely<unknown>, table = 'users') {
  const { lines, logger } = captureLogs('warn')
  const app = Fastify({ logger })
  t.after(() => app.close())
  await app.register(crudAuth, {
    secret,
    users: kyselyUsers(db, { table }),
    state: kyselyState(db, { purgeSeconds: 0 }),
    transports: [sessionTransport({ managementRoutes: true })],
    passwords: { cost: cheap },
    rateLimits: limitsOff,
    mfa: mfaOptions,
  })
  await app.ready()
  const said = lines.filter((line) => /table|column|verify/i.test(line))
  // mysql2 rounds large ids unless the app configures it.
  assert.deepEqual(
    said.filter((line) => !/supportBigNumbers/.test(line)),
    [],
  )
  const { secret: totp } = await enrolledUser(app, 'ada')
  const client = new Client(app)
  await signInWithCode(client, 'ada', codeAt(totp))
  assert.equal(answers(await client.get('/me'), 200).username, 'ada')
  assert.equal((await client.register('ada')).statusCode, 409)
  const { users } = app.crudAuth
  return { app, id: (await users.findBy('username', 'ada'))?.id as unknown as string | number }
}
