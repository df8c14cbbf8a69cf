import './decorators.js'

export type { PasswordCost } from './accounts/argon2.js'
export { canonicalEmail, canonicalPhone, canonicalUsername } from './accounts/identity.js'
export type { LockoutPolicy } from './accounts/lockout.js'
export type { RegistrationContext } from './accounts/new-account.js'
export type { LinkedAccount } from './accounts/oauth/links.js'
export type { OAuthResolution } from './accounts/oauth/resolve.js'
export type { PasswordCheck, PasswordContext } from './accounts/password-policy.js'
export type { LegacyVerifier } from './accounts/passwords.js'
export { createRegistrationGate, type RegistrationGateOptions } from './accounts/registration-gate.js'
export type { Sudo, SudoPolicy } from './accounts/sudo.js'
export { type LogSenderOptions, logSender } from './delivery/log.js'
export { renderEmail } from './delivery/templates.js'
export * from './errors.js'
export type { AfterHook, AuthEvent, AuthEventType, CrudAuthHooks, HookContext, LockoutReason, LoginFailure } from './events.js'
export type { AnyGate, AnyReply, AnyRequest, Gate, Register, RegisteredUser } from './fastify.js'
export { type CurrentUserOptions, currentUser } from './gates/current-user.js'
export type { RateLimit, RateLimitKey, RateLimitOption } from './gates/rate-limit.js'
export { requireFresh, requireSudo } from './gates/require-sudo.js'
export { type AppleOptions, apple } from './oauth/providers/apple.js'
export { type DiscordOptions, discord } from './oauth/providers/discord.js'
export { type GithubOptions, github } from './oauth/providers/github.js'
export { type GitlabOptions, gitlab } from './oauth/providers/gitlab.js'
export { type GoogleOptions, google } from './oauth/providers/google.js'
export { type MicrosoftOptions, microsoft } from './oauth/providers/microsoft.js'
export { type OAuth2Options, oauth2 } from './oauth/providers/oauth2.js'
export { type OidcOptions, oidc } from './oauth/providers/oidc.js'
export type { ClientCredentials, ClientSecret, OidcEndpoints, ProviderOptions } from './oauth/providers/options.js'
export type { DeliveryOptions, EmailOptions, EmailPaths } from './options/delivery.js'
export type { OAuthOptions } from './options/oauth.js'
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
export type { DeliveryChannel, DeliveryIntent, DeliveryJob, DeliveryKind } from './ports/delivery-channel.js'
export type { EmailContext, EmailMessage, EmailSender, RenderEmail, RenderedEmail } from './ports/email-sender.js'
export type { OAuthAccount, OAuthAccountStore } from './ports/oauth-account-store.js'
export type {
  ClientAuthentication,
  MappedProfile,
  OAuthProfile,
  OAuthProvider,
  OAuthTokens,
  ProfileExtras,
} from './ports/oauth-provider.js'
export type { OneTimeStore } from './ports/one-time-store.js'
export type { SessionPatch, SessionRecord, SessionStore } from './ports/session-store.js'
export type { Principal, PrincipalInit, SecurityScheme, Transport, TransportToolbox } from './ports/transport.js'
export type { UserFields, UserId, UserStore, UserValues } from './ports/user-store.js'
export { accountRoutes } from './routes/account.js'
export { bearerRoutes } from './routes/bearer.js'
export { emailRoutes } from './routes/email.js'
export { managementRoutes } from './routes/management.js'
export { oauthRoutes } from './routes/oauth.js'
export { sessionRoutes } from './routes/session.js'
export { securitySchemes } from './security-schemes.js'
export type { AuthToolbox, PasswordsToolbox, SessionInfo, SessionsToolbox } from './toolbox.js'
export type { OAuthToolbox } from './toolbox-oauth.js'
export type { RecoveryToolbox, RedirectOption } from './toolbox-recovery.js'
export type { IssuedTokens } from './transports/bearer/bearer.js'
export type { TokenKey } from './transports/bearer/keys.js'
export { type BearerTransport, type BearerTransportOptions, bearerTransport } from './transports/bearer/transport.js'
export type { CookieOptions } from './transports/cookie.js'
export type { NewSession, SessionInit } from './transports/session/sessions.js'
export { type SessionTransport, type SessionTransportOptions, sessionTransport } from './transports/session/transport.js'
export { type MemoryUsersOptions, memoryUsers } from './users/memory.js'
