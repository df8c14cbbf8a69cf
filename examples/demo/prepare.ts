import { mkdirSync } from 'node:fs'
import type { FastifyInstance } from 'fastify'
import { freePort, frontendUrl } from './address.js'
import { buildApp } from './app.js'
import type { DemoConfig } from './config.js'
import { openDatabase } from './database.js'
import { keptSecret } from './secret.js'

/** Parts that the demo starts itself. */
export interface OwnServers {
  /** A private PostgreSQL instead of SQLite. */
  readonly postgres: boolean
  /** A local OpenID provider. */
  readonly oidc: boolean
}

/** The demo, ready to listen. */
export interface PreparedDemo {
  readonly app: FastifyInstance
  readonly port: number
  /** The database, for people. */
  readonly database: string
  readonly providerUrl: string | undefined
  /** Closes the app, then the database, which the app uses until its end, and the provider. */
  close(): Promise<void>
}

/** Opens the database, starts the provider and builds the app. */
export async function prepareDemo(given: DemoConfig, own: OwnServers): Promise<PreparedDemo> {
  mkdirSync(given.folder, { recursive: true, mode: 0o700 })
  const secrets = {
    secret: given.secret ?? keptSecret(given.folder, 'secret'),
    mfaKey: given.mfaKey ?? keptSecret(given.folder, 'mfa-key'),
  }
  const port = given.port === 0 ? await freePort(given.host) : given.port
  const config = { ...given, port }
  const database = await openDatabase(config, own.postgres)
  // Loaded only if needed, because the import is slow.
  const provider = own.oidc
    ? await (await import('./provider.js')).startLocalProvider(frontendUrl(config))
    : undefined
  const closeServers = () => Promise.all([database.close(), provider?.stop()])
  const providers = provider && [provider.provider]
  const app = await buildApp(config, secrets, database.db, providers).catch(async (error) => {
    await closeServers()
    throw error
  })
  return {
    app,
    port,
    database: database.description,
    providerUrl: provider?.url,
    async close() {
      await app.close()
      await closeServers()
    },
  }
}
