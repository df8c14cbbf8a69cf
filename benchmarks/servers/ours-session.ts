import { startSessions } from '../lib/ours.js'
import { serve } from '../lib/serve.js'

/** The plugin with sessions in Redis and users in PostgreSQL or SQLite. */
await serve((settings) => startSessions(settings))
