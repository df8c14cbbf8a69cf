import type { FastifyRequest } from 'fastify'
import { unavailableError } from '../../lib/unavailable.js'
import type { Principal } from '../../ports/transport.js'
import type { UserValues } from '../../ports/user-store.js'
import type { Row, Users } from '../users/users.js'
import type { Credentials } from './credentials.js'
import { updateIfUnchanged } from './update-if-unchanged.js'
import type { RevokeEverything } from './user-records.js'

/** A change from one credential to another. */
interface Replacement {
  readonly request: FastifyRequest
  /**
   * What the caller has proved, which must still be true at the write. `epoch` (default): nothing
   * was revoked in between. `password`: the password is still the same, even if sessions were
   * revoked.
   */
  readonly proof?: 'epoch' | 'password'
  /** Further logical fields that must be unchanged in the user's row. Default none. */
  readonly unchangedFields?: readonly string[]
  /** Values to write together with the next `token_version`. */
  readonly values: (row: Row) => UserValues
  /** The caller whose session continues. By default every session is revoked. */
  readonly keep?: Principal
  /** Removes the sign-in methods other than the password. By default they stay. */
  readonly removeMethods?: RemoveMethods | undefined
  /** Notifies users. Runs before the event, whose hook may take long. */
  readonly notify?: (user: Row) => void | Promise<void>
  readonly emit?: (user: Row) => Promise<void>
}

/**
 * How to remove the sign-in methods that are stored outside the row. They are removed after the
 * write.
 */
interface RemoveMethods {
  /**
   * Also removes them before the write. The removal after the write catches methods that are added
   * in between. The removal before it still counts if an outage prevents the other one.
   */
  readonly before: boolean
  /** Also removes the second factors that are stored outside the row. */
  readonly factors: boolean
  /** Retries a removal that fails after the write. Null: the failure is thrown. */
  readonly retry: ((work: () => Promise<void>) => void) | null
}

/**
 * Changes a credential. Every change goes through this function: a compare-and-set of the new
 * credential and the next epoch, then revoke, notify and emit, in this order. If the write changes
 * the epoch, it ends all sessions and tokens, and revoking only cleans up. If it doesn't (no
 * `tokenVersion`, same password), they are revoked before the write as well, and a failure is 503.
 * Returns the row as written, or null if the proof or a field in `unchangedFields` is no longer current.
 * @throws DuplicateUserError, UserValueError, UnavailableError
 */
export type ReplaceCredential = (user: Row, replacement: Replacement) => Promise<Row | null>

interface Dependencies {
  readonly users: Users
  readonly credentials: Credentials
  readonly revokeEverything: RevokeEverything
  /** Never rejects. */
  readonly clearLockouts: (user: Row) => Promise<void>
}

export function createReplaceCredential({
  users,
  credentials,
  revokeEverything,
  clearLockouts,
}: Dependencies): ReplaceCredential {
  const { revocables, allMethods } = credentials

  const samePassword = (user: Row): ((row: Row) => boolean) => {
    const hash = users.hashOf(user)
    return (row) => users.hashOf(row) === hash
  }

  const revoke = async (user: Row, { keep, request, removeMethods }: Replacement) => {
    const id = users.idOf(user)
    if (!keep) {
      // Catches links that were added since the removal before the write. Their sessions are
      // revoked below.
      if (!removeMethods)
        await allMethods.detachRecent(user).catch((error: { code?: unknown }) => {
          // Only the code is logged: the database's message may contain the account's id at the
          // provider.
          request.log.error({ code: error.code }, 'could not remove recent provider links')
        })
      // The user has proved ownership with a message or a provider, not with a password, so earlier
      // failed guesses no longer matter.
      const [revoked] = await Promise.all([revokeEverything(id), clearLockouts(user)])
      if (!revoked) request.log.error('could not delete all sessions and tokens of an account')
      return
    }
    const kept =
      keep.sessionId === undefined
        ? undefined
        : { handle: keep.sessionId, epoch: users.epochOf(user) }
    const results = await Promise.allSettled(revocables.map(({ revokeAll }) => revokeAll(id, kept)))
    for (const result of results) {
      if (result.status === 'rejected')
        request.log.error(
          { err: result.reason },
          'could not delete revoked sessions; they stay revoked',
        )
    }
  }

  const detach = async (user: Row, { factors }: RemoveMethods) => {
    await allMethods.detachAll(user)
    if (factors) await allMethods.detachFactors(user)
  }

  const removeMethods = async (user: Row, remove: RemoveMethods) => {
    try {
      await detach(user, remove)
    } catch (error) {
      if (!remove.retry) throw error
      remove.retry(() => detach(user, remove))
    }
  }

  return async (user, replacement) => {
    const {
      proof,
      unchangedFields = [],
      values,
      keep,
      removeMethods: remove,
      notify,
      emit,
    } = replacement
    if (remove?.before) await detach(user, remove)
    // The owner has recovered the account. Recent links go before the write, so that none of them
    // can sign in under the next epoch.
    if (!keep && !remove) await allMethods.detachRecent(user)
    const nextOf = (row: Row): UserValues => ({
      ...values(row),
      ...(users.has('tokenVersion') && { tokenVersion: users.versionOf(row) + 1 }),
    })
    const staysInEpoch = () =>
      users.epochOf(users.changed(user, nextOf(user))) === users.epochOf(user)
    if (!keep && staysInEpoch() && !(await revokeEverything(users.idOf(user))))
      throw unavailableError(new Error('Could not revoke the sessions and tokens of an account'))
    const changed = await updateIfUnchanged(
      users,
      user,
      unchangedFields,
      async (row) => {
        const next = nextOf(row)
        if (keep)
          for (const { addNextEpoch } of revocables)
            await addNextEpoch?.(users.changed(row, next), keep)
        return next
      },
      proof === 'password' ? samePassword(user) : undefined,
    )
    if (!changed) return null
    if (remove) await removeMethods(changed, remove)
    await revoke(changed, replacement)
    await notify?.(changed)
    await emit?.(changed)
    return changed
  }
}
