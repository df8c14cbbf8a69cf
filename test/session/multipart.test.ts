import assert from 'node:assert/strict'
import { test } from 'node:test'
import { bearerTransport, sessionTransport } from '../../src/index.js'
import { answers } from '../helpers/answers.js'
import { build, password } from '../helpers/build.js'
import { Client } from '../helpers/client.js'

type Field = string | { readonly file: string } | Buffer

/** A multipart body, built here so that it can be malformed. */
function multipart(fields: readonly [name: string, value: Field][], boundary = 'x-boundary') {
  const parts = fields.flatMap(([name, value]) => {
    const isFile = typeof value === 'object' && 'file' in value
    const head = `--${boundary}\r\ncontent-disposition: form-data; name="${name}"${isFile ? `; filename="a.txt"\r\ncontent-type: text/plain` : ''}\r\n\r\n`
    const content = Buffer.isBuffer(value)
      ? value
      : Buffer.from(isFile ? value.file : (value as string))
    return [Buffer.from(head), content, Buffer.from('\r\n')]
  })
  return Buffer.concat([...parts, Buffer.from(`--${boundary}--\r\n`)])
}

const type = 'multipart/form-data; boundary=x-boundary'

async function start(t: Parameters<typeof build>[0]) {
  const app = await build(t, {
    auth: {
      transports: [sessionTransport(), bearerTransport({ refresh: 'body' })],
      lockout: false,
    },
  })
  await new Client(app).register('ann')
  return (url: string, payload: Buffer, contentType = type) =>
    app.inject({ method: 'POST', url, headers: { 'content-type': contentType }, payload })
}

test('multipart: /login and /token accept FormData, other routes answer 415', async (t) => {
  const post = await start(t)
  const good = multipart([
    ['username', 'ann'],
    ['password', password],
    ['remember_me', 'on'],
  ])
  answers(await post('/login', good), 200)
  answers(
    await post(
      '/token',
      multipart([
        ['username', 'ann'],
        ['password', password],
      ]),
    ),
    200,
  )
  for (const url of ['/register', '/refresh', '/logout']) answers(await post(url, good), 415)
})

test('multipart: files, duplicate or empty fields, invalid UTF-8 and broken bodies are refused', async (t) => {
  const post = await start(t)
  const codeOf = async (status: number, payload: Buffer, contentType?: string) =>
    answers(await post('/login', payload, contentType), status).code
  const name: [string, Field] = ['username', 'ann']
  assert.equal(
    await codeOf(400, multipart([name, ['password', { file: password }]])),
    'CRUDAUTH_BAD_REQUEST',
  )
  assert.equal(
    await codeOf(400, multipart([name, name, ['password', password]])),
    'FST_ERR_VALIDATION',
  )
  assert.equal(await codeOf(400, multipart([name, ['password', '']])), 'FST_ERR_VALIDATION')
  assert.equal(
    await codeOf(400, multipart([name, ['password', Buffer.from([0xff, 0xfe])]])),
    'CRUDAUTH_BAD_REQUEST',
  )
  assert.equal(await codeOf(400, multipart([name]), 'multipart/form-data'), 'CRUDAUTH_BAD_REQUEST')
  const whole = multipart([name, ['password', password]])
  assert.equal(await codeOf(400, whole.subarray(0, whole.length - 20)), 'CRUDAUTH_BAD_REQUEST')
  assert.equal(await codeOf(400, Buffer.from('nothing of the kind')), 'CRUDAUTH_BAD_REQUEST')
  await codeOf(413, multipart([name, ['password', password], ['x', 'x'.repeat(20_000)]]))
  const many = Array.from({ length: 200 }, (_, i): [string, Field] => [`f${i}`, 'x'])
  await codeOf(400, multipart([...many, name, ['password', password]]))
  // The server still works afterwards.
  answers(await post('/login', whole), 200)
})

test('multipart: fields named __proto__ or constructor cause no prototype pollution', async (t) => {
  const post = await start(t)
  const body = multipart([
    ['username', 'ann'],
    ['password', password],
    ['__proto__', 'x'],
    ['constructor', 'x'],
  ])
  answers(await post('/login', body), 200)
  assert.equal(({} as { x?: unknown }).x, undefined)
})
