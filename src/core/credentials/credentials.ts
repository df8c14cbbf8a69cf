import type { FastifyReply, FastifyRequest } from 'fastify'
import type { SessionRecord } from '../../ports/session-store.js'
import type { Principal } from '../../ports/transport.js'
import type { UserId, UserValues } from '../../ports/user-store.js'
import type { Row } from '../users/users.js'
import type { AllMethods, SignInMethods } from './sign-in-methods.js'

/** Records that depend on a credential and end with it: sessions, refresh-token families. */
export interface Revocable {
  readonly kind: 'session' | 'refresh'
  /** Live records of the user, most recently active first. */
  list(user: Row): Promise<SessionRecord[]>
  /** Revokes one by its handle. False if it is unknown or belongs to another user. */
  revoke(id: UserId, handle: string): Promise<boolean>
  /** Revokes all, except `keep`, which moves to `keep.epoch`. Returns how many were revoked. */
  revokeAll(id: UserId, keep?: { handle: string; epoch?: string }): Promise<number>
  /**
   * Makes the caller's own record valid under the next epoch too, before the epoch changes. So the
   * record stays valid throughout the change.
   */
  addNextEpoch?(changed: Row, caller: Principal): Promise<void>
}

/** A further credential that a request may carry and that sign-out revokes: a refresh token. */
export interface RefreshCredential {
  /** The credentials that the request carries. */
  carried(request: FastifyRequest): readonly string[]
  /**
   * Revokes what the credential represents. Returns its user, or null for an unknown credential.
   */
  end(credential: string): Promise<UserId | null>
  /** Clears the cookie that carries it. */
  clear(reply: FastifyReply): void
  /** Whether it travels in bodies instead of a cookie. Only OpenAPI asks: sign-out reads both. */
  readonly inBody: boolean
}

type PasswordChanged = (user: Row, request: FastifyRequest) => void
/** @param change the provider's key, and whether the account was linked or unlinked */
type LinkChanged = (
  user: Row,
  change: { readonly provider: string; readonly linked: boolean },
  request: FastifyRequest,
) => void

/** What happened to a second factor. */
export type FactorChange =
  | { readonly kind: 'mfa_enabled' | 'mfa_disabled' | 'passkey_added' | 'passkey_removed' }
  /** @param remaining recovery codes that are left */
  | { readonly kind: 'recovery_code_used'; readonly remaining: number }

type FactorChanged = (user: Row, change: FactorChange, request: FastifyRequest) => void

/**
 * Everything that depends on a credential. Features register here in `create`. Read it only when
 * routes are mounted or later: by then every feature has registered.
 */
export interface Credentials {
  readonly revocables: Revocable[]
  readonly carriers: RefreshCredential[]
  readonly methods: SignInMethods[]
  /** All of `methods` combined. */
  readonly allMethods: AllMethods
  /** Whether the user can sign in with one of `methods` other than this one. */
  hasOtherMethod(user: Row, than: SignInMethods): Promise<boolean>
  /** Called after a password change, before the response. Must not wait. */
  readonly passwordChangedListeners: PasswordChanged[]
  /** Calls every listener in `passwordChangedListeners`. */
  notifyPasswordChanged: PasswordChanged
  /** Called after a sign-in method was added or removed, before the response. Must not wait. */
  readonly linkChangedListeners: LinkChanged[]
  /**
   * Called when an account is deleted. Removes the data that is stored outside its row and records.
   */
  readonly deletedListeners: ((user: Row) => Promise<void>)[]
  /** Calls every listener in `linkChangedListeners`. */
  notifyLinkChanged: LinkChanged
  /** Called after a second factor changed, before the response. Must not wait. */
  readonly factorChangedListeners: FactorChanged[]
  /** Calls every listener in `factorChangedListeners`. */
  notifyFactorChanged: FactorChanged
}

export function createCredentials(): Credentials {
  const methods: SignInMethods[] = []
  const onPasswordChanged: PasswordChanged[] = []
  const onLinkChanged: LinkChanged[] = []
  const onFactorChanged: FactorChanged[] = []
  return {
    revocables: [],
    carriers: [],
    methods,
    allMethods: {
      get cleared() {
        return Object.assign({}, ...methods.map(({ cleared }) => cleared)) as UserValues
      },
      get clearedFactors() {
        return Object.assign({}, ...methods.map((method) => method.clearedFactors)) as UserValues
      },
      async detachAll(user) {
        for (const method of methods) await method.detachAll(user)
      },
      async detachFactors(user) {
        for (const method of methods) await method.detachFactors(user)
      },
      get undoable() {
        return methods.some(({ undoable }) => undoable)
      },
      async detachRecent(user) {
        for (const method of methods) await method.detachRecent(user)
      },
    },
    async hasOtherMethod(user, than) {
      for (const method of methods)
        if (method !== than && (await method.isUsable(user))) return true
      return false
    },
    passwordChangedListeners: onPasswordChanged,
    notifyPasswordChanged(user, request) {
      for (const tell of onPasswordChanged) tell(user, request)
    },
    linkChangedListeners: onLinkChanged,
    deletedListeners: [],
    notifyLinkChanged(user, change, request) {
      for (const tell of onLinkChanged) tell(user, change, request)
    },
    factorChangedListeners: onFactorChanged,
    notifyFactorChanged(user, change, request) {
      for (const tell of onFactorChanged) tell(user, change, request)
    },
  }
}
