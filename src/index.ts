import './gates/decorate.js'

// The plugin and its options

export type { IdentityOptions } from './core/identity/options.js'
export type {
  CrudAuthOptions,
  RouteGroup,
  RouteGroups,
  TimeoutOptions,
} from './core/option-types.js'
export type {
  LimitedAction,
  LimitedActions,
  RateLimit,
  RateLimitOption,
} from './core/rate-limits.js'
export type { LockoutPolicy } from './core/sign-in/lockout.js'
export type { Sudo, SudoPolicy, SudoProof } from './core/sign-in/sudo.js'
export type { RegistrationContext } from './core/sign-up/new-account.js'
export type { RegistrationOptions } from './core/sign-up/options.js'
export type { CookieNames, CookieOptions } from './http/cookies.js'
export { crudAuth, crudAuth as default } from './plugin.js'

// Errors, hooks and events

export * from './errors.js'
export type {
  AfterHook,
  AuthEvent,
  AuthEventType,
  CrudAuthHooks,
  HookContext,
  LockoutReason,
  LoginFailure,
  MfaPurpose,
} from './events.js'

// Gates for the routes of the app

export { type CurrentUserOptions, currentUser } from './gates/current-user.js'
export type { RateLimitKey } from './gates/rate-limit.js'
export { requireFresh, requireSudo } from './gates/require-sudo.js'
export type {
  AnyGate,
  AnyReply,
  AnyRequest,
  Gate,
  Register,
  RegisteredUser,
} from './ports/fastify.js'
export type { AuthenticationMethod, Principal, PrincipalInit } from './ports/transport.js'

// The toolbox, for hand-written routes

export { canonicalEmail, canonicalPhone, canonicalUsername } from './core/identity/canonical.js'
export type { CompleteLoginOptions } from './core/sign-in/pending-sign-in.js'
export {
  createRegistrationGate,
  type RegistrationGateOptions,
} from './core/sign-up/registration-gate.js'
export type { AuthToolbox, DeliveryToolbox } from './core/toolbox.js'

// Accounts and passwords

export type { PasswordCost } from './core/passwords/argon2.js'
export type { PasswordOptions } from './core/passwords/options.js'
export type { PasswordCheck, PasswordContext } from './core/passwords/policy.js'
export { accountRoutes, type PasswordsToolbox } from './features/account/index.js'
export type { LegacyVerifier } from './ports/legacy-verifier.js'

// Cookie sessions

export type { NewSession, SessionInit } from './core/sessions/new-session.js'
export {
  type SessionTransport,
  type SessionTransportOptions,
  sessionTransport,
} from './core/sessions/options.js'
export { managementRoutes } from './features/management/index.js'
export { type SessionInfo, type SessionsToolbox, sessionRoutes } from './features/session/index.js'
export type { DeviceInfo } from './http/client-info.js'

// Bearer tokens

export {
  type BearerTransport,
  type BearerTransportOptions,
  bearerRoutes,
  bearerTransport,
  type IssuedTokens,
  type TokenKey,
} from './features/bearer/index.js'

// Verification and recovery by message

export { renderEmail } from './core/delivery/email-templates.js'
export type { DeliveryOptions, EmailOptions, EmailPaths } from './core/delivery/option-types.js'
export { type LogSenderOptions, logSender } from './email-senders/log.js'
export { emailRoutes, type RecoveryToolbox, type RedirectOption } from './features/email/index.js'
export type {
  DeliveryChannel,
  DeliveryIntent,
  DeliveryJob,
  DeliveryKind,
} from './ports/delivery-channel.js'
export type {
  EmailContext,
  EmailMessage,
  EmailSender,
  RenderEmail,
  RenderedEmail,
} from './ports/email-sender.js'

// Sign-in with a provider

export {
  type LinkedAccount,
  type OAuthOptions,
  type OAuthResolution,
  type OAuthToolbox,
  oauthRoutes,
} from './features/oauth/index.js'
export { type AppleOptions, apple } from './features/oauth/providers/apple.js'
export { type DiscordOptions, discord } from './features/oauth/providers/discord.js'
export { type GithubOptions, github } from './features/oauth/providers/github.js'
export { type GitlabOptions, gitlab } from './features/oauth/providers/gitlab.js'
export { type GoogleOptions, google } from './features/oauth/providers/google.js'
export { type MicrosoftOptions, microsoft } from './features/oauth/providers/microsoft.js'
export { type OAuth2Options, oauth2 } from './features/oauth/providers/oauth2.js'
export { type OidcOptions, oidc } from './features/oauth/providers/oidc.js'
export type {
  ClientCredentials,
  ClientSecret,
  OidcEndpoints,
  ProviderOptions,
} from './features/oauth/providers/options.js'
export type { OAuthAccount, OAuthAccountStore } from './ports/oauth-account-store.js'
export type {
  ClientAuthentication,
  MappedProfile,
  OAuthProfile,
  OAuthProvider,
  OAuthTokens,
  ProfileExtras,
} from './ports/oauth-provider.js'

// Second factor

export type { MfaChallenge } from './core/sign-in/second-factor.js'
export {
  type MfaContext,
  type MfaOptions,
  type MfaRequired,
  type MfaStatus,
  type MfaToolbox,
  mfaRoutes,
  type TotpSetup,
} from './features/mfa/index.js'

// Passkeys

export type { PasskeyRequest } from './core/sign-in/passkey-factor.js'
export {
  type PasskeyOptions,
  type PasskeysToolbox,
  passkeyRoutes,
} from './features/passkeys/index.js'
export { memoryPasskeys } from './passkey-stores/memory.js'
export type { Passkey, PasskeyInfo, PasskeyStore, PasskeyUse } from './ports/passkey-store.js'

// Custom user stores, state and transports

export type {
  AttemptBudget,
  BudgetResult,
  CounterStore,
  WindowCount,
} from './ports/counter-store.js'
export type { OneTimeStore } from './ports/one-time-store.js'
export type {
  SessionPatch,
  SessionRecord,
  SessionStore,
  TimedRecord,
} from './ports/session-store.js'
export type { StateContext, StateStores } from './ports/state-stores.js'
export type { Transport, TransportToolbox } from './ports/transport.js'
export type {
  SchemaFinding,
  SchemaNeeds,
  UserFields,
  UserId,
  UserStore,
  UserValues,
} from './ports/user-store.js'
export { type MemoryUsersOptions, memoryUsers } from './user-stores/memory.js'

// OpenAPI

export { securitySchemes } from './groups/security-schemes.js'
export type { SecurityScheme } from './ports/transport.js'
