import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import type { Passkey, PasskeyStore } from '../../ports/passkey-store.js'
import type { UserId } from '../../ports/user-store.js'

/** Ids of four users. */
export type FourUsers = readonly [UserId, UserId, UserId, UserId]

/** Tests by name. */
export type Cases = Record<string, (store: PasskeyStore, on: Bench) => Promise<void>>

export const MAX_COUNTER = 2 ** 32 - 1

/** A time in whole seconds, which every column of times can hold. */
export const timeAt = (seconds: number): Date => new Date(Date.UTC(2026, 0, 1) + seconds * 1000)

const text = (bytes: number) => randomBytes(bytes).toString('base64url')

/** Helpers to test one store. */
export function bench(store: PasskeyStore, users: FourUsers) {
  const [user, other] = users
  /** A passkey that no store has. */
  const passkeyOf = (changes: Partial<Passkey> = {}): Passkey => ({
    id: text(16),
    userId: user,
    userHandle: text(32),
    credentialId: text(32),
    publicKey: text(77),
    counter: 0,
    transports: ['internal', 'hybrid'],
    aaguid: 'ea9b8d66-4d01-1d21-3ce4-b6b48cb575d4',
    name: 'Phone',
    backedUp: true,
    createdAt: timeAt(0),
    lastUsedAt: null,
    ...changes,
  })
  const added = async (changes: Partial<Passkey> = {}): Promise<Passkey> => {
    const passkey = passkeyOf(changes)
    assert.equal(await store.create(passkey), true, 'a new passkey is added')
    return passkey
  }
  const find = ({ credentialId }: Passkey) => store.findByCredentialId(credentialId)
  /** Checks that the passkey is stored as given. */
  const unchanged = async (passkey: Passkey) => assert.deepEqual(await find(passkey), passkey)
  return { user, other, users, passkeyOf, added, find, unchanged }
}

type Bench = ReturnType<typeof bench>
