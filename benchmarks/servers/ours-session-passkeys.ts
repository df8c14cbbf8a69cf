import { startSessions } from '../lib/ours.js'
import { serve } from '../lib/serve.js'

/** The plugin with passkeys, which its users don't have: their requests must cost nothing more. */
await serve((settings) => startSessions(settings, { withPasskeys: true }))
