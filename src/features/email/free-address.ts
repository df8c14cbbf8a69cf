import { updateIfUnchanged } from '../../core/credentials/update-if-unchanged.js'
import type { Identity } from '../../core/identity/identity.js'
import type { Users } from '../../core/users/users.js'
import { randomToken } from '../../crypto/random.js'

/**
 * Takes the address from an account that never verified it, for the account that reverts to it. An
 * account can get a reserved address only during the change itself or in an outage. A disabled account keeps
 * the address, because nothing of it may change.
 */
export async function freeFromStranger(
  users: Users,
  identity: Identity,
  email: string,
): Promise<boolean> {
  const owner = await identity.findBy('email', email)
  if (!owner || !users.isActive(owner)) return false
  if (!users.has('emailVerified') || users.flagOf(owner, 'emailVerified', false)) return false
  // `.invalid` is never a mailbox (RFC 2606). The random part keeps the address unique.
  const abandoned = `gone-${randomToken(16).toLowerCase()}@account.invalid`
  return (
    (await updateIfUnchanged(users, owner, ['email', 'emailVerified'], () => ({
      email: abandoned,
    }))) !== null
  )
}
