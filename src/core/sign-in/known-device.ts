import type { FastifyReply, FastifyRequest } from 'fastify'
import { equalConstantTime } from '../../crypto/compare.js'
import { shortHmac } from '../../crypto/digest.js'
import type { PurposeKeys } from '../../crypto/keys.js'
import { randomToken } from '../../crypto/random.js'
import type { ResolvedCookies } from '../../http/cookie-options.js'
import { type CookieJar, createCookie } from '../../http/cookies.js'
import type { UserRecords } from '../credentials/user-records.js'
import type { Row, Users } from '../users/users.js'
import type { LoginContext } from './authenticate-password.js'

const yearSeconds = 365 * 86_400
const maxUsers = 5

/** The signed cookie of a device that somebody has signed in on: an id, and the slot tags of its users. */
export interface DeviceCookie {
  /** Id of the device if that user (by slot tags) has signed in on it before. */
  idFor(request: FastifyRequest, tags: readonly string[]): string | null
  /** Remembers the sign-in for a year. */
  remember(request: FastifyRequest, reply: FastifyReply, tag: string): void
}

function createDeviceCookie(jar: CookieJar, keys: PurposeKeys): DeviceCookie {
  const sign = (key: Buffer, text: string) => shortHmac(key, text)

  const read = (request: FastifyRequest): { id: string; tags: string[] } | null => {
    const value = jar.read(request)
    const end = value?.lastIndexOf('.') ?? -1
    if (value === null || end < 0) return null
    const text = value.slice(0, end)
    const signature = value.slice(end + 1)
    if (!keys.some((key) => equalConstantTime(sign(key, text), signature))) return null
    const [id = '', ...tags] = text.split('.')
    return { id, tags }
  }

  return {
    idFor(request, tags) {
      const device = read(request)
      return device?.tags.some((tag) => tags.includes(tag)) ? device.id : null
    },
    remember(request, reply, tag) {
      const device = read(request) ?? { id: randomToken(16), tags: [] }
      const tags = [tag, ...device.tags.filter((other) => other !== tag)].slice(0, maxUsers)
      const text = [device.id, ...tags].join('.')
      jar.write(reply, `${text}.${sign(keys[0], text)}`, yearSeconds)
    },
  }
}

/** Devices that users have signed in on, whichever transport they signed in by. */
interface KnownDevices {
  readonly device: DeviceCookie
  readonly loginContext: (request: FastifyRequest) => LoginContext
  readonly remember: (request: FastifyRequest, reply: FastifyReply, user: Row) => void
}

/** @param cookies of a transport that signs in with a password */
export function createKnownDevices(
  cookies: ResolvedCookies,
  keys: PurposeKeys,
  users: Users,
  records: UserRecords,
): KnownDevices {
  const device = createDeviceCookie(createCookie(cookies.names.device, cookies.policy, true), keys)
  const tagsOf = (user: Row) => records.tagsOf(users.idOf(user))
  return {
    device,
    loginContext: (request) => ({
      request,
      deviceOf: (user) => device.idFor(request, tagsOf(user)),
    }),
    remember: (request, reply, user) => device.remember(request, reply, tagsOf(user)[0]),
  }
}
