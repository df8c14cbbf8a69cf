import { startOurs } from '../lib/ours.js'
import { memoryUsers } from '../lib/package.js'
import { serve } from '../lib/serve.js'

/** The plugin with sessions and users in memory. */
await serve((settings) => startOurs(settings, { users: memoryUsers() }))
