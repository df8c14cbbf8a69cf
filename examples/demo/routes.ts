import { type Static, Type } from '@sinclair/typebox'
import type { FastifyInstance } from 'fastify'
import type { Kysely } from 'kysely'
// Your app imports this from 'fastify-crudauth/schemas'.
import { PasskeyAssertion, PasskeyOptions } from '../../schemas/index.js'
import { prefersHtml } from './error-pages.js'
import { factsPage } from './facts-page.js'
import type { DemoSchema } from './tables.js'

const tags = ['demo']

const Confirmation = Type.Union([
  Type.Object({ password: Type.String({ minLength: 1, maxLength: 1024 }) }),
  Type.Object({ code: Type.String({ maxLength: 64, description: 'Of an authenticator app' }) }),
  Type.Object({
    passkey: Type.Object({
      challenge_id: Type.String({ maxLength: 128, description: 'From `/sudo/passkey-options`' }),
      response: PasskeyAssertion,
    }),
  }),
])
const Elevated = Type.Object({ until: Type.String({ format: 'date-time' }) })
const Dashboard = Type.Object({
  hello: Type.String(),
  devices: Type.Integer(),
  verified: Type.Boolean(),
  has_password: Type.Boolean({ description: 'False for an account that a provider alone opens' }),
})
const Detail = Type.Object({ detail: Type.String() })

/** Adds the demo's own routes, like an app would. */
export async function addRoutes(app: FastifyInstance, db: Kysely<DemoSchema>): Promise<void> {
  app.addHook('onRequest', async function noStore(_request, reply) {
    reply.header('cache-control', 'no-store')
  })

  app.get(
    '/dashboard',
    {
      schema: {
        operationId: 'dashboard',
        tags,
        summary: 'For whoever is signed in',
        response: { 200: Dashboard },
      },
      onRequest: app.currentUser(),
    },
    async (request, reply) => {
      const { userId, user, emailVerified } = request.principal
      // `principal.user` doesn't contain credentials, so read the row.
      const row = await app.crudAuth.users.findById(userId)
      const facts = {
        hello: String(user.username),
        devices: (await app.crudAuth.sessions.list(userId)).length,
        verified: emailVerified,
        has_password: app.crudAuth.passwords.isUsable(row?.hashed_password as string | null),
      }
      return prefersHtml(request) ? factsPage(reply, 'Dashboard', facts) : facts
    },
  )

  app.get(
    '/members',
    {
      schema: {
        operationId: 'members',
        tags,
        summary: 'For confirmed addresses only',
        response: { 200: Detail },
      },
      onRequest: app.currentUser({ verified: true }),
    },
    async (request, reply) => {
      const facts = { detail: `Welcome, ${request.principal.user.email}` }
      return prefersHtml(request) ? factsPage(reply, 'Members', facts) : facts
    },
  )

  app.post(
    '/sudo/passkey-options',
    {
      schema: {
        operationId: 'sudoPasskeyOptions',
        tags,
        summary: 'Options to enter sudo mode with a passkey',
        response: { 200: PasskeyOptions },
      },
      bodyLimit: 8 * 1024,
      onRequest: app.currentUser({ transport: 'session' }),
    },
    (request) => app.crudAuth.passkeys.sudoOptions(request),
  )

  app.post<{ Body: Static<typeof Confirmation> }>(
    '/sudo',
    {
      schema: {
        operationId: 'sudo',
        tags,
        summary: 'Confirm the password, a code or a passkey, for five minutes of sudo mode',
        body: Confirmation,
        response: { 200: Elevated },
      },
      bodyLimit: 8 * 1024,
      onRequest: app.currentUser({ transport: 'session' }),
    },
    async (request) => {
      const until = await app.crudAuth.sudo.elevate(request, request.body)
      return { until: until.toISOString() }
    },
  )

  app.delete(
    '/account',
    {
      schema: {
        operationId: 'deleteAccount',
        tags,
        summary: 'Delete the account; needs sudo mode',
        response: { 200: Detail },
      },
      bodyLimit: 8 * 1024,
      onRequest: [app.currentUser({ transport: 'session' }), app.requireSudo],
    },
    async (request, reply) => {
      const { userId } = request.principal
      // Sessions first: if the deletion fails, the account still exists and its owner can sign in.
      await app.crudAuth.sessions.revokeAll(userId)
      await db.deleteFrom('accounts').where('id', '=', Number(userId)).execute()
      app.crudAuth.sessions.clearCookies(reply)
      return { detail: 'Account deleted' }
    },
  )
}
