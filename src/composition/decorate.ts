import type { FastifyInstance, FastifyRequest } from 'fastify'
import { checkObject, fail } from '../checks.js'
import { InternalError } from '../errors.js'
import { type AuthState, kAuthState, kRequestAuth, principalOf } from '../gates/authenticate.js'
import { currentUser } from '../gates/current-user.js'
import { checkRateLimit } from '../gates/rate-limit.js'
import { requireFresh, requireSudo } from '../gates/require-sudo.js'
import type { SessionStore } from '../ports/session-store.js'
import { kServices, type Services } from '../routes/services.js'
import type { AuthToolbox } from '../toolbox.js'

/** `rateLimit` is also the name of a decorator of @fastify/rate-limit. */
const decorators = ['auth', 'currentUser', 'requireSudo', 'requireFresh', 'rateLimit', 'sessionStore'] as const

/** @throws CRUDAUTH_CONFIG when a name is taken */
export function checkDecorators(app: FastifyInstance): void {
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

interface Decorations {
  readonly authState: AuthState
  readonly services: Services
  readonly sessionStore: SessionStore
  readonly auth: AuthToolbox
}

/** Hangs everything on the app and its requests; `decorators.ts` types it. */
export function decorate(app: FastifyInstance, { authState, services, sessionStore, auth }: Decorations): void {
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
    const given = limit === undefined ? (services.limits as Record<string, unknown>)[action] : limit
    return services.rateLimit(action, checkRateLimit(`rateLimits.${action}`, given), keyOptions)
  }) as never)
  app.decorate('sessionStore', sessionStore)
  app.decorate('auth', auth)
}
