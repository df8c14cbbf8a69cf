import createError, { type FastifyErrorConstructor } from '@fastify/error'

/** Every code that a response or a configuration mistake can carry. Codes are stable: a code never changes its meaning. */
export type CrudAuthErrorCode =
  | 'CRUDAUTH_UNAUTHENTICATED'
  | 'CRUDAUTH_BAD_CREDENTIALS'
  | 'CRUDAUTH_INVALID_TOKEN'
  | 'CRUDAUTH_WRONG_PASSWORD'
  | 'CRUDAUTH_CSRF'
  | 'CRUDAUTH_CROSS_SITE'
  | 'CRUDAUTH_FORBIDDEN'
  | 'CRUDAUTH_INSUFFICIENT_SCOPE'
  | 'CRUDAUTH_NOT_VERIFIED'
  | 'CRUDAUTH_SUDO_REQUIRED'
  | 'CRUDAUTH_FRESH_SIGN_IN_REQUIRED'
  | 'CRUDAUTH_NOT_FOUND'
  | 'CRUDAUTH_BAD_REQUEST'
  | 'CRUDAUTH_TOKEN_INVALID_OR_USED'
  | 'CRUDAUTH_DUPLICATE'
  | 'CRUDAUTH_LOCKED_OUT'
  | 'CRUDAUTH_RATE_LIMITED'
  | 'CRUDAUTH_UNAVAILABLE'
  | 'CRUDAUTH_INTERNAL'
  | 'CRUDAUTH_OVERLOADED'
  | 'CRUDAUTH_CONFIG'

/** Constructor of one kind of error; `instanceof` works by code. Headers ride on `error.headers`. */
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
export const TokenInvalidOrUsedError = make(
  'CRUDAUTH_TOKEN_INVALID_OR_USED',
  'The token is invalid, expired or used',
  400,
)
export const DuplicateError = make('CRUDAUTH_DUPLICATE', '%s', 409)
export const LockedOutError = make('CRUDAUTH_LOCKED_OUT', 'Too many attempts; try again later', 429)
export const RateLimitedError = make(
  'CRUDAUTH_RATE_LIMITED',
  'Too many requests; try again later',
  429,
)
export const UnavailableError = make(
  'CRUDAUTH_UNAVAILABLE',
  'The service is unavailable for the moment',
  503,
)
export const InternalError = make('CRUDAUTH_INTERNAL', '%s', 500)
export const OverloadedError = make(
  'CRUDAUTH_OVERLOADED',
  'The service is overloaded; try again',
  503,
)
/** A mistake in the configuration; thrown before the server listens. The message says what to change. */
export const ConfigError = make('CRUDAUTH_CONFIG', '%s', 500)

/**
 * A user store met a unique constraint.
 * @param field logical name of the field whose value is taken; `unknown` when the database does not tell
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
 * A user store cannot hold a value: too long for its column, of the wrong type, out of range, not valid text. The message
 * names the field only; what the database said is the `cause`, and may repeat the value.
 * @param field logical name of the field; `unknown` when the database does not tell
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
