import assert from 'node:assert/strict'
import type { TestContext } from 'node:test'
import type { FastifyInstance, LightMyRequestResponse } from 'fastify'
import {
  type CrudAuthOptions,
  memoryPasskeys,
  memoryUsers,
  type PasskeyOptions,
  sessionTransport,
} from '../../src/index.js'
import { answers, refusesOwn } from './answers.js'
import {
  type Authenticator,
  type AuthenticatorOptions,
  createAuthenticator,
} from './authenticator.js'
import type { AssertionForgery, Forgery } from './authenticator-parts.js'
import { build, limitsOff } from './build.js'
import { Client, signedIn } from './client.js'

export const origin = 'https://app.example.com'

/** Options of `passkeys` for tests. */
export const passkeyOptions = (more: Partial<PasskeyOptions> = {}): PasskeyOptions => ({
  rpName: 'Example App',
  rpId: 'example.com',
  origins: [origin],
  store: memoryPasskeys(),
  ...more,
})

/** An app with passkeys, and a sudo route. `passkeys` overrides their options. */
export function buildPasskeys(
  t: TestContext,
  auth: Partial<CrudAuthOptions> = {},
  passkeys: Partial<PasskeyOptions> = {},
): Promise<FastifyInstance> {
  return build(t, {
    auth: {
      users: memoryUsers(),
      transports: [sessionTransport({ managementRoutes: true })],
      passkeys: passkeyOptions(passkeys),
      rateLimits: { ...limitsOff, passkey_options: false },
      ...auth,
    },
    routes(app) {
      app.post('/sudo', { onRequest: app.currentUser() }, async (request) => ({
        until: await app.crudAuth.sudo.elevate(request, request.body as { password: string }),
      }))
      app.post('/sudo/options', { onRequest: app.currentUser() }, (request) =>
        app.crudAuth.passkeys.sudoOptions(request),
      )
      app.post('/delete-account', { onRequest: app.currentUser() }, async (request, reply) => {
        await app.crudAuth.deleteAccount(request)
        return reply.send({})
      })
      app.get('/strict', { onRequest: app.currentUser({ mfa: true }) }, async () => ({}))
      app.get('/guarded', { onRequest: app.currentUser() }, ({ principal }) => ({
        amr: principal.amr,
        via: principal.transport,
      }))
    },
  })
}

/** A device of a user who is on the page of the app. */
export const device = (options: Partial<AuthenticatorOptions> = {}): Authenticator =>
  createAuthenticator({ origin, ...options })

/** What a signed-in client sends to add a passkey. */
export async function registrationOf(
  client: Client,
  authenticator: Authenticator,
  forged: Forgery = {},
  body: object = {},
) {
  const begun = answers(await client.post('/passkeys/register/options', body), 200)
  const { challenge_id, options } = begun
  return { challenge_id, response: authenticator.create(options, forged) }
}

export const register = (client: Client, registration: object) =>
  client.post('/passkeys/register/verify', registration)

/** Adds a passkey to the account of a signed-in client. Returns it as the routes do. */
export async function addPasskey(client: Client, authenticator: Authenticator, name?: string) {
  const registration = await registrationOf(client, authenticator, {}, name ? { name } : {})
  return answers(await register(client, registration), 201)
}

/** The ids of the passkeys of a signed-in client. */
export async function passkeyIds(client: Client): Promise<string[]> {
  const list: { id: string }[] = answers(await client.get('/passkeys'), 200)
  return list.map(({ id }) => id)
}

/** A registered user with a passkey, who is signed in. */
export async function passkeyUser(
  app: FastifyInstance,
  name: string,
  options: Partial<AuthenticatorOptions> = {},
) {
  const client = await signedIn(app, name)
  const authenticator = device(options)
  const passkey = await addPasskey(client, authenticator)
  return { client, authenticator, passkey }
}

/** What a client gets from an authenticator for a sign-in. */
export async function assertionOf(
  client: Client,
  authenticator: Authenticator,
  forged: AssertionForgery = {},
) {
  const { challenge_id, options } = answers(await client.post('/passkeys/login/options', {}), 200)
  return { challenge_id, response: authenticator.get(options, forged) }
}

/** Signs in with a passkey. */
export async function passkeyLogin(
  client: Client,
  authenticator: Authenticator,
  {
    forged = {},
    ...body
  }: { forged?: AssertionForgery; transport?: string; remember_me?: boolean; scope?: string } = {},
) {
  const proof = await assertionOf(client, authenticator, forged)
  const response = await client.post('/passkeys/login/verify', { ...proof, ...body })
  if (response.statusCode === 200) client.csrf = response.json().csrf_token ?? null
  return response
}

/** Signs in with a passkey in a new browser. */
export const passkeyLoginOf = (
  app: FastifyInstance,
  authenticator: Authenticator,
  options: Parameters<typeof passkeyLogin>[2] = {},
) => passkeyLogin(new Client(app), authenticator, options)

/** Answers the challenge of a second factor with a passkey. */
export async function answerWithPasskey(
  client: Client,
  challenge: string,
  authenticator: Authenticator,
  { forged = {}, ...more }: { forged?: AssertionForgery; remember_device?: boolean } = {},
) {
  const begun = answers(await client.post('/mfa/passkey/options', { challenge }), 200)
  const response = authenticator.get(begun.options, forged)
  const { challenge_id } = begun
  const verified = await client.post('/mfa/verify', { challenge, challenge_id, response, ...more })
  if (verified.statusCode === 200) client.csrf = verified.json().csrf_token ?? null
  return verified
}

/** Enters sudo mode with a passkey. */
export async function elevateWithPasskey(
  client: Client,
  authenticator: Authenticator,
  forged: AssertionForgery = {},
) {
  const { challenge_id, options } = (await client.post('/sudo/options', {})).json()
  const response = authenticator.get(options, forged)
  return client.post('/sudo', { passkey: { challenge_id, response } })
}

const refusal = {
  statusCode: 401,
  code: 'CRUDAUTH_BAD_CREDENTIALS',
  error: 'Unauthorized',
  message: 'The passkey was not accepted',
}

/** Asserts the one answer that every wrong passkey gets. */
export function isRefused(response: LightMyRequestResponse, secrets: readonly string[] = []) {
  refusesOwn(response, refusal.code, secrets)
  assert.deepEqual(response.json(), refusal)
  assert.equal(response.headers['set-cookie'], undefined)
}
