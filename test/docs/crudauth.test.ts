import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { test } from 'node:test'
import { hash } from 'bcryptjs'
import Fastify from 'fastify'
import crudAuth, { memoryUsers } from '../../src/index.js'
import { cheap, password, secret } from '../helpers/build.js'
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

for (const encoding of ['hex', 'base64'] as const) {
  test(`migration guide: the verifier accepts bcrypt over SHA-256 in ${encoding}, and replaces the hash`, async (t) => {
    const app = Fastify()
    t.after(() => app.close())
    const users = memoryUsers()
    const digest = createHash('sha256').update(password).digest(encoding)
    const old = await hash(digest, 4)
    await users.create({ email: 'ada@example.com', username: 'ada', hashedPassword: old })
    await runExample(t, 'crudauth-passwords', { app, secret, users })
    assert.equal((await new Client(app).login('ada', 'wrong password')).statusCode, 401)
    assert.equal((await new Client(app).login('ada')).statusCode, 200)
    assert.match(
      String(
        (await users.findById(1))?.hashed_password ?? (await users.findById(1))?.hashedPassword,
      ),
      /^\$argon2id\$/,
    )
    assert.equal((await new Client(app).login('ada')).statusCode, 200)
  })
}
