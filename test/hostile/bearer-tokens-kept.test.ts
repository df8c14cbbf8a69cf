import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Redis } from 'ioredis'
import { bearerTransport, memoryUsers, sessionTransport } from '../../src/index.js'
import { answers } from '../helpers/answers.js'
import { serverUrl, uniquePrefix } from '../helpers/backends.js'
import {
  asBearer,
  askRefresh,
  askToken,
  postJson,
  sha256,
  signedInBearer,
  tokensOf,
} from '../helpers/bearer.js'
import { build, captureLogs, password } from '../helpers/build.js'

const redis = serverUrl('TEST_REDIS_URL')

/** Every key, field and value under a prefix. */
async function dump(prefix: string): Promise<string[]> {
  const client = new Redis(redis ?? '')
  try {
    const texts: string[] = []
    for (const key of await client.keys(`${prefix}*`)) {
      texts.push(key)
      const type = await client.type(key)
      if (type === 'hash')
        for (const pair of Object.entries(await client.hgetall(key))) texts.push(...pair)
      else if (type === 'zset') texts.push(...(await client.zrange(key, '0', '-1', 'WITHSCORES')))
      else if (type === 'set') texts.push(...(await client.smembers(key)))
      else texts.push((await client.get(key)) ?? '')
    }
    return texts
  } finally {
    client.disconnect()
  }
}

test('Redis dump: contains no bearer token and nothing that can be redeemed', {
  skip: !redis,
}, async (t) => {
  const keyPrefix = uniquePrefix()
  const app = await build(t, {
    auth: {
      redis: redis as string,
      keyPrefix,
      lockout: false,
      transports: [
        sessionTransport(),
        bearerTransport({ refresh: 'body', defaultScopes: ['read'] }),
      ],
    },
  })
  const first = await signedInBearer(app)
  const second = tokensOf(await askRefresh(app, first.refresh_token))
  const other = tokensOf(await askToken(app))
  await asBearer(app, other.access_token)
  const texts = await dump(keyPrefix)
  const whole = texts.join('\n')
  assert.ok(texts.length > 4)
  for (const { refresh_token, access_token } of [first, second, other]) {
    const [family = '', tag = '', key = ''] = refresh_token.split('.')
    for (const part of [refresh_token, family, key, ...access_token.split('.')])
      assert.ok(!whole.includes(part), part)
    // The tag is not secret: it names the slot of the user's keys.
    assert.ok(whole.includes(tag))
    assert.ok(whole.includes(sha256(family)))
  }
  assert.ok(whole.includes(sha256(second.refresh_token.split('.')[2] ?? '')))
  assert.ok(
    !whole.includes(sha256(first.refresh_token.split('.')[2] ?? '')),
    'the digest of a used token is not stored',
  )

  const [family = '', tag = '', key = ''] = second.refresh_token.split('.')
  const pieces = [
    ...new Set(texts.flatMap((text) => [text, ...text.split(/[|:{}.,\s"[\]]/)])),
  ].filter((piece) => piece.length > 3)
  const tried = new Set<string>()
  for (const piece of pieces) {
    const short = piece.slice(0, 22)
    for (const token of [
      piece,
      `${short}.${tag}.${piece}`,
      `${short}.${tag}.${key}`,
      `${piece}.${tag}.${piece}`,
    ])
      tried.add(token)
  }
  for (const token of tried) {
    if (token.length > 512) continue
    assert.equal((await askRefresh(app, token)).statusCode, 401, token)
    assert.equal((await postJson(app, '/logout', { refresh_token: token })).statusCode, 401, token)
    assert.equal((await asBearer(app, token.replace(/[^\x21-\x7e]/g, ''))).statusCode, 401, token)
  }
  assert.ok(tried.size > 20)
  assert.ok(family)
  answers(await askRefresh(app, second.refresh_token), 200)
})

for (const backend of [{}, ...(redis ? [{ redis }] : [])]) {
  test(`${'redis' in backend ? 'redis' : 'memory'}: bearer: no log line at any level contains a token`, async (t) => {
    const { lines, logger } = captureLogs()
    const users = memoryUsers()
    const app = await build(t, {
      fastify: { logger: { level: logger.level, stream: logger.stream } },
      auth: {
        ...backend,
        keyPrefix: uniquePrefix(),
        users,
        transports: [
          sessionTransport(),
          bearerTransport({ refresh: 'body', reuseGraceSeconds: 0 }),
        ],
        hooks: {
          onRefreshReuse: () => {
            throw new Error('the hook fails')
          },
        },
      },
    })
    const first = await signedInBearer(app)
    const second = tokensOf(await askRefresh(app, first.refresh_token))
    await asBearer(app, second.access_token)
    await asBearer(app, `${second.access_token}x`)
    const reused = await askRefresh(app, first.refresh_token)
    assert.equal(reused.statusCode, 401)
    await postJson(app, '/refresh', { refresh_token: [second.refresh_token] })
    await postJson(app, '/token', { username: 'ann', password: 7 })
    users.findById = async () => {
      throw new Error('the database is away')
    }
    const third = await asBearer(app, second.access_token)
    assert.equal(third.statusCode, 503)
    const text = lines.join('\n')
    assert.match(text, /the hook fails/)
    for (const { refresh_token, access_token } of [first, second]) {
      for (const part of [
        ...refresh_token.split('.').filter((_, index) => index !== 1),
        access_token,
        ...access_token.split('.').slice(1),
      ]) {
        assert.ok(!text.includes(part), part)
        assert.ok(!reused.body.includes(part))
      }
    }
    assert.ok(!text.includes(password))
  })
}
