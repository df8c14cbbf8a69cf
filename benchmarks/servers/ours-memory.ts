import { startInMemory } from '../lib/ours.js'
import { serve } from '../lib/serve.js'

/** The plugin with sessions and users in memory. */
await serve(startInMemory)
