import { UnavailableError } from '../errors.js'

/**
 * Adds `Retry-After` (whole seconds, at least 1; RFC 9110) to an error, where Fastify's error handler finds it.
 * @param seconds when it makes sense to try again
 */
export function retryAfter<E extends { headers?: Record<string, string> }>(
  error: E,
  seconds: number,
): E {
  error.headers = { ...error.headers, 'retry-after': String(Math.max(1, Math.ceil(seconds))) }
  return error
}

/** The one answer to an outage of shared state or of the users' database: 503, try again in a second. */
export const unavailableError = (cause?: unknown) => retryAfter(new UnavailableError({ cause }), 1)

/** What a call of shared state gives, or 503. */
export const orUnavailable = <T>(promise: Promise<T>): Promise<T> =>
  promise.catch((cause) => Promise.reject(unavailableError(cause)))
