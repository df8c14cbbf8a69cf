import Fastify, { type FastifyInstance } from 'fastify'
import type { Kysely } from 'kysely'
// Your app imports these from 'fastify-crudauth', 'fastify-crudauth/passkeys/kysely',
// 'fastify-crudauth/state/kysely' and 'fastify-crudauth/users/kysely'.
import crudAuth, { sessionTransport } from '../../src/index.js'
import { kyselyPasskeys } from '../../src/passkey-stores/kysely.js'
import { kyselyState } from '../../src/state/kysely/index.js'
import { kyselyUsers } from '../../src/user-stores/kysely/index.js'
import { frontendUrl } from './address.js'
import type { DemoConfig } from './config.js'
import { addDocs } from './docs.js'
import { addErrorPages } from './error-pages.js'
import { logging } from './logging.js'
import { addMailbox, createMailbox } from './mailbox.js'
import { addPages } from './pages.js'
import type { DemoProvider } from './provider.js'
import { addRequestLog } from './request-log.js'
import { addRoutes } from './routes.js'
import type { DemoSchema } from './tables.js'

const oftener = { max: 50, windowSeconds: 3600 }

/**
 * Builds the demo with an open database. The caller closes the database.
 * @param providers identity providers; without any, the OAuth routes are not mounted
 */
export async function buildApp(
  config: DemoConfig,
  { secret, mfaKey }: { readonly secret: string; readonly mfaKey: string },
  db: Kysely<DemoSchema>,
  providers: readonly DemoProvider[] = [],
): Promise<FastifyInstance> {
  const mailbox = createMailbox()
  const app = Fastify({
    ...logging(config.logLevel),
    // Don't convert types in bodies: "1" is not 1.
    ajv: { customOptions: { coerceTypes: false } },
  })
  app.addHook('onRequest', async function commonHeaders(_request, reply) {
    reply.headers({ 'x-content-type-options': 'nosniff', 'referrer-policy': 'same-origin' })
  })

  addErrorPages(app)
  addRequestLog(app, config.secureCookies)
  await addDocs(app, providers.length > 0)
  await app.register(crudAuth, {
    prefix: '/auth',
    secret,
    // The ids of linked accounts are columns too.
    users: kyselyUsers(db, {
      table: 'accounts',
      columns: {
        localId: 'local_id',
        oauthProvider: 'oauth_provider',
        oauthUpdatedAt: 'oauth_updated_at',
      },
    }),
    // Sessions and counters, in the same database or in Redis.
    ...(config.redisUrl === undefined ? { state: kyselyState(db) } : { redis: config.redisUrl }),
    transports: [sessionTransport({ managementRoutes: true })],
    cookies: { secure: config.secureCookies },
    // TOTP and recovery codes. Rotating the secret must not lock anybody out, so the key is another.
    mfa: {
      issuer: 'fastify-crudauth demo',
      encryptionKeys: mfaKey,
      required: config.mfaRequired,
      rememberDeviceDays: 30,
    },
    // Bound to the host of `email.frontendUrl`, which is `localhost`.
    passkeys: { rpName: 'fastify-crudauth demo', store: kyselyPasskeys(db) },
    // Your app uses smtpSender() from 'fastify-crudauth/email/smtp' here.
    email: { sender: mailbox.sender, frontendUrl: frontendUrl(config) },
    ...(providers.length > 0 && {
      oauth: {
        baseUrl: frontendUrl(config),
        providers: Object.fromEntries(providers.map(({ key, provider }) => [key, provider])),
      },
    }),
    // More than the defaults, because you repeat these actions when you try the demo.
    rateLimits: {
      register: oftener,
      email_verify_request: oftener,
      password_reset_request: oftener,
      email_change_request: oftener,
      recipient: oftener,
      mfa_manage: oftener,
    },
  })
  await app.register(addPages, { providers })
  await app.register((scope) => addMailbox(scope, mailbox))
  await app.register((scope) => addRoutes(scope, db))
  return app
}
