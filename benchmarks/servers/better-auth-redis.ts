import { Redis } from 'ioredis'
import { startBetterAuth } from '../lib/better-auth.js'
import { serve } from '../lib/serve.js'

/** better-auth with sessions in Redis, its secondary storage, where it keeps the user with the session. */
await serve((settings) =>
  startBetterAuth(settings, new Redis(settings.redisUrl, { enableAutoPipelining: true })),
)
