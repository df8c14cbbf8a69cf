import { BadRequestError } from '../../errors.js'
import type { AuthenticationMethod } from '../../ports/transport.js'

/** A new session. Its secrets exist only here and in the browser. */
export interface NewSession {
  /** Public handle. It can revoke the session but never authenticates. */
  readonly sessionId: string
  /** For the `X-CSRF-Token` header; null if CSRF protection is off. */
  readonly csrfToken: string | null
  readonly rememberMe: boolean
  /** Value of the session cookie. */
  readonly secretCookie: string
  /** Value of the known-device cookie. */
  readonly deviceCookie: string
}

/** Options of `sessions.create`. */
export interface SessionInit {
  /** Whether the session outlives the browser. Default false. */
  readonly rememberMe?: boolean | undefined
  /** JSON of your own, at most 2 KiB. Available as `principal.metadata`. */
  readonly metadata?: Readonly<Record<string, unknown>> | undefined
  /** When the user authenticated, for freshness. Future times count as now. Default now. */
  readonly authenticatedAt?: Date | undefined
  /** How the user authenticated, for `principal.amr`. Default none. */
  readonly amr?: readonly AuthenticationMethod[] | undefined
}

const maxMetadataBytes = 2048

/**
 * The metadata as JSON; '' without any.
 * @throws BadRequestError above 2 KiB
 */
export function metadataText(metadata: SessionInit['metadata']): string {
  const text = metadata === undefined ? '' : JSON.stringify(metadata)
  if (Buffer.byteLength(text) > maxMetadataBytes)
    throw new BadRequestError('The session metadata is too large')
  return text
}
