import type { RegisteredUser } from '../../ports/fastify.js'
import type { Users } from './users.js'

/** What a token says about the credential that it was issued under. */
export interface Credential {
  /** The user's `token_version` when it was issued. */
  readonly version: number
  /** The user's credential epoch when it was issued, shortened by `tokenEpoch`. */
  readonly epoch: string
}

const tokenEpochLength = 11

/** The credential epoch as tokens carry it: shortened, but long enough to tell two apart. */
export const tokenEpoch = (users: Users, user: RegisteredUser): string =>
  users.epochOf(user).slice(0, tokenEpochLength)

/** Whether the row still has the credential. */
export const isCurrent = (
  users: Users,
  user: RegisteredUser,
  { version, epoch }: Credential,
): boolean =>
  users.versionOf(user) === version &&
  epoch.length === tokenEpochLength &&
  users.epochOf(user).startsWith(epoch)
