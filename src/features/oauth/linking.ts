import { updateIfUnchanged } from '../../core/credentials/update-if-unchanged.js'
import type { Passwords } from '../../core/passwords/passwords.js'
import type { Row, Users } from '../../core/users/users.js'
import {
  DuplicateError,
  DuplicateUserError,
  LastSignInMethodError,
  NotFoundError,
} from '../../errors.js'
import type { OAuthProfile } from '../../ports/oauth-provider.js'
import type { LinkedAccount, LinkedAccounts } from './linked-accounts.js'
import type { RecentLinks } from './recent-links.js'

interface Dependencies {
  readonly users: Users
  readonly passwords: Passwords
  readonly links: LinkedAccounts
  /** Whether the user can sign in with something else than a password or a link. */
  readonly hasOtherMethod: (user: Row) => Promise<boolean>
  /** Null without delivery: links can't be undone then. */
  readonly recent: RecentLinks | null
}

/** Links and unlinks provider accounts of a signed-in user. */
export interface OAuthLinking {
  list(user: Row): Promise<LinkedAccount[]>
  /** @throws DuplicateError (409) if the user is already linked to the provider */
  refuseSecond(user: Row, provider: string): Promise<void>
  /**
   * `elsewhere`: the provider account belongs to another user. `stale`: the user's credential or
   * links have changed in the meantime.
   */
  link(
    user: Row,
    provider: string,
    profile: OAuthProfile,
  ): Promise<{ readonly user: Row; readonly isNew: boolean } | 'elsewhere' | 'stale'>
  /** @throws NotFoundError (404); LastSignInMethodError (409) if it is the only way to sign in */
  unlink(user: Row, provider: string): Promise<void>
}

export function createOAuthLinking({
  users,
  passwords,
  links,
  hasOtherMethod,
  recent,
}: Dependencies): OAuthLinking {
  const hasPassword = (user: Row) => passwords.isUsable(users.hashOf(user))

  return {
    list: (user) => links.list(user),

    async refuseSecond(user, provider) {
      if (await links.isLinked(user, provider)) {
        throw new DuplicateError('The account is already linked to this provider; unlink it first')
      }
    },

    async link(user, provider, profile) {
      const owner = await links.find(provider, profile.id)
      if (owner)
        return users.idOf(owner) === users.idOf(user) ? { user: owner, isNew: false } : 'elsewhere'
      if (await links.isLinked(user, provider)) return 'stale'
      await recent?.remember(user, provider)
      let changed: Row | null
      try {
        changed = await updateIfUnchanged(users, user, links.fields, () =>
          links.valuesFor(provider, profile.id, false),
        )
      } catch (error) {
        if (error instanceof DuplicateUserError) return 'elsewhere'
        throw error
      }
      if (!changed) return 'stale'
      if (await links.attach(changed, provider, profile)) return { user: changed, isNew: true }
      return (await links.find(provider, profile.id)) ? 'elsewhere' : 'stale'
    },

    async unlink(user, provider) {
      const hasElse = !hasPassword(user) && (await hasOtherMethod(user))
      const outcome = await links.detach(user, provider, (row) => hasElse || hasPassword(row))
      if (outcome === 'absent') throw new NotFoundError()
      if (outcome === 'last') throw new LastSignInMethodError()
      if (!hasElse) return
      // The last passkey may have been removed in the meantime, because there was this link.
      const isStranded = await hasOtherMethod(user).then(
        (hasOne) => !hasOne,
        async (error) => {
          await outcome.undo()
          throw error
        },
      )
      if (!isStranded) return
      await outcome.undo()
      throw new LastSignInMethodError()
    },
  }
}
