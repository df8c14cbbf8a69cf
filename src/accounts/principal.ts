import type { RegisteredUser } from '../fastify.js'
import type { SessionRecord } from '../ports/session-store.js'
import type { Principal, PrincipalInit } from '../ports/transport.js'
import type { UserId } from '../ports/user-store.js'
import type { Users } from './users.js'

/** How a session principal stands in the store. */
interface SessionState {
  readonly tag: string
  readonly record: SessionRecord
}

const none: readonly string[] = Object.freeze([])
const empty = Object.freeze({})

/** The one implementation of `Principal`. What is private to it is what gates and services need beyond the public view. */
export class AuthenticatedPrincipal implements Principal {
  readonly userId: UserId
  readonly user: RegisteredUser
  readonly transport: string
  readonly scopes: readonly string[]
  readonly isSuperuser: boolean
  readonly emailVerified: boolean
  readonly recoveryVerified: boolean
  readonly metadata: Readonly<Record<string, unknown>>
  readonly #authenticatedAtMs: number
  #session: SessionState | null

  constructor(users: Users, recovery: string | null, user: RegisteredUser, init: PrincipalInit, session: SessionState | null) {
    this.userId = users.idOf(user)
    this.user = user
    this.transport = init.transport
    this.scopes = init.scopes ?? none
    this.isSuperuser = users.flagOf(user, 'isSuperuser', false)
    this.emailVerified = users.flagOf(user, 'emailVerified', false)
    this.recoveryVerified =
      recovery === 'email' ? this.emailVerified : recovery !== null && users.flagOf(user, `${recovery}Verified`, false)
    this.metadata = init.metadata ?? empty
    this.#authenticatedAtMs = init.authenticatedAtMs ?? Number.NEGATIVE_INFINITY
    this.#session = session
  }

  /** Handle of the session, for session principals. */
  get sessionId(): string | undefined {
    return this.#session?.record.handle
  }

  hasScopes(...scopes: string[]): boolean {
    return scopes.every((scope) => this.scopes.includes(scope))
  }

  /** Where a session principal stands in the store; null for others. */
  static sessionOf(principal: Principal): SessionState | null {
    return principal instanceof AuthenticatedPrincipal ? principal.#session : null
  }

  /** What this request has changed in its own session, so that later gates of the same request see it. */
  static patchSession(principal: Principal, patch: Partial<SessionRecord>): void {
    if (!(principal instanceof AuthenticatedPrincipal) || !principal.#session) return
    principal.#session = { tag: principal.#session.tag, record: { ...principal.#session.record, ...patch } }
  }

  /** Whether the session stands in sudo. */
  static isElevated(principal: Principal): boolean {
    const session = AuthenticatedPrincipal.sessionOf(principal)
    return session !== null && session.record.sudoUntilMs > Date.now()
  }

  /** Whether a credential was proved within `seconds`, or the session stands in sudo. */
  static isFresh(principal: Principal, seconds: number): boolean {
    if (!(principal instanceof AuthenticatedPrincipal)) return false
    return principal.#authenticatedAtMs + seconds * 1000 > Date.now() || AuthenticatedPrincipal.isElevated(principal)
  }
}
