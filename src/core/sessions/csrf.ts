import type { FastifyRequest } from 'fastify'
import { equalConstantTime } from '../../crypto/compare.js'
import { sha256 } from '../../crypto/digest.js'
import { CsrfError } from '../../errors.js'
import type { SessionRecord } from '../../ports/session-store.js'

const header = 'x-csrf-token'

const safe = new Set(['GET', 'HEAD', 'OPTIONS'])

/** Whether the token is the session's own. */
export const isCsrfToken = (token: string, record: SessionRecord): boolean =>
  record.csrfDigest !== '' && equalConstantTime(sha256(token), record.csrfDigest)

/** Synchronizer token: unsafe methods need the token of the session in the header; a cookie or body doesn't replace it. */
export function requireCsrf(request: FastifyRequest, record: SessionRecord): void {
  if (safe.has(request.method)) return
  const token = request.headers[header]
  if (typeof token !== 'string' || !isCsrfToken(token, record)) {
    const error = new CsrfError()
    // Front ends tell by it that another token will do.
    error.headers = { 'x-csrf-error': 'true' }
    throw error
  }
}
