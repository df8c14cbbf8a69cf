import type { FastifyRequest } from 'fastify'
import type { Principal } from '../../ports/transport.js'
import type { UserValues } from '../../ports/user-store.js'
import type { Row, Users } from '../users/users.js'
import type { Credentials } from './credentials.js'
import { updateIfUnchanged } from './update-if-unchanged.js'
import type { RevokeEverything } from './user-records.js'

/** How one credential takes the place of another. */
interface Replacement {
  readonly request: FastifyRequest
  /**
   * What was proved and has to stand until the write. `epoch` (default): nothing was revoked meanwhile. `password`: the
   * password is still the same, whatever was revoked.
   */
  readonly proof?: 'epoch' | 'password'
  /** Logical fields, beside the credential, that must be what they are in the user's row. Default none. */
  readonly held?: readonly string[]
  /** What is written together with the next `token_version`. */
  readonly values: (row: Row) => UserValues
  /** The caller whose session goes on. By default every session is revoked. */
  readonly keep?: Principal
  /** Sign-in methods beside the password that go. By default they stay. */
  readonly removeMethods?: RemoveMethods | undefined
  /** Tells people of it, before the event, whose hook may take its time. */
  readonly notify?: (user: Row) => void | Promise<void>
  readonly emit?: (user: Row) => Promise<void>
}

/** Sign-in methods stored outside the row are removed after the write. */
interface RemoveMethods {
  /**
   * Also before it. What is added in between would outlive that, and what an outage leaves behind after the write would
   * outlive this.
   */
  readonly before: boolean
  /** Does it later when it fails after the write; null: the failure is the answer. */
  readonly retry: ((work: () => Promise<void>) => void) | null
}

/**
 * The one way in which a credential changes: a compare-and-set of the new credential and the next epoch, then revoke, notify
 * and emit, in this order. What rests on the old credential has ended with the write, because its epoch is another; revoking
 * cleans up. Returns the row as written, or null when what was proved or held no longer stands.
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
      // Added between the two: what has signed in by it ends below.
      if (!removeMethods)
        await allMethods.detachRecent(user).catch((error: { code?: unknown }) => {
          // The code alone: what the database said may repeat the provider's id of the account.
          request.log.error({ code: error.code }, 'could not remove recent provider links')
        })
      // Proved by a message or a provider, not by a password: what was guessed at before is no matter any more.
      await Promise.all([revokeEverything(id), clearLockouts(user)])
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

  const removeMethods = async (user: Row, { retry }: RemoveMethods) => {
    try {
      await allMethods.detachAll(user)
    } catch (error) {
      if (!retry) throw error
      retry(() => allMethods.detachAll(user))
    }
  }

  return async (user, replacement) => {
    const { proof, held = [], values, keep, removeMethods: remove, notify, emit } = replacement
    if (remove?.before) await allMethods.detachAll(user)
    // The owner is back. Before the write, so that nothing of it signs in under the next epoch.
    if (!keep && !remove) await allMethods.detachRecent(user)
    const changed = await updateIfUnchanged(
      users,
      user,
      held,
      async (row) => {
        const next = {
          ...values(row),
          ...(users.has('tokenVersion') && { tokenVersion: users.versionOf(row) + 1 }),
        }
        if (keep)
          for (const { announce } of revocables) await announce?.(users.changed(row, next), keep)
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
