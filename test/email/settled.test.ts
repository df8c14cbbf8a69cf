import assert from 'node:assert/strict'
import { test } from 'node:test'
import { answers } from '../helpers/answers.js'
import { backends } from '../helpers/backends.js'
import { build } from '../helpers/build.js'
import { Client } from '../helpers/client.js'

for (const backend of backends) {
  test(`${backend.name}: delivery.settled() resolves once every message is sent, including retries`, async (t) => {
    const sent: string[] = []
    let failures = 2
    const app = await build(t, {
      auth: {
        ...backend.options(),
        email: {
          frontendUrl: 'https://app.example.com',
          sender: {
            async send({ kind }) {
              await new Promise((resolve) => setTimeout(resolve, 20))
              if (failures-- > 0) throw new Error('busy')
              sent.push(kind)
            },
          },
        },
        delivery: { firstRetrySeconds: 0.01 },
      },
    })
    const client = new Client(app)
    answers(await client.register('ann'), 202)
    await app.crudAuth.delivery.settled()
    assert.deepEqual(sent, ['verify_email'])
    answers(await client.post('/password/reset-request', { email: 'ann@example.com' }), 202)
    answers(await client.post('/password/reset-request', { email: 'nobody@example.com' }), 202)
    await app.crudAuth.delivery.settled()
    assert.deepEqual(sent, ['verify_email', 'reset_password'])
    await app.crudAuth.delivery.settled()
  })
}

test('delivery.settled() resolves if delivery is not configured', async (t) => {
  const app = await build(t)
  await app.crudAuth.delivery.settled()
})
