import './decorators.js'
import type { FastifyInstance, FastifyPluginAsync, FastifyRequest, RegisterOptions } from 'fastify'
import fp from 'fastify-plugin'
import { createPasswordChange } from './accounts/change-password.js'
import { createHashGate } from './accounts/gate.js'
import { createIdentity } from './accounts/identity.js'
import { createLockout, noLockout } from './accounts/lockout.js'
import { createAuthenticate, type LoginContext } from './accounts/login.js'
import { createPasswordPolicy } from './accounts/password-policy.js'
import { createPasswords } from './accounts/passwords.js'
import { AuthenticatedPrincipal } from './accounts/principal.js'
import { createRegister } from './accounts/register.js'
import { createSudo } from './accounts/sudo.js'
import { createUsers } from './accounts/users.js'
import { checkObject, fail } from './checks.js'
import { InternalError } from './errors.js'
import { createEmitter } from './events.js'
import { type AuthState, kAuthState, kRequestAuth, principalOf } from './gates/authenticate.js'
import { currentUser } from './gates/current-user.js'
import { checkRateLimit, createRateLimits } from './gates/rate-limit.js'
import { requireFresh, requireSudo } from './gates/require-sudo.js'
import { documentRoutes, schemesOf } from './http/openapi.js'
import { type ResolvedOptions, resolveOptions } from './options/resolve.js'
import type { CrudAuthOptions } from './options/types.js'
import type { TransportToolbox } from './ports/transport.js'
import { accountRoutes } from './routes/account.js'
import { managementRoutes } from './routes/management.js'
import { kServices, type Services } from './routes/services.js'
import { sessionRoutes } from './routes/session.js'
import { memoryState } from './state/memory/index.js'
import { createToolbox } from './toolbox.js'
import { createCookie } from './transports/cookie.js'
import { createDeviceCookie } from './transports/session/device.js'
import { createSessions } from './transports/session/sessions.js'
import { bindSessionTransport, isSessionTransport } from './transports/session/transport.js'

const groupPlugins = { account: accountRoutes, session: sessionRoutes, management: managementRoutes } as const

/** OWASP's floors for argon2id: any of these pairs of KiB and iterations is as strong as the others. */
const owaspFloors = [
  [47_104, 1],
  [19_456, 2],
  [12_288, 3],
  [9_216, 4],
  [7_168, 5],
] as const

async function openState(app: FastifyInstance, options: ResolvedOptions) {
  const { redis, keyPrefix, timeouts } = options
  if (redis === undefined) {
    app.log.warn(
      'fastify-crudauth keeps sessions and counters in the memory of this process: they end with it and no other process sees them; set "redis" for more than one process',
    )
    return { ...memoryState(), connect() {} }
  }
  // Loaded when it is needed: ioredis is a third of what the package takes to import.
  const { openRedis, redisState } = await import('./state/redis/index.js')
  const opened = openRedis(redis, {
    timeoutMs: timeouts.redisMs,
    log: (message, cause) =>
      cause ? app.log.error({ err: cause }, `fastify-crudauth: ${message}`) : app.log.info(`fastify-crudauth: ${message}`),
  })
  app.addHook('onClose', async function closeRedis() {
    await opened.close()
  })
  return { ...redisState(opened.client, { keyPrefix, timeoutMs: timeouts.redisMs }), connect: opened.connect }
}

function warnOf(app: FastifyInstance, options: ResolvedOptions, hasTokenVersion: boolean): void {
  const { memoryKiB, iterations } = options.passwords.cost
  if (!owaspFloors.some(([kib, passes]) => memoryKiB >= kib && iterations >= passes)) {
    app.log.warn(
      `fastify-crudauth: "passwords.cost" (${memoryKiB} KiB, ${iterations} iterations) is below OWASP's floor for argon2id`,
    )
  }
  if (options.lockout === false) app.log.warn('fastify-crudauth: "lockout" is off, so passwords can be guessed without limit')
  if (!hasTokenVersion) {
    app.log.warn('fastify-crudauth: the user model has no "tokenVersion", so access tokens can not be revoked before they expire')
  }
  if (options.session && !options.session.cookies.policy.secure) {
    app.log.warn('fastify-crudauth: "cookies.secure" is off, so sessions travel in the clear; use it for development alone')
  }
}

/** `rateLimit` is also the name of a decorator of @fastify/rate-limit. */
const decorators = ['auth', 'currentUser', 'requireSudo', 'requireFresh', 'rateLimit', 'sessionStore'] as const

function checkDecorators(app: FastifyInstance): void {
  if (app.hasDecorator(kServices as unknown as string)) {
    fail('crudAuth is registered twice on one instance or below itself; register it once, or in sibling contexts')
  }
  const taken = [
    ...decorators.filter((name) => app.hasDecorator(name)),
    ...['principal', 'maybePrincipal'].filter((name) => app.hasRequestDecorator(name)),
  ]
  if (taken.length > 0) {
    fail(
      `another plugin has the decorator "${taken[0]}" already; register it in a context of its own, beside crudAuth or below it`,
    )
  }
}

const plugin: FastifyPluginAsync<CrudAuthOptions> = async (app, rawOptions) => {
  checkDecorators(app)
  const options = resolveOptions(rawOptions)
  const { keys, identity: names, session: settings, hooks } = options

  const users = createUsers(rawOptions.users, options.timeouts.usersMs, keys('lineage')[0])
  const state = await openState(app, options)
  const emit = createEmitter(hooks)
  const gate = createHashGate(options.passwords.maxConcurrent, options.passwords.maxQueued)
  const passwords = await createPasswords(options.passwords.cost, options.passwords.legacy, gate)
  const policy = createPasswordPolicy(options.passwords.minLength, options.passwords.check)
  const identity = createIdentity(names.login, names.recovery, users)
  const counterKey = keys('counters')[0]
  const lockout = options.lockout ? createLockout(state.counters, options.lockout, users, counterKey) : noLockout
  warnOf(app, options, users.has('tokenVersion'))

  const jars = settings && {
    session: createCookie(settings.cookies.names.session, settings.cookies.policy, true),
    csrf: createCookie(settings.cookies.names.csrf, settings.cookies.policy, false),
    device: createCookie(settings.cookies.names.device, settings.cookies.policy, true),
  }
  const device = jars && createDeviceCookie(jars.device, keys('device'))
  const sessions =
    settings && jars && device
      ? createSessions({
          store: state.sessions,
          users,
          tagKeys: keys('slot'),
          csrfKey: keys('csrf')[0],
          settings,
          cookies: jars,
          device,
        })
      : null

  const transports = options.transports.map((transport) =>
    isSessionTransport(transport) && sessions && settings && jars
      ? bindSessionTransport({
          sessions,
          users,
          recovery: names.recovery,
          csrf: settings.csrf,
          scopes: settings.scopes,
          cookieName: jars.session.name,
        })
      : transport,
  )

  const loginContext = (request: FastifyRequest): LoginContext => ({
    request,
    deviceOf: (user) => (device && sessions ? device.idFor(request, sessions.tagsOf(users.idOf(user))) : null),
  })

  const transportToolbox: TransportToolbox = {
    users: users.store,
    createPrincipal: (user, init) =>
      users.isActive(user) ? new AuthenticatedPrincipal(users, names.recovery, user, init, null) : null,
  }
  const authState: AuthState = {
    transports,
    toolbox: transportToolbox,
    freshSeconds: options.freshSeconds,
    sudo: options.sudo !== false,
    recovery: names.recovery,
  }
  const rateLimit = createRateLimits(state.counters, counterKey)
  const authenticate = createAuthenticate({ users, identity, passwords, lockout, hooks, emit })
  const services: Services = {
    users,
    authenticate,
    loginContext,
    register: createRegister({ users, identity, passwords, policy, hooks, emit, registration: options.registration }),
    passwordChange: createPasswordChange({
      users,
      passwords,
      policy,
      emit,
      async keepCaller(changed, caller) {
        const session = AuthenticatedPrincipal.sessionOf(caller)
        if (!session || !sessions) return
        const epoch = await sessions.announceEpoch(session, users.epochOf(changed))
        AuthenticatedPrincipal.patchSession(caller, { epoch })
      },
      async endOthers(user, caller, request) {
        const keep = caller.sessionId === undefined ? undefined : { handle: caller.sessionId, epoch: users.epochOf(user) }
        try {
          await sessions?.revokeAll(caller.userId, keep)
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
    session: sessions && settings ? { sessions, csrf: settings.csrf } : null,
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
  const schemes = schemesOf(transports, settings?.csrf ?? false)

  app.decorate(kAuthState as unknown as string, authState)
  app.decorate(kServices as unknown as string, services)
  app.decorateRequest(kRequestAuth as unknown as string, null)
  app.decorateRequest('principal', {
    getter() {
      const principal = principalOf(this as FastifyRequest)
      if (principal) return principal
      throw new InternalError('request.principal was read where no gate has authenticated; add onRequest: app.currentUser()')
    },
  })
  app.decorateRequest('maybePrincipal', {
    getter() {
      return principalOf(this as FastifyRequest)
    },
  })
  app.decorate('currentUser', currentUser as never)
  app.decorate('requireSudo', requireSudo as never)
  app.decorate('requireFresh', requireFresh as never)
  app.decorate('rateLimit', ((action: string, limit: unknown, keyOptions = {}) => {
    checkObject('rateLimit', keyOptions, ['key'])
    const given = limit === undefined ? (options.rateLimits as Record<string, unknown>)[action] : limit
    return rateLimit(action, checkRateLimit(`rateLimits.${action}`, given), keyOptions)
  }) as never)
  app.decorate('sessionStore', state.sessions)
  app.decorate('auth', createToolbox({ services, passwords, policy, sudo, transportToolbox, schemes }))

  documentRoutes(app, transports, settings?.csrf ?? false)
  // Fastify ignores these options of a plugin that is not encapsulated, so the groups get them.
  const { logLevel, logSerializers } = rawOptions as RegisterOptions
  const mount = { prefix: options.prefix, ...(logLevel && { logLevel }), ...(logSerializers && { logSerializers }) }
  for (const group of options.routes) await app.register(groupPlugins[group], mount)
  if (options.routesOfTransports) for (const { routes } of transports) if (routes) await app.register(routes, mount)
  // Last of all: a mistake in the configuration has been found by now, and no socket outlives a plugin that failed.
  state.connect()
}

/**
 * Complete authentication as one plugin: `await app.register(crudAuth, options)`.
 * @throws CRUDAUTH_CONFIG on a mistake in the options, before any socket is opened
 */
export const crudAuth = fp(plugin, { name: 'fastify-crudauth', fastify: '5.x' })
