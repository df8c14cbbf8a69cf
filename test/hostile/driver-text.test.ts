import assert from 'node:assert/strict'
import { test } from 'node:test'
import { build, captureLogs, password } from '../helpers/build.js'
import { Client } from '../helpers/client.js'
import { places } from '../helpers/races.js'
import { refuses } from '../helpers/refuses.js'

const long = 'x'.repeat(1000)

for (const { name, options } of places) {
  test(`${name}: POST /register: database error text is not exposed, hashes are not logged`, async (t) => {
    const { lines, logger } = captureLogs()
    const app = await build(t, {
      fastify: { logger: { level: logger.level, stream: logger.stream } },
      auth: { ...(await options(t)), registration: { extraFields: ['plan'] } },
    })
    const client = new Client(app)
    const account = (username: string, more: object = {}) => ({
      email: `${username}@example.com`,
      username,
      password,
      ...more,
    })
    assert.equal((await client.post('/register', account('ann'))).statusCode, 201)
    const answers = [
      await client.post('/register', account('ann')),
      await client.post('/register', { ...account('ann'), email: 'other@example.com' }),
      await client.post('/register', { ...account('other'), email: 'ann@example.com' }),
    ]
    for (const answer of answers)
      refuses(answer, 'CRUDAUTH_DUPLICATE', [password, 'users_', 'constraint', 'UNIQUE', 'SQL'])
    for (const plan of [long, 12, true, "'; drop table users; --"]) {
      const answer = await client.post(
        '/register',
        account(`user${typeof plan}${String(plan).length}`, { plan }),
      )
      assert.ok([201, 400].includes(answer.statusCode), answer.body)
      assert.doesNotMatch(answer.body, /column|varying|Data too long|SQL|drop table/)
    }
    assert.equal((await client.login('ann')).statusCode, 200)
    const text = lines.join('\n')
    assert.ok(!text.includes('$argon2id') && !text.includes(password))
  })
}
