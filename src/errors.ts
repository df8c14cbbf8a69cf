import createError, { type FastifyErrorConstructor } from '@fastify/error'

/** Constructor of one kind of error; `instanceof` works by code. Headers ride on `error.headers`. */
const make = (code: string, message: string, status: number) =>
  createError(`CRUDAUTH_${code}`, message, status) as FastifyErrorConstructor<
    { code: string; headers?: Record<string, string> },
    [(string | { cause: unknown })?, { cause: unknown }?]
  >

export const UnauthenticatedError = make('UNAUTHENTICATED', 'Authentication is required', 401)
export const BadCredentialsError = make('BAD_CREDENTIALS', 'The identifier or the password is wrong', 401)
export const InvalidTokenError = make('INVALID_TOKEN', 'The token is not valid', 401)
export const WrongPasswordError = make('WRONG_PASSWORD', 'The password is wrong', 401)
export const CsrfError = make('CSRF', 'The CSRF token is missing or wrong', 403)
export const CrossSiteError = make('CROSS_SITE', 'The request comes from another site', 403)
export const ForbiddenError = make('FORBIDDEN', 'Access is denied', 403)
export const InsufficientScopeError = make('INSUFFICIENT_SCOPE', 'The credential lacks a scope that is needed here', 403)
export const NotVerifiedError = make('NOT_VERIFIED', 'The account is not verified', 403)
export const SudoRequiredError = make('SUDO_REQUIRED', 'Confirm your password to go on', 403)
export const FreshSignInRequiredError = make('FRESH_SIGN_IN_REQUIRED', 'Sign in again to go on', 403)
export const NotFoundError = make('NOT_FOUND', 'Not found', 404)
export const BadRequestError = make('BAD_REQUEST', '%s', 400)
export const TokenInvalidOrUsedError = make('TOKEN_INVALID_OR_USED', 'The token is invalid, expired or used', 400)
export const DuplicateError = make('DUPLICATE', '%s', 409)
export const LockedOutError = make('LOCKED_OUT', 'Too many attempts; try again later', 429)
export const RateLimitedError = make('RATE_LIMITED', 'Too many requests; try again later', 429)
export const UnavailableError = make('UNAVAILABLE', 'The service is unavailable for the moment', 503)
export const InternalError = make('INTERNAL', '%s', 500)
export const OverloadedError = make('OVERLOADED', 'The service is overloaded; try again', 503)
/** A mistake in the configuration; thrown before the server listens. The message says what to change. */
export const ConfigError = make('CONFIG', '%s', 500)

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
