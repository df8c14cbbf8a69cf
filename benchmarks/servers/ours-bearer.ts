import { sqliteUsers, startOursBearer } from '../lib/ours.js'
import { serve } from '../lib/serve.js'

/** Ours with access tokens: state in this process, users in SQLite. */
await serve((settings) => startOursBearer(settings, sqliteUsers(settings.folder)))
