import { refuseCrossSite } from '../http/cross-site.js'
import type { AnyRequest, RegisteredUser } from '../ports/fastify.js'
import type { Principal, PrincipalInit, SecurityScheme } from '../ports/transport.js'
import type { UserStore } from '../ports/user-store.js'
import type { Core } from './core.js'
import type { Sudo } from './sign-in/sudo.js'

/** `app.crudAuth`: each hardened path that the routes use, for hand-written ones. Features add their parts. */
export interface AuthToolbox {
  readonly sudo: Sudo
  readonly users: UserStore<RegisteredUser>
  /** The principal of a row, for a transport of the app's own; null for a disabled account. */
  createPrincipal(user: RegisteredUser, init: PrincipalInit): Principal | null
  /** Refuses a browser's cross-site post, as `/login` does. @throws CRUDAUTH_CROSS_SITE (403) */
  refuseCrossSite(request: AnyRequest): void
  /** The OpenAPI security schemes of the transports, by name. */
  securitySchemes(): Record<string, SecurityScheme>
}

/** The part of `app.crudAuth` that belongs to no feature. */
export const createCoreToolbox = (
  { sudo, users, transportToolbox, settings }: Core,
  schemes: Readonly<Record<string, SecurityScheme>>,
): Pick<
  AuthToolbox,
  'sudo' | 'users' | 'createPrincipal' | 'refuseCrossSite' | 'securitySchemes'
> => ({
  sudo,
  users: users.store,
  createPrincipal: transportToolbox.createPrincipal,
  refuseCrossSite: (request) => refuseCrossSite(request, settings.trustedOrigins),
  securitySchemes: () => ({ ...schemes }),
})
