import type { FastifyReply, FastifyRequest } from 'fastify'
import type { SessionRecord } from '../../ports/session-store.js'
import type { Principal } from '../../ports/transport.js'
import type { UserId, UserValues } from '../../ports/user-store.js'
import type { Row } from '../users/users.js'
import type { SignInMethods } from './sign-in-methods.js'

/** What rests on a credential and ends with it: sessions, families of refresh tokens. */
export interface Revocable {
  readonly kind: 'session' | 'refresh'
  /** Live records of the user, most recently active first. */
  list(user: Row): Promise<SessionRecord[]>
  /** Revokes one by its handle; false when it is not theirs or unknown. */
  revoke(id: UserId, handle: string): Promise<boolean>
  /** Revokes all, except `keep`, which moves to `keep.epoch`. Returns how many were revoked. */
  revokeAll(id: UserId, keep?: { handle: string; epoch?: string }): Promise<number>
  /** Lets the caller's own record stand under the epoch that is about to be, so that it never ends in between. */
  announce?(changed: Row, caller: Principal): Promise<void>
}

/** What else a request may carry that signing out revokes: a refresh token. */
export interface Carrier {
  /** The credentials that the request carries. */
  carried(request: FastifyRequest): readonly string[]
  /** Revokes what the credential represents. Returns its user; null for an unknown one. */
  end(credential: string): Promise<UserId | null>
  /** Clears the cookie that carries it. */
  clear(reply: FastifyReply): void
  /** Whether it travels in bodies, too. */
  readonly inBody: boolean
}

type PasswordChanged = (user: Row, request: FastifyRequest) => void
/** @param change key of the provider, and whether the account was linked there or unlinked */
type LinkChanged = (
  user: Row,
  change: { readonly provider: string; readonly linked: boolean },
  request: FastifyRequest,
) => void

/**
 * Everything that rests on a credential. Features register here when they are made; nothing is read before the first
 * request, so their order does not matter.
 */
export interface Credentials {
  readonly revocables: Revocable[]
  readonly carriers: Carrier[]
  readonly methods: SignInMethods[]
  /** All of `methods` as one. */
  readonly allMethods: SignInMethods
  /** Told of a new password before the answer. Must not wait. */
  readonly onPasswordChanged: PasswordChanged[]
  /** Tells all of `onPasswordChanged`. */
  passwordChanged: PasswordChanged
  /** Told of a sign-in method that was added or taken away, before the answer. Must not wait. */
  readonly onLinkChanged: LinkChanged[]
  /** Forgets what is kept of an account beside its row and its records. */
  readonly onDeleted: ((user: Row) => Promise<void>)[]
  /** Tells all of `onLinkChanged`. */
  linkChanged: LinkChanged
}

export function createCredentials(): Credentials {
  const methods: SignInMethods[] = []
  const onPasswordChanged: PasswordChanged[] = []
  const onLinkChanged: LinkChanged[] = []
  return {
    revocables: [],
    carriers: [],
    methods,
    allMethods: {
      get cleared() {
        return Object.assign({}, ...methods.map(({ cleared }) => cleared)) as UserValues
      },
      async detachAll(user) {
        for (const method of methods) await method.detachAll(user)
      },
      get undoable() {
        return methods.some(({ undoable }) => undoable)
      },
      async detachRecent(user) {
        for (const method of methods) await method.detachRecent(user)
      },
    },
    onPasswordChanged,
    passwordChanged(user, request) {
      for (const tell of onPasswordChanged) tell(user, request)
    },
    onLinkChanged,
    onDeleted: [],
    linkChanged(user, change, request) {
      for (const tell of onLinkChanged) tell(user, change, request)
    },
  }
}
