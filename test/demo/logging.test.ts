import assert from 'node:assert/strict'
import { PassThrough } from 'node:stream'
import { test } from 'node:test'
import Fastify from 'fastify'
import { logging } from '../../examples/demo/logging.js'

test('demo: logs one line per request and redacts secrets', async (t) => {
  const stream = new PassThrough()
  let text = ''
  stream.on('data', (chunk) => (text += chunk))
  const app = Fastify(logging('info', stream))
  t.after(() => app.close())
  const secrets = ['s3cret-a', 's3cret-b', 's3cret-c', 's3cret-d', 's3cret-e', 's3cret-f']
  const [a, b, c, d, e, f] = secrets
  app.post('/log', async (request) => {
    request.log.info(
      {
        body: request.body,
        headers: request.headers,
        user: { row: { hashed_password: b } },
        csrf_token: c,
      },
      'told',
    )
    request.log.info({ req: { headers: request.headers } }, 'told again')
    throw new Error('broken')
  })
  const response = await app.inject({
    method: 'POST',
    url: `/log?token=${d}`,
    headers: { cookie: `x=${e}`, 'x-csrf-token': String(f), authorization: `Bearer ${e}` },
    payload: { password: a },
  })
  await app.inject(`/nowhere?token=${d}`)
  assert.equal(response.statusCode, 500)
  assert.match(text, /told again/)
  assert.match(text, /ERROR: broken/)
  assert.match(text, /POST \/log 500 in [\d.]+ ms/)
  assert.match(text, /GET \/nowhere 404 in [\d.]+ ms/)
  for (const secret of secrets)
    assert.ok(!text.includes(secret), `${secret} is in the log:\n${text}`)
})
