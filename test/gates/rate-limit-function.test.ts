import { test } from 'node:test'
import type { RateLimitOption } from '../../src/index.js'
import { build } from '../helpers/build.js'
import { Client } from '../helpers/client.js'
import { refuses } from '../helpers/refuses.js'

test('rate limit: a function that returns a function is refused, not taken for no limit', async (t) => {
  const limit = (() => () => ({ max: 1, windowSeconds: 60 })) as unknown as RateLimitOption
  const app = await build(t, { auth: { rateLimits: { register: limit } } })
  refuses(await new Client(app).register('ann'), 'CRUDAUTH_INTERNAL')
})
