import type { FastifyReply, FastifyRequest } from 'fastify'
import { encodeUserId } from '../../core/users/user-id.js'
import type { Row, Users } from '../../core/users/users.js'
import { equalConstantTime } from '../../crypto/compare.js'
import { shortHmac } from '../../crypto/digest.js'
import type { PurposeKeys } from '../../crypto/keys.js'
import type { CookieJar } from '../../http/cookies.js'

/** Marks in the cookie of one browser, one for each user. */
const maxMarks = 5

/**
 * Browsers that aren't asked for the second factor again. A mark in their cookie is signed and
 * bound to the user, the credential epoch and the encrypted secret. So a new password, a disabled
 * factor and new recovery codes end it, and no store is needed.
 */
export interface RememberedDevices {
  has(request: FastifyRequest, user: Row): boolean
  /** Sets the cookie. Marks of other users in the same browser stay. */
  remember(request: FastifyRequest, reply: FastifyReply, user: Row): void
}

interface Dependencies {
  readonly users: Users
  readonly cookie: CookieJar
  readonly keys: PurposeKeys
  readonly seconds: number
}

export function createRememberedDevices({
  users,
  cookie,
  keys,
  seconds,
}: Dependencies): RememberedDevices {
  const signatureOf = (key: Buffer, end: string, user: Row) =>
    shortHmac(
      key,
      [
        end,
        encodeUserId(users.idOf(user)),
        users.epochOf(user),
        users.read(user, 'totpSecretEncrypted'),
      ].join(' '),
    )
  const isFor = (mark: string, user: Row): boolean => {
    const [end = '', signature = ''] = mark.split('.')
    return keys.some((key) => equalConstantTime(signatureOf(key, end, user), signature))
  }
  /** Marks that have not expired. Whether they are genuine is not checked yet. */
  const marksOf = (request: FastifyRequest): string[] =>
    (cookie.read(request)?.split('~') ?? []).filter(
      (mark) => Number.parseInt(mark, 36) * 1000 > Date.now(),
    )

  return {
    has: (request, user) => marksOf(request).some((mark) => isFor(mark, user)),
    remember(request, reply, user) {
      const end = Math.floor(Date.now() / 1000 + seconds).toString(36)
      const others = marksOf(request).filter((mark) => !isFor(mark, user))
      const marks = [`${end}.${signatureOf(keys[0], end, user)}`, ...others].slice(0, maxMarks)
      cookie.write(reply, marks.join('~'), seconds)
    },
  }
}
