import type { Passkey } from '../ports/passkey-store.js'

/** Fields of a passkey, each with a column of its own. */
export const PASSKEY_FIELDS = [
  'id',
  'userId',
  'userHandle',
  'credentialId',
  'publicKey',
  'counter',
  'transports',
  'aaguid',
  'name',
  'backedUp',
  'createdAt',
  'lastUsedAt',
] as const satisfies readonly (keyof Passkey)[]

export type PasskeyField = (typeof PASSKEY_FIELDS)[number]

/** Columns of the passkeys by field. */
export type PasskeyColumns = Readonly<Record<PasskeyField, string>>

/** Characters that the columns of text must hold. */
export const TEXT_LENGTHS: Readonly<Partial<Record<PasskeyField, number>>> = {
  id: 22,
  userHandle: 86,
  credentialId: 1364,
  publicKey: 4095,
  transports: 255,
  aaguid: 36,
  name: 100,
}

/** Authenticators count in 32 bits, without a sign. */
export const MAX_COUNTER = 2 ** 32 - 1

/** Whether an authenticator can have counted to this number. */
export const isCounter = (value: unknown): value is number =>
  Number.isSafeInteger(value) && (value as number) >= 0 && (value as number) <= MAX_COUNTER
