import './gates/decorate.js'
import type { FastifyPluginAsync, RegisterOptions } from 'fastify'
import fp from 'fastify-plugin'
import { createEndEverything, createSlots } from './core/credentials/user-records.js'
import { createIdentity } from './core/identity/identity.js'
import { type CrudAuthOptions, resolveOptions } from './core/options.js'
import { createHashGate } from './core/passwords/hash-queue.js'
import { createPasswords } from './core/passwords/passwords.js'
import { createPasswordPolicy } from './core/passwords/policy.js'
import { AuthenticatedPrincipal, subjectOf } from './core/principal/principal.js'
import { principalOf } from './core/principal/request-principal.js'
import { isSessionTransport } from './core/sessions/options.js'
import { createAuthenticate } from './core/sign-in/authenticate-password.js'
import { composeDevice } from './core/sign-in/known-device.js'
import { createLockout, noLockout } from './core/sign-in/lockout.js'
import { createSudo } from './core/sign-in/sudo.js'
import { createNewAccount } from './core/sign-up/new-account.js'
import { createUsers, type Row } from './core/users/users.js'
import { warnOf } from './core/warnings.js'
import { createEmitter } from './events.js'
import { createPasswordChange } from './features/account/change-password.js'
import { createRegister } from './features/account/register.js'
import { accountRoutes } from './features/account/routes.js'
import { composeBearer } from './features/bearer/index.js'
import { isBearerTransport } from './features/bearer/options.js'
import { bearerRoutes, jwksRoutes } from './features/bearer/routes.js'
import { composeRecovery } from './features/email/index.js'
import { emailRoutes } from './features/email/routes.js'
import { managementRoutes } from './features/management/routes.js'
import { composeLinks, composeOAuth } from './features/oauth/index.js'
import { oauthRoutes } from './features/oauth/routes.js'
import { composeSession } from './features/session/index.js'
import { sessionRoutes } from './features/session/routes.js'
import { createToolbox } from './features/session/toolbox.js'
import { checkDecorators, decorate } from './gates/decorate.js'
import { createRateLimits } from './gates/rate-limit.js'
import { documentRoutes, schemesOf } from './groups/openapi.js'
import type { Services } from './groups/parts.js'
import type { BoundTransport, TransportToolbox } from './ports/transport.js'
import { openState } from './state/open.js'

const groupPlugins = {
  account: accountRoutes,
  session: sessionRoutes,
  management: managementRoutes,
  bearer: bearerRoutes,
  email: emailRoutes,
  oauth: oauthRoutes,
} as const

const plugin: FastifyPluginAsync<CrudAuthOptions> = async (app, rawOptions) => {
  checkDecorators(app)
  const options = resolveOptions(rawOptions, app.prefix)
  const { keys, identity: names, hooks } = options

  const users = createUsers(rawOptions.users, options.timeouts.usersMs, keys('lineage')[0])
  const state = await openState(app, options)
  const { emit, emitLate } = createEmitter(hooks, app.log)
  const gate = createHashGate(options.passwords.maxConcurrent, options.passwords.maxQueued)
  const slots = createSlots(state.sessions, users, keys('slot'))
  const families = createSlots(state.sessions, users, keys('family'))
  const endEverything = createEndEverything([slots, families])
  const device = composeDevice(options, users, slots)
  const session = composeSession(options, users, state.sessions, slots, endEverything, device?.device ?? null)
  const bearer = await composeBearer(options, users, state.sessions, families, endEverything)
  const passwords = await createPasswords(options.passwords.cost, options.passwords.legacy, gate)
  const policy = createPasswordPolicy(options.passwords.minLength, options.passwords.check)
  const identity = createIdentity(names.login, names.recovery, users)
  const endAll = (user: Row) => endEverything(users.idOf(user))
  const providerKeys = Object.keys(options.oauth?.providers ?? {})
  const newAccount = createNewAccount(users, options.registration, providerKeys)
  const links = composeLinks(options, users)
  const { counters, oneTime } = state
  const parts = { users, identity, passwords, policy, counters, oneTime, emit, emitLate, links, endAll }
  const recovery = composeRecovery(app, options, parts)
  const oauth = await composeOAuth(app, options, {
    ...parts,
    oneTime: state.attempts,
    hooks,
    newAccount,
    sessions: session?.sessions,
    isHeld: recovery?.isHeld ?? (async () => false),
    welcome: recovery?.discreet.welcome ?? (() => {}),
  })
  const counterKey = keys('counters')[0]
  const lockout = options.lockout ? createLockout(state.counters, options.lockout, users, counterKey) : noLockout
  const rateLimit = createRateLimits(state.counters, counterKey)
  warnOf(app, options, users.has('tokenVersion'))

  const transports = options.transports.map((transport): BoundTransport => {
    if (session && isSessionTransport(transport)) return session.transport
    return bearer && isBearerTransport(transport) ? bearer.transport : transport
  })
  const csrf = session?.csrf ?? false
  const schemes = schemesOf(transports, csrf)
  const transportToolbox: TransportToolbox = {
    users: users.store,
    createPrincipal: (user, init) =>
      users.isActive(user) ? new AuthenticatedPrincipal(subjectOf(users, names.recovery, user), user, init) : null,
  }

  const services: Services = {
    users,
    recoveryField: names.recovery,
    deliver: recovery?.deliver ?? null,
    recovery: recovery?.routes ?? null,
    authenticate: createAuthenticate({ users, identity, passwords, lockout, hooks, emit }),
    loginContext: device?.loginContext ?? ((request) => ({ request, deviceOf: () => null })),
    rememberDevice: device?.remember ?? (() => {}),
    register: createRegister({
      users,
      identity,
      passwords,
      policy,
      hooks,
      emit,
      extraFields: options.registration.extraFields,
      providerKeys,
      newAccount,
      discreet: recovery?.discreet ?? null,
    }),
    passwordChange: createPasswordChange({
      users,
      passwords,
      policy,
      emit,
      changed: (user, request) => recovery?.passwordChanged(user, request),
      async keepCaller(changed, caller) {
        const standing = AuthenticatedPrincipal.sessionOf(caller)
        if (!standing || !session) return
        const epoch = await session.sessions.announceEpoch(standing, users.epochOf(changed))
        AuthenticatedPrincipal.patchSession(caller, { epoch })
      },
      async endOthers(user, caller, request) {
        const keep = caller.sessionId === undefined ? undefined : { handle: caller.sessionId, epoch: users.epochOf(user) }
        try {
          await Promise.all([session?.sessions.revokeAll(caller.userId, keep), bearer?.bearer.revokeAll(caller.userId)])
        } catch (error) {
          // The new epoch stands in the users' database, so all others have ended already.
          request.log.error({ err: error }, 'sessions could not be cleaned up after a password change')
        }
      },
    }),
    emit,
    rateLimit,
    limits: options.rateLimits,
    trustedOrigins: options.trustedOrigins,
    registration: options.registration,
    session,
    bearer,
    oauth,
    hooks,
  }

  const sudo = createSudo(options.sudo, {
    users,
    passwords,
    counters: state.counters,
    sessions: state.sessions,
    emit,
    key: counterKey,
    principalOf,
  })

  decorate(app, {
    authState: {
      transports,
      toolbox: transportToolbox,
      freshSeconds: options.freshSeconds,
      bearer: bearer !== null,
      sudo: options.sudo !== false,
      recovery: names.recovery,
    },
    services,
    sessionStore: state.sessions,
    auth: createToolbox({ services, passwords, policy, sudo, transportToolbox, schemes }),
  })
  documentRoutes(app, transports, csrf)

  // Fastify ignores these options of a plugin that is not encapsulated, so the groups get them.
  const { logLevel, logSerializers } = rawOptions as RegisterOptions
  const log = { ...(logLevel && { logLevel }), ...(logSerializers && { logSerializers }) }
  const mount = { prefix: options.prefix, ...log }
  for (const group of options.routes) await app.register(groupPlugins[group], mount)
  if (options.bearer?.jwks) await app.register(jwksRoutes, log)
  if (options.routesOfTransports) for (const { routes } of transports) if (routes) await app.register(routes, mount)
  // Last of all: a mistake in the configuration has been found by now, and no socket outlives a plugin that failed.
  state.connect()
}

/**
 * Complete authentication as one plugin: `await app.register(crudAuth, options)`.
 * @throws CRUDAUTH_CONFIG on a mistake in the options, before any socket is opened
 */
export const crudAuth = fp(plugin, { name: 'fastify-crudauth', fastify: '5.x' })
