import './gates/decorate.js'
import type { FastifyPluginAsync, RegisterOptions } from 'fastify'
import fp from 'fastify-plugin'
import { createCore } from './core/core.js'
import { showToDoctor } from './core/inspection.js'
import type { CrudAuthOptions } from './core/option-types.js'
import { registerOwnSignIns } from './core/sign-in/own-transport.js'
import { type AuthToolbox, createCoreToolbox } from './core/toolbox.js'
import { logWarnings } from './core/warnings.js'
import { account } from './features/account/index.js'
import { bearer } from './features/bearer/index.js'
import { email } from './features/email/index.js'
import { management } from './features/management/index.js'
import { mfa } from './features/mfa/index.js'
import { oauth } from './features/oauth/index.js'
import { passkeys } from './features/passkeys/index.js'
import { session } from './features/session/index.js'
import { checkDecorators, decorate } from './gates/decorate.js'
import { createRateLimits, rateLimitOfApp } from './gates/rate-limit.js'
import { createResolvePrincipal } from './gates/resolve-principal.js'
import type { CreatedFeature, Feature } from './groups/feature.js'
import { documentRoutes, schemesOf } from './groups/openapi.js'
import { resolveOptions } from './groups/resolve-options.js'
import { decorateServices } from './groups/services.js'
import { createState } from './state/open.js'

const features: readonly Feature[] = [
  account,
  session,
  management,
  bearer,
  email,
  oauth,
  mfa,
  passkeys,
]

const plugin: FastifyPluginAsync<CrudAuthOptions> = async (app, options) => {
  checkDecorators(app)
  showToDoctor(app, options)
  const { settings, configured, mounted } = resolveOptions(features, options, app.prefix)
  const configuredFeatures = [...configured.values()]

  const state = await createState(app, settings)
  const core = await createCore({
    app,
    settings,
    store: options.users,
    state,
    // All password sign-ins share one device cookie. The settings of the session transport win.
    deviceCookies:
      settings.session?.cookies ??
      configuredFeatures.find(({ deviceCookies }) => deviceCookies)?.deviceCookies ??
      null,
    privilegedFields: configuredFeatures.flatMap(({ privilegedFields = [] }) => privilegedFields),
    writtenFields: Object.assign({}, ...configuredFeatures.map((feature) => feature.writtenFields)),
  })
  const rateLimit = createRateLimits(state.counters, core.counterKey)
  const limits = settings.rateLimits
  const created = new Map<string, CreatedFeature>()
  for (const [name, feature] of configured)
    created.set(name, await feature.create(core, { rateLimit, limits }))
  registerOwnSignIns(settings.transports, core)
  const createdFeatures = [...created.values()]
  logWarnings(
    app,
    settings,
    core.users.has('tokenVersion'),
    configuredFeatures.flatMap(({ insecureCookies }) => insecureCookies ?? []),
  )

  const transports = settings.transports.map(
    (transport) => created.get(transport.name)?.transport ?? transport,
  )
  const csrf = settings.session?.csrf ?? false
  const toolbox = createCoreToolbox(
    core,
    schemesOf(transports, csrf),
    createResolvePrincipal(transports, core.transportToolbox),
  )
  decorate(app, {
    authState: {
      transports,
      toolbox: core.transportToolbox,
      freshSeconds: settings.freshSeconds,
      bearer: createdFeatures.some(({ challenges }) => challenges),
      accountScope: createdFeatures.some(({ grantsAccount }) => grantsAccount),
      sudo: settings.sudo !== false,
      recovery: settings.identity.recovery,
    },
    sessionStore: state.sessions,
    toolbox: Object.assign({}, ...createdFeatures.map((feature) => feature.toolbox), toolbox, {
      rateLimit: rateLimitOfApp(rateLimit, limits),
    }) as AuthToolbox,
  })
  decorateServices(
    app,
    Object.fromEntries([...created].map(([name, { services }]) => [name, services ?? null])),
  )
  documentRoutes(app, transports, csrf, mounted.size > 0)

  // Fastify ignores these options for a plugin without encapsulation, so pass them to the groups.
  const { logLevel, logSerializers } = options as RegisterOptions
  const log = { ...(logLevel && { logLevel }), ...(logSerializers && { logSerializers }) }
  const mount = { prefix: settings.prefix, ...log }
  for (const { name, routes } of features) if (mounted.has(name)) await app.register(routes, mount)
  for (const { rootRoutes } of createdFeatures) if (rootRoutes) await app.register(rootRoutes, log)
  if (settings.routesOfTransports)
    for (const { routes } of transports) if (routes) await app.register(routes, mount)
  // Connect last: a mistake in the configuration must not leave an open socket behind.
  state.connect()
}

/**
 * The plugin: complete authentication for Fastify.
 * @throws CRUDAUTH_CONFIG for invalid options, before it opens a socket
 * @example
 * await app.register(crudAuth, { secret: process.env.AUTH_SECRET, users, redis: process.env.REDIS_URL })
 */
export const crudAuth = fp(plugin, { name: 'fastify-crudauth', fastify: '5.x' })
