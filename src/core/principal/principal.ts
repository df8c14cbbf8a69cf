import { InternalError } from '../../errors.js'
import type { RegisteredUser } from '../../ports/fastify.js'
import type { SessionRecord } from '../../ports/session-store.js'
import type { Principal, PrincipalInit } from '../../ports/transport.js'
import type { UserId } from '../../ports/user-store.js'
import type { Credential } from '../users/epoch.js'
import type { Users } from '../users/users.js'
import type { Methods } from './methods.js'

/** The session of a principal: the tag that it is stored under, and its record. */
interface SessionState {
  readonly tag: string
  readonly record: SessionRecord
}

const none: readonly string[] = Object.freeze([])
const empty = Object.freeze({})

/** Identity and flags of a principal, from a row or from the claims of a token. */
export interface Subject {
  readonly userId: UserId
  readonly isSuperuser: boolean
  readonly emailVerified: boolean
  readonly recoveryVerified: boolean
  /** Returns a row without its credential columns. Absent for subjects from token claims. */
  readonly view?: (row: RegisteredUser) => RegisteredUser
}

/** @param recovery logical name of the recovery field, or null */
export function subjectOf(users: Users, recovery: string | null, user: RegisteredUser): Subject {
  const emailVerified = users.flagOf(user, 'emailVerified', false)
  return {
    userId: users.idOf(user),
    isSuperuser: users.flagOf(user, 'isSuperuser', false),
    emailVerified,
    view: users.publicView,
    recoveryVerified:
      recovery === 'email'
        ? emailVerified
        : recovery !== null && users.flagOf(user, `${recovery}Verified`, false),
  }
}

/** What the plugin's own transports say about a principal besides the user. */
interface OwnInit extends PrincipalInit {
  /** In place of `amr`, where it costs something to find out. */
  readonly amrOf?: () => Methods
}

/**
 * The only implementation of `Principal`. Gates and services read its private members through
 * static methods.
 */
export class AuthenticatedPrincipal implements Principal {
  readonly userId: UserId
  readonly transport: string
  readonly scopes: readonly string[]
  readonly isSuperuser: boolean
  readonly emailVerified: boolean
  readonly recoveryVerified: boolean
  readonly metadata: Readonly<Record<string, unknown>>
  readonly #row: RegisteredUser | null
  readonly #view: Subject['view']
  readonly #authenticatedAtMs: number
  readonly #amrOf: () => Methods
  readonly #credential: Credential | null
  #session: SessionState | null

  /**
   * @param user null if only the claims of a token are known
   * @param credential the credential that `user` must have when it is loaded later
   */
  constructor(
    subject: Subject,
    user: RegisteredUser | null,
    init: OwnInit,
    session: SessionState | null = null,
    credential: Credential | null = null,
  ) {
    this.userId = subject.userId
    this.isSuperuser = subject.isSuperuser
    this.emailVerified = subject.emailVerified
    this.recoveryVerified = subject.recoveryVerified
    this.transport = init.transport
    this.scopes = init.scopes ?? none
    this.metadata = init.metadata ?? empty
    this.#row = user
    this.#view = subject.view
    this.#authenticatedAtMs = init.authenticatedAtMs ?? Number.NEGATIVE_INFINITY
    this.#amrOf = init.amrOf ?? (() => init.amr ?? [])
    this.#session = session
    this.#credential = credential
  }

  /** @throws InternalError if the transport creates principals from tokens alone */
  get user(): RegisteredUser {
    if (this.#row !== null && this.#view) return this.#view(this.#row)
    throw new InternalError(
      'principal.user is not available with statelessUser; load the row by principal.userId',
    )
  }

  /** How the user authenticated. */
  get amr(): Methods {
    return this.#amrOf()
  }

  /** Handle of the session, for session principals. */
  get sessionId(): string | undefined {
    return this.#session?.record.handle
  }

  hasScopes(...scopes: (string | readonly string[])[]): boolean {
    return scopes.flat().every((scope) => this.scopes.includes(scope))
  }

  /**
   * Whether the whole row is loaded. False for a principal from a token alone, and for an app's own
   * object.
   */
  static hasUser(principal: Principal): boolean {
    return principal instanceof AuthenticatedPrincipal && principal.#row !== null
  }

  /**
   * The whole row, with its credential columns.
   * @throws InternalError if it is not loaded, see `loadUser`
   */
  static rowOf(principal: Principal): RegisteredUser {
    if (principal instanceof AuthenticatedPrincipal && principal.#row !== null)
      return principal.#row
    throw new InternalError('The row of the principal was not loaded')
  }

  /** The credential that a row must have when it is loaded later; null if none is known. */
  static credentialOf(principal: Principal): Credential | null {
    return principal instanceof AuthenticatedPrincipal ? principal.#credential : null
  }

  /** The same principal, with the row that was loaded for it. */
  static withUser(
    principal: Principal,
    subject: Subject,
    user: RegisteredUser,
  ): AuthenticatedPrincipal {
    const { transport, scopes, metadata, amr } = principal
    const known =
      principal instanceof AuthenticatedPrincipal
        ? { authenticatedAtMs: principal.#authenticatedAtMs }
        : {}
    return new AuthenticatedPrincipal(subject, user, { transport, scopes, metadata, amr, ...known })
  }

  /** The session of a principal; null for other transports. */
  static sessionOf(principal: Principal): SessionState | null {
    return principal instanceof AuthenticatedPrincipal ? principal.#session : null
  }

  /** Applies what this request has changed in its own session, so that its later gates see it. */
  static patchSession(principal: Principal, patch: Partial<SessionRecord>): void {
    if (!(principal instanceof AuthenticatedPrincipal) || !principal.#session) return
    principal.#session = {
      tag: principal.#session.tag,
      record: { ...principal.#session.record, ...patch },
    }
  }

  /** When the user authenticated, in `Date.now()` milliseconds; minus infinity if unknown. */
  static authenticatedAtMs(principal: Principal): number {
    return principal instanceof AuthenticatedPrincipal
      ? principal.#authenticatedAtMs
      : Number.NEGATIVE_INFINITY
  }

  /** Whether the session is in sudo mode. */
  static isElevated(principal: Principal): boolean {
    const session = AuthenticatedPrincipal.sessionOf(principal)
    return session !== null && session.record.sudoUntilMs > Date.now()
  }

  /** Whether the user authenticated within `seconds`, or the session is in sudo mode. */
  static isFresh(principal: Principal, seconds: number): boolean {
    if (!(principal instanceof AuthenticatedPrincipal)) return false
    return (
      principal.#authenticatedAtMs + seconds * 1000 > Date.now() ||
      AuthenticatedPrincipal.isElevated(principal)
    )
  }
}

/** The caller's whole row, for services. Routes load it first, see `loadUser`. */
export const rowOf = (principal: Principal): RegisteredUser =>
  AuthenticatedPrincipal.rowOf(principal)
