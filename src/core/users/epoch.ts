import type { RegisteredUser } from '../../ports/fastify.js'
import type { Users } from './users.js'

/** What a token says of the credential that it was issued under. */
export interface Credential {
  /** The user's `token_version` when it was issued. */
  readonly version: number
  /** The user's credential epoch when it was issued, as `tokenEpoch` cuts it. */
  readonly epoch: string
}

const tokenEpochLength = 11

/** The credential epoch as tokens carry it: enough of it to tell one from another. */
export const tokenEpoch = (users: Users, user: RegisteredUser): string =>
  users.epochOf(user).slice(0, tokenEpochLength)

/** Whether the credential is still the row's. */
export const isCurrent = (
  users: Users,
  user: RegisteredUser,
  { version, epoch }: Credential,
): boolean =>
  users.versionOf(user) === version &&
  epoch.length === tokenEpochLength &&
  users.epochOf(user).startsWith(epoch)
