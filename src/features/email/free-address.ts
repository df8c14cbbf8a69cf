import { updateIfUnchanged } from '../../core/credentials/update-if-unchanged.js'
import type { Identity } from '../../core/identity/identity.js'
import type { Users } from '../../core/users/users.js'
import { randomToken } from '../../crypto/random.js'

/**
 * Takes the address from an account that never verified it, for the one that reverts and has. Such an account can have come about only
 * in the moment of the move, or while no state was reachable.
 */
export async function freeFromStranger(
  users: Users,
  identity: Identity,
  email: string,
): Promise<boolean> {
  const owner = await identity.findBy('email', email)
  if (!owner || !users.has('emailVerified') || users.flagOf(owner, 'emailVerified', false))
    return false
  // Never a mailbox (RFC 2606), and no other account's.
  const abandoned = `gone-${randomToken(16).toLowerCase()}@account.invalid`
  return (
    (await updateIfUnchanged(users, owner, ['email', 'emailVerified'], () => ({
      email: abandoned,
    }))) !== null
  )
}
