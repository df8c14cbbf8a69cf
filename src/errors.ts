import createError, { type FastifyErrorConstructor } from '@fastify/error'

/** Codes of all errors in responses and in the configuration. A code never changes its meaning. */
export type CrudAuthErrorCode =
  | 'CRUDAUTH_UNAUTHENTICATED'
  | 'CRUDAUTH_BAD_CREDENTIALS'
  | 'CRUDAUTH_INVALID_TOKEN'
  | 'CRUDAUTH_WRONG_PASSWORD'
  | 'CRUDAUTH_MFA_CODE'
  | 'CRUDAUTH_CSRF'
  | 'CRUDAUTH_CROSS_SITE'
  | 'CRUDAUTH_FORBIDDEN'
  | 'CRUDAUTH_INSUFFICIENT_SCOPE'
  | 'CRUDAUTH_NOT_VERIFIED'
  | 'CRUDAUTH_MFA_REQUIRED'
  | 'CRUDAUTH_SUDO_REQUIRED'
  | 'CRUDAUTH_FRESH_SIGN_IN_REQUIRED'
  | 'CRUDAUTH_NOT_FOUND'
  | 'CRUDAUTH_BAD_REQUEST'
  | 'CRUDAUTH_EMAIL_INVALID'
  | 'CRUDAUTH_USERNAME_INVALID'
  | 'CRUDAUTH_PHONE_INVALID'
  | 'CRUDAUTH_PASSWORD_TOO_SHORT'
  | 'CRUDAUTH_PASSWORD_TOO_COMMON'
  | 'CRUDAUTH_PASSWORD_REJECTED'
  | 'CRUDAUTH_PASSWORD_EXISTS'
  | 'CRUDAUTH_NO_PASSWORD'
  | 'CRUDAUTH_SAME_EMAIL'
  | 'CRUDAUTH_TOKEN_INVALID_OR_USED'
  | 'CRUDAUTH_OAUTH_INVALID_STATE'
  | 'CRUDAUTH_OAUTH_FAILED'
  | 'CRUDAUTH_OAUTH_EMAIL_MISSING'
  | 'CRUDAUTH_OAUTH_EMAIL_UNVERIFIED'
  | 'CRUDAUTH_OAUTH_PROVIDER_ALREADY_LINKED'
  | 'CRUDAUTH_OAUTH_LINKED_ELSEWHERE'
  | 'CRUDAUTH_OAUTH_ACCOUNT_INACTIVE'
  | 'CRUDAUTH_OAUTH_ACCESS_DENIED'
  | 'CRUDAUTH_DUPLICATE'
  | 'CRUDAUTH_LAST_SIGN_IN_METHOD'
  | 'CRUDAUTH_PASSKEY_INVALID'
  | 'CRUDAUTH_LOCKED_OUT'
  | 'CRUDAUTH_RATE_LIMITED'
  | 'CRUDAUTH_UNAVAILABLE'
  | 'CRUDAUTH_INTERNAL'
  | 'CRUDAUTH_OVERLOADED'
  | 'CRUDAUTH_CONFIG'

/**
 * An error class with one code. `instanceof` compares codes. `error.headers` go to the response.
 */
const make = (code: CrudAuthErrorCode, message: string, status: number) =>
  createError(code, message, status) as FastifyErrorConstructor<
    { code: CrudAuthErrorCode; headers?: Record<string, string> },
    [(string | { cause: unknown })?, { cause: unknown }?]
  >

export const UnauthenticatedError = make(
  'CRUDAUTH_UNAUTHENTICATED',
  'Authentication is required',
  401,
)
export const BadCredentialsError = make(
  'CRUDAUTH_BAD_CREDENTIALS',
  'The identifier or the password is wrong',
  401,
)
export const InvalidTokenError = make('CRUDAUTH_INVALID_TOKEN', 'The token is not valid', 401)
export const WrongPasswordError = make('CRUDAUTH_WRONG_PASSWORD', 'The password is wrong', 401)
/** 401: a code of the second factor is wrong or was used before. */
export const MfaCodeError = make('CRUDAUTH_MFA_CODE', 'The code is wrong, or was used before', 401)
export const CsrfError = make('CRUDAUTH_CSRF', 'The CSRF token is missing or wrong', 403)
export const CrossSiteError = make(
  'CRUDAUTH_CROSS_SITE',
  'The request comes from another site',
  403,
)
export const ForbiddenError = make('CRUDAUTH_FORBIDDEN', 'Access is denied', 403)
export const InsufficientScopeError = make(
  'CRUDAUTH_INSUFFICIENT_SCOPE',
  'The credential lacks a scope that is needed here',
  403,
)
/** 403: the gate requires a sign-in with two factors. */
export const MfaRequiredError = make(
  'CRUDAUTH_MFA_REQUIRED',
  'This action requires a sign-in with two factors or a passkey',
  403,
)
export const NotVerifiedError = make('CRUDAUTH_NOT_VERIFIED', 'The account is not verified', 403)
export const SudoRequiredError = make(
  'CRUDAUTH_SUDO_REQUIRED',
  'Confirm your password to go on',
  403,
)
export const FreshSignInRequiredError = make(
  'CRUDAUTH_FRESH_SIGN_IN_REQUIRED',
  'Sign in again to go on',
  403,
)
export const NotFoundError = make('CRUDAUTH_NOT_FOUND', 'Not found', 404)
export const BadRequestError = make('CRUDAUTH_BAD_REQUEST', '%s', 400)
export const EmailInvalidError = make(
  'CRUDAUTH_EMAIL_INVALID',
  'The email is not a valid address',
  400,
)
export const UsernameInvalidError = make(
  'CRUDAUTH_USERNAME_INVALID',
  'The username is not valid',
  400,
)
export const PhoneInvalidError = make(
  'CRUDAUTH_PHONE_INVALID',
  'The phone number must be in E.164 form, such as +4915112345678',
  400,
)
export const PasswordTooShortError = make(
  'CRUDAUTH_PASSWORD_TOO_SHORT',
  'The password must have at least %s characters',
  400,
)
export const PasswordTooCommonError = make('CRUDAUTH_PASSWORD_TOO_COMMON', '%s', 400)
/** `passwords.check` refused the password. */
export const PasswordRejectedError = make('CRUDAUTH_PASSWORD_REJECTED', '%s', 400)
export const PasswordExistsError = make(
  'CRUDAUTH_PASSWORD_EXISTS',
  'The account has a password already; change it instead',
  400,
)
export const NoPasswordError = make(
  'CRUDAUTH_NO_PASSWORD',
  'The account has no password yet; set one first',
  400,
)
export const SameEmailError = make(
  'CRUDAUTH_SAME_EMAIL',
  'That is the address of the account already',
  400,
)
export const TokenInvalidOrUsedError = make(
  'CRUDAUTH_TOKEN_INVALID_OR_USED',
  'The token is invalid, expired or used',
  400,
)
export const OAuthInvalidStateError = make(
  'CRUDAUTH_OAUTH_INVALID_STATE',
  'The sign-in has expired, was used, or was started in another browser; start again',
  400,
)
export const OAuthFailedError = make(
  'CRUDAUTH_OAUTH_FAILED',
  'The sign-in with the provider failed',
  400,
)
export const OAuthEmailMissingError = make(
  'CRUDAUTH_OAUTH_EMAIL_MISSING',
  'The provider gave no email, and an account needs one',
  400,
)
export const OAuthEmailUnverifiedError = make(
  'CRUDAUTH_OAUTH_EMAIL_UNVERIFIED',
  'An account with this email exists; sign in to it and link the provider',
  400,
)
export const OAuthProviderAlreadyLinkedError = make(
  'CRUDAUTH_OAUTH_PROVIDER_ALREADY_LINKED',
  'The account with this email is linked to another account at this provider',
  400,
)
export const OAuthLinkedElsewhereError = make(
  'CRUDAUTH_OAUTH_LINKED_ELSEWHERE',
  'This account at the provider is linked to another user',
  400,
)
export const OAuthAccountInactiveError = make(
  'CRUDAUTH_OAUTH_ACCOUNT_INACTIVE',
  'The account is disabled',
  400,
)
export const OAuthAccessDeniedError = make(
  'CRUDAUTH_OAUTH_ACCESS_DENIED',
  'The app refused this account',
  400,
)
export const PasskeyInvalidError = make(
  'CRUDAUTH_PASSKEY_INVALID',
  'The passkey could not be added; start again',
  400,
)
export const DuplicateError = make('CRUDAUTH_DUPLICATE', '%s', 409)
export const LastSignInMethodError = make(
  'CRUDAUTH_LAST_SIGN_IN_METHOD',
  'This is the only way to sign in to the account; set a password first',
  409,
)
export const LockedOutError = make('CRUDAUTH_LOCKED_OUT', 'Too many attempts; try again later', 429)
export const RateLimitedError = make(
  'CRUDAUTH_RATE_LIMITED',
  'Too many requests; try again later',
  429,
)
export const UnavailableError = make(
  'CRUDAUTH_UNAVAILABLE',
  'The service is temporarily unavailable',
  503,
)
export const InternalError = make('CRUDAUTH_INTERNAL', '%s', 500)
export const OverloadedError = make(
  'CRUDAUTH_OVERLOADED',
  'The service is overloaded; try again',
  503,
)
/**
 * A mistake in the configuration, thrown before the server listens. The message says how to fix it.
 */
export const ConfigError = make('CRUDAUTH_CONFIG', '%s', 500)

/**
 * Thrown by a user store for a unique violation.
 * @param field logical name of the field; `unknown` if the database doesn't say
 */
export class DuplicateUserError extends Error {
  readonly code = 'CRUDAUTH_DUPLICATE_USER'
  readonly field: string
  constructor(field: string, options?: ErrorOptions) {
    super(`The value of "${field}" is taken`, options)
    this.name = 'DuplicateUserError'
    this.field = field
  }
}

/**
 * Thrown by a user store for a value it can't hold: too long, of the wrong type, out of range,
 * invalid text. The message names the field only; the database error is the `cause` and may repeat
 * the value.
 * @param field logical name of the field; `unknown` if the database doesn't say
 */
export class UserValueError extends Error {
  readonly code = 'CRUDAUTH_USER_VALUE'
  readonly field: string
  constructor(field: string, options?: ErrorOptions) {
    super(`The value of "${field}" cannot be stored`, options)
    this.name = 'UserValueError'
    this.field = field
  }
}
