import type { FastifyRequest } from 'fastify'
import type { Passwords } from '../../core/passwords/passwords.js'
import type { Row, Users } from '../../core/users/users.js'
import { ForbiddenError, LastSignInMethodError, NotFoundError } from '../../errors.js'
import type { Passkey } from '../../ports/passkey-store.js'
import type { PasskeyEvents } from './events.js'
import type { StoredPasskeys } from './stored-passkeys.js'

/** The passkeys of a user. */
export interface PasskeyManagement {
  /** Oldest first. */
  list(user: Row): Promise<Passkey[]>
  /** @throws NotFoundError */
  rename(user: Row, id: string, name: string): Promise<Passkey>
  /**
   * @throws NotFoundError; LastSignInMethodError (409) if it is the only way to sign in;
   * ForbiddenError (403) if it is the only second factor, and the app requires one
   */
  remove(user: Row, id: string, request: FastifyRequest): Promise<void>
  /** Removes a passkey, even the last way to sign in. False if the user has no such passkey. */
  revoke(user: Row, id: string): Promise<boolean>
  /** Removes all. Returns how many. */
  revokeAll(user: Row): Promise<number>
}

interface Dependencies {
  readonly users: Users
  readonly passwords: Passwords
  readonly passkeys: StoredPasskeys
  readonly events: PasskeyEvents
  /** Whether the user can sign in with something else than a password or a passkey. */
  readonly hasOtherMethod: (user: Row) => Promise<boolean>
  /** Whether the account must have a second factor, and has none but its passkeys. */
  readonly needsAsFactor: (user: Row) => Promise<boolean>
}

export function createPasskeyManagement({
  users,
  passwords,
  passkeys,
  events,
  hasOtherMethod,
  needsAsFactor,
}: Dependencies): PasskeyManagement {
  const { store, list } = passkeys
  const find = async (user: Row, id: string) => (await list(user)).find((each) => each.id === id)

  /** Whether the user can sign in without any passkey. Reads the row again. */
  const hasOtherWay = async (user: Row): Promise<boolean> => {
    const row = await users.findById(users.idOf(user))
    if (!row) throw new NotFoundError()
    return passwords.isUsable(users.hashOf(row)) || hasOtherMethod(row)
  }

  /** @throws LastSignInMethodError if no way to sign in is left */
  const refuseStranded = async (user: Row): Promise<void> => {
    if ((await list(user)).length === 0 && !(await hasOtherWay(user)))
      throw new LastSignInMethodError()
  }

  /** Adds it again, unless the account was deleted or taken over in the meantime. */
  const restore = async (user: Row, passkey: Passkey): Promise<void> => {
    await store.create(passkey)
    // In an outage nothing is known, and the owner keeps the way in.
    const now = await users.findById(users.idOf(user)).catch(() => user)
    if (!now || users.epochOf(now) !== users.epochOf(user))
      await store.delete(passkey.userId, passkey.id, false)
  }

  return {
    list,

    async rename(user, id, name) {
      const passkey = await find(user, id)
      if (!passkey || !(await store.rename(passkey.userId, id, name.trim())))
        throw new NotFoundError()
      return { ...passkey, name: name.trim() }
    },

    async remove(user, id, request) {
      const passkey = await find(user, id)
      if (!passkey) throw new NotFoundError()
      const isFactor = await needsAsFactor(user)
      const hasOther = await hasOtherWay(user)
      const outcome = await store.delete(passkey.userId, id, isFactor || !hasOther)
      if (outcome === 'absent') throw new NotFoundError()
      if (outcome === 'last') throw isFactor ? new ForbiddenError() : new LastSignInMethodError()
      // A link may have been removed in the meantime, because there was this passkey.
      if (hasOther)
        await refuseStranded(user).catch(async (error) => {
          if (!(error instanceof NotFoundError)) await restore(user, passkey)
          throw error
        })
      await events.removed(user, passkey, request)
    },

    async revoke(user, id) {
      const passkey = await find(user, id)
      if (!passkey || (await store.delete(passkey.userId, id, false)) !== 'deleted') return false
      await events.removed(user, passkey, null)
      return true
    },

    async revokeAll(user) {
      const known = await list(user)
      const count = await store.deleteAllOfUser(users.idOf(user))
      for (const passkey of known) await events.removed(user, passkey, null)
      return count
    },
  }
}
