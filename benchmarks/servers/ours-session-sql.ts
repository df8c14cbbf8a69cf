import { startSessions } from '../lib/ours.js'
import { serve } from '../lib/serve.js'

/** The plugin with sessions and users in PostgreSQL. */
await serve((settings) => startSessions(settings, { stateInDatabase: true }))
