/** The app of the soak test: the plugin with its defaults, on PostgreSQL and a Redis Cluster. */
import type { AddressInfo } from 'node:net'
import Fastify from 'fastify'
import { Cluster } from 'ioredis'
import { createUsers, openDatabase } from '../lib/databases.js'
import { secret } from '../lib/me.js'
import { bearerTransport, crudAuth, kyselyUsers, sessionTransport } from '../lib/package.js'

/** What the harness passes in the environment. */
export interface SoakSettings {
  readonly postgresUrl: string
  readonly nodes: readonly { readonly host: string; readonly port: number }[]
}

/** A message to a user, as the harness receives it, or the port of the app. */
export type FromServer =
  | { readonly port: number }
  | { readonly to: string; readonly kind: string; readonly token: string }

const { postgresUrl, nodes } = JSON.parse(process.env.SOAK_SETTINGS ?? '{}') as SoakSettings
const tell = (message: FromServer) => process.send?.(message)

const settings = { postgresUrl, folder: '', users: 0, active: 0, signIns: 0 }
const db = openDatabase(settings)
await createUsers(db, settings, '')

// As the documentation of the state sets up a Cluster.
const cluster = new Cluster([...nodes], {
  enableAutoPipelining: true,
  enableOfflineQueue: false,
  retryDelayOnFailover: 0,
  scaleReads: 'master',
})
cluster.on('error', () => {})

const app = Fastify({ trustProxy: true, logger: { level: 'warn' } })
await app.register(crudAuth, {
  secret,
  users: kyselyUsers(db),
  redis: cluster,
  transports: [sessionTransport({ managementRoutes: true }), bearerTransport({ refresh: 'body' })],
  email: {
    frontendUrl: 'https://app.example.com',
    sender: {
      send({ to, kind, context }) {
        tell({ to, kind, token: new URL(context.link).searchParams.get('token') ?? '' })
      },
    },
  },
})
await app.listen({ host: '127.0.0.1', port: 0 })
process.on('disconnect', () => process.exit(0))
tell({ port: (app.server.address() as AddressInfo).port })
