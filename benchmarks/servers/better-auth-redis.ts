import { Redis } from 'ioredis'
import { startBetterAuth } from '../lib/better-auth.js'
import { serve } from '../lib/serve.js'

/** better-auth with Redis as secondary storage, where it stores each session with its user. */
await serve((settings) =>
  startBetterAuth(settings, new Redis(settings.redisUrl, { enableAutoPipelining: true })),
)
