import type { Passkey, PasskeyStore } from '../ports/passkey-store.js'
import type { UserId } from '../ports/user-store.js'

const copy = (passkey: Passkey): Passkey => ({
  ...passkey,
  transports: [...passkey.transports],
  createdAt: new Date(passkey.createdAt),
  lastUsedAt: passkey.lastUsedAt && new Date(passkey.lastUsedAt),
})

/**
 * Passkeys in the memory of this process, for tests, prototypes and examples: the option
 * `passkeys.store`. Rows are copies. No method awaits anything, so each is atomic.
 * @example
 * const passkeys = memoryPasskeys()
 */
export function memoryPasskeys(): PasskeyStore {
  const rows = new Map<string, Passkey>()
  const idOf = new Map<string, string>()

  const ownOf = (userId: UserId) => [...rows.values()].filter((row) => row.userId === userId)
  const own = (userId: UserId, id: string) => {
    const row = rows.get(id)
    return row?.userId === userId ? row : undefined
  }
  const remove = ({ id, credentialId }: Passkey) => {
    rows.delete(id)
    idOf.delete(credentialId)
  }

  return {
    async create(passkey) {
      if (rows.has(passkey.id) || idOf.has(passkey.credentialId)) return false
      rows.set(passkey.id, copy(passkey))
      idOf.set(passkey.credentialId, passkey.id)
      return true
    },
    async findByCredentialId(credentialId) {
      const row = rows.get(idOf.get(credentialId) ?? '')
      return row ? copy(row) : null
    },
    async listByUser(userId) {
      const byAge = (a: Passkey, b: Passkey) => a.createdAt.getTime() - b.createdAt.getTime()
      return ownOf(userId).sort(byAge).map(copy)
    },
    async compareAndSetCounter(id, expected, { counter, backedUp, lastUsedAt }) {
      const row = rows.get(id)
      if (row?.counter !== expected) return false
      rows.set(id, copy({ ...row, counter, backedUp, lastUsedAt }))
      return true
    },
    async rename(userId, id, name) {
      const row = own(userId, id)
      if (row) rows.set(id, { ...row, name })
      return row !== undefined
    },
    async delete(userId, id, keepLast) {
      const row = own(userId, id)
      if (!row) return 'absent'
      if (keepLast && ownOf(userId).length === 1) return 'last'
      remove(row)
      return 'deleted'
    },
    async deleteAllOfUser(userId) {
      const all = ownOf(userId)
      for (const row of all) remove(row)
      return all.length
    },
  }
}
