import { sqliteUsers, startOurs } from '../lib/ours.js'
import { serve } from '../lib/serve.js'

/** The plugin with sessions in Redis and users in SQLite. */
await serve((settings) =>
  startOurs(settings, { ...sqliteUsers(settings.folder), redis: settings.redisUrl }),
)
