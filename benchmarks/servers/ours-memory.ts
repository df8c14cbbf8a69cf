import { startOurs } from '../lib/ours.js'
import { memoryUsers } from '../lib/package.js'
import { serve } from '../lib/serve.js'

/** Ours with everything in this process. */
await serve((settings) => startOurs(settings, { users: memoryUsers() }))
