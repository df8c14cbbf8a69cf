import { startBetterAuth } from '../lib/better-auth.js'
import { serve } from '../lib/serve.js'

/** better-auth with sessions and users in SQLite. */
await serve((settings) => startBetterAuth(settings))
