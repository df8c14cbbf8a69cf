import assert from 'node:assert/strict'
import { test } from 'node:test'
import Fastify from 'fastify'
import crudAuth, { memoryUsers } from '../../src/index.js'
import { cheap, secret } from '../helpers/build.js'
import { Client } from '../helpers/client.js'
import { runExample } from './load.js'

test('migration guide: the error handler sends errors in the format of CRUDAuth', async (t) => {
  const app = Fastify({ logger: false })
  t.after(() => app.close())
  await runExample(t, 'crudauth-errors', { app })
  await app.register(crudAuth, { secret, users: memoryUsers(), passwords: { cost: cheap } })
  app.get('/broken', async () => {
    throw new Error('a reason for us alone')
  })
  const client = new Client(app)
  const malformed = await client.post('/register', { email: 1 })
  assert.equal(malformed.statusCode, 422)
  assert.equal(typeof malformed.json().detail, 'string')
  const wrong = await client.login('nobody')
  assert.deepEqual(
    [wrong.statusCode, wrong.json()],
    [401, { detail: 'The identifier or the password is wrong', code: 'CRUDAUTH_BAD_CREDENTIALS' }],
  )
  const broken = await client.get('/broken')
  assert.deepEqual([broken.statusCode, broken.json().detail], [500, 'Something went wrong'])
})
