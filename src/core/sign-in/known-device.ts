import type { FastifyReply, FastifyRequest } from 'fastify'
import { equalConstantTime } from '../../crypto/compare.js'
import { sha256, shortHmac } from '../../crypto/digest.js'
import type { PurposeKeys } from '../../crypto/keys.js'
import { randomToken } from '../../crypto/random.js'
import type { CookieJar } from '../../http/cookies.js'
import { orUnavailable } from '../../lib/unavailable.js'
import type { SessionRecord, SessionStore } from '../../ports/session-store.js'
import type { UserRecords } from '../credentials/user-records.js'
import { encodeUserId } from '../users/user-id.js'
import type { Row, Users } from '../users/users.js'

const yearSeconds = 365 * 86_400
/**
 * Beyond this the least recently used device is dropped. An attacker who once knew the password
 * can't collect unlimited attempts.
 */
const maxDevices = 20

/** What a sign-in needs to know about its request. */
export interface LoginContext {
  readonly request: FastifyRequest
  /**
   * The device id of the request's cookie, if `user` has signed in on that device with the current
   * credential. Otherwise null.
   */
  deviceOf(identifier: string, user: Row | null): Promise<string | null>
}

/**
 * Devices on which users have signed in before. The cookie holds a signed random id. The store
 * knows the users of each id, with at most 20 devices per user. Records depend on the current
 * credential, so a new password makes every device unknown.
 */
export interface KnownDevices {
  readonly loginContext: (request: FastifyRequest) => LoginContext
  /** The signed id in the request's cookie, or null. It says nothing about users. */
  idOf(request: FastifyRequest): string | null
  /**
   * Marks the device as known to the user. Returns the cookie's value. Never rejects: sign-in works
   * without a known device.
   */
  enrol(request: FastifyRequest, user: Row): Promise<string>
  setCookie(reply: FastifyReply, cookie: string): void
}

interface Dependencies {
  readonly cookie: CookieJar
  readonly keys: PurposeKeys
  readonly users: Users
  readonly store: SessionStore
  readonly records: UserRecords
}

export function createKnownDevices({
  cookie,
  keys,
  users,
  store,
  records,
}: Dependencies): KnownDevices {
  const read = (request: FastifyRequest): string | null => {
    const [id = '', signature = '', ...rest] = cookie.read(request)?.split('.') ?? []
    if (id === '' || rest.length > 0) return null
    return keys.some((key) => equalConstantTime(shortHmac(key, id), signature)) ? id : null
  }
  const handleOf = (id: string, epoch: string) => sha256(`device ${id} ${epoch}`)

  return {
    idOf: read,
    loginContext: (request) => ({
      request,
      async deviceOf(identifier, user) {
        const id = read(request)
        if (id === null) return null
        // Look up unknown identifiers too. Otherwise the time of the look-up would reveal who
        // exists (user enumeration).
        const tags = records.tagsOf(user ? users.idOf(user) : `nobody ${identifier}`)
        const handle = handleOf(id, user ? users.epochOf(user) : '')
        const found = await orUnavailable(Promise.all(tags.map((tag) => store.read(tag, handle))))
        return user && found.some((record) => record !== null) ? id : null
      },
    }),

    async enrol(request, user) {
      const id = read(request) ?? randomToken(16)
      const value = `${id}.${shortHmac(keys[0], id)}`
      const userId = users.idOf(user)
      const [tag] = records.tagsOf(userId)
      const epoch = users.epochOf(user)
      const now = Date.now()
      try {
        // A known device is written again, in one step with the new session where the store can.
        const device: SessionRecord = {
          handle: handleOf(id, epoch),
          userId: encodeUserId(userId),
          epoch,
          csrfDigest: '',
          createdAtMs: now,
          lastActivityAtMs: now,
          idleMs: yearSeconds * 1000,
          absoluteExpiresAtMs: now + 10 * yearSeconds * 1000,
          authenticatedAtMs: now,
          sudoUntilMs: 0,
          remember: true,
          client: '',
          metadata: '',
        }
        await store.create(tag, device, maxDevices)
      } catch {
        // Custom code may create a session with only the headers of a request, so `log` may be
        // missing.
        request.log?.warn('could not remember a device; it will be unknown at its next sign-in')
      }
      return value
    },

    setCookie(reply, value) {
      cookie.write(reply, value, yearSeconds)
    },
  }
}
