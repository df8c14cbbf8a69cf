/**
 * TypeBox schemas of the bodies, parameters and responses of every route, for clients, tests and
 * type providers.
 * @example
 * import { Me } from 'fastify-crudauth/schemas'
 * import { Value } from '@sinclair/typebox/value'
 * Value.Check(Me, await response.json())
 */
export { ChangePassword, Me, Registered, SetPassword } from './account.js'
export { KeySet, TokenRequest, Tokens } from './bearer.js'
export { Detail, ErrorBody, RefreshRequest } from './common.js'
export { ChangeEmail, Confirmed, ConfirmToken, ResetPassword } from './email.js'
export { CsrfToken, LogoutAllQuery, Revoked, SessionList, SessionParams } from './management.js'
export {
  ChallengeInfo,
  ChallengeRequest,
  MfaChallenge,
  MfaCode,
  MfaStatus,
  RecoveryCodes,
  SetupTotp,
  TotpSetup,
  VerifiedProvider,
  VerifiedSession,
  VerifiedTokens,
  VerifyMfa,
  VerifyMfaPasskey,
} from './mfa.js'
export {
  AuthorizeQuery,
  AuthorizeUrl,
  LinkedAccounts,
  LinkRequest,
  PostedCallback,
  ProviderLinked,
  ProviderParams,
  ProviderSignIn,
  SignInUrl,
} from './oauth.js'
export {
  Passkey,
  PasskeyAssertion,
  PasskeyList,
  PasskeyLogin,
  PasskeyLoginOptions,
  PasskeyOptions,
  PasskeyParams,
  PasskeyRegistration,
  RegisterPasskey,
  RegisterPasskeyOptions,
  RenamePasskey,
} from './passkeys.js'
export { LoggedIn, Login } from './session.js'
