import { startTokens } from '../lib/ours.js'
import { serve } from '../lib/serve.js'

/** The plugin with access tokens, refresh tokens in Redis, and users in PostgreSQL or SQLite. */
await serve(startTokens)
