import type { FastifyRequest } from 'fastify'
import { equalConstantTime } from '../../crypto/compare.js'
import { sha256 } from '../../crypto/digest.js'
import { CsrfError } from '../../errors.js'
import type { SessionRecord } from '../../ports/session-store.js'

const header = 'x-csrf-token'

const safe = new Set(['GET', 'HEAD', 'OPTIONS'])

/** Whether the token is the session's CSRF token. */
export const isCsrfToken = (token: string, record: SessionRecord): boolean =>
  record.csrfDigest !== '' && equalConstantTime(sha256(token), record.csrfDigest)

/**
 * Synchronizer token: unsafe methods must send the session's token in the header. A cookie or a
 * body member doesn't count.
 */
export function requireCsrf(request: FastifyRequest, record: SessionRecord): void {
  if (safe.has(request.method)) return
  const token = request.headers[header]
  if (typeof token !== 'string' || !isCsrfToken(token, record)) {
    const error = new CsrfError()
    // Tells front ends that a retry with a new token will work.
    error.headers = { 'x-csrf-error': 'true' }
    throw error
  }
}
