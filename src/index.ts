import './decorators.js'

export type { PasswordCost } from './accounts/argon2.js'
export { canonicalEmail, canonicalPhone, canonicalUsername } from './accounts/identity.js'
export type { LockoutPolicy } from './accounts/lockout.js'
export type { PasswordCheck, PasswordContext } from './accounts/password-policy.js'
export type { LegacyVerifier } from './accounts/passwords.js'
export type { RegistrationContext } from './accounts/register.js'
export { createRegistrationGate, type RegistrationGateOptions } from './accounts/registration-gate.js'
export type { Sudo, SudoPolicy } from './accounts/sudo.js'
export * from './errors.js'
export type { AfterHook, AuthEvent, AuthEventType, CrudAuthHooks, HookContext, LockoutReason, LoginFailure } from './events.js'
export type { AnyGate, AnyReply, AnyRequest, Gate, Register, RegisteredUser } from './fastify.js'
export { type CurrentUserOptions, currentUser } from './gates/current-user.js'
export type { RateLimit, RateLimitKey, RateLimitOption } from './gates/rate-limit.js'
export { requireFresh, requireSudo } from './gates/require-sudo.js'
export type {
  CrudAuthOptions,
  IdentityOptions,
  PasswordOptions,
  RegistrationOptions,
  RouteGroup,
  TimeoutOptions,
} from './options/types.js'
export { crudAuth, crudAuth as default } from './plugin.js'
export type { CounterStore, LaneResult, LockoutLane, WindowCount } from './ports/counter-store.js'
export type { OneTimeStore } from './ports/one-time-store.js'
export type { SessionPatch, SessionRecord, SessionStore } from './ports/session-store.js'
export type { Principal, PrincipalInit, SecurityScheme, Transport, TransportToolbox } from './ports/transport.js'
export type { UserFields, UserId, UserStore, UserValues } from './ports/user-store.js'
export { accountRoutes } from './routes/account.js'
export { bearerRoutes } from './routes/bearer.js'
export { managementRoutes } from './routes/management.js'
export { sessionRoutes } from './routes/session.js'
export { securitySchemes } from './security-schemes.js'
export type { AuthToolbox, PasswordsToolbox, SessionInfo, SessionsToolbox } from './toolbox.js'
export type { IssuedTokens } from './transports/bearer/bearer.js'
export type { TokenKey } from './transports/bearer/keys.js'
export { type BearerTransport, type BearerTransportOptions, bearerTransport } from './transports/bearer/transport.js'
export type { CookieOptions } from './transports/cookie.js'
export type { NewSession, SessionInit } from './transports/session/sessions.js'
export { type SessionTransport, type SessionTransportOptions, sessionTransport } from './transports/session/transport.js'
export { type MemoryUsersOptions, memoryUsers } from './users/memory.js'
