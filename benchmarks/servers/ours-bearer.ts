import { sqliteUsers, startOursBearer } from '../lib/ours.js'
import { serve } from '../lib/serve.js'

/** The plugin with access tokens: state in memory, users in SQLite. */
await serve((settings) => startOursBearer(settings, sqliteUsers(settings.folder)))
