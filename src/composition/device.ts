import type { FastifyReply, FastifyRequest } from 'fastify'
import type { LoginContext } from '../accounts/login.js'
import type { Row, Users } from '../accounts/users.js'
import type { ResolvedOptions } from '../options/resolve.js'
import { createCookie } from '../transports/cookie.js'
import { createDeviceCookie, type DeviceCookie } from '../transports/device.js'
import type { Slots } from '../transports/slots.js'

/** Devices that users have signed in on, whichever transport they signed in by. */
interface DevicePart {
  readonly device: DeviceCookie
  readonly loginContext: (request: FastifyRequest) => LoginContext
  readonly remember: (request: FastifyRequest, reply: FastifyReply, user: Row) => void
}

/** Null without a transport that signs in with a password. */
export function composeDevice({ session, bearer, keys }: ResolvedOptions, users: Users, slots: Slots): DevicePart | null {
  // The refresh cookie has a path of its own; the device is to be known on every way of signing in.
  const cookies = session?.cookies ?? (bearer && { ...bearer.cookies, policy: { ...bearer.cookies.policy, path: '/' } })
  if (!cookies) return null
  const device = createDeviceCookie(createCookie(cookies.names.device, cookies.policy, true), keys('device'))
  const tagsOf = (user: Row) => slots.tagsOf(users.idOf(user))
  return {
    device,
    loginContext: (request) => ({ request, deviceOf: (user) => device.idFor(request, tagsOf(user)) }),
    remember: (request, reply, user) => device.remember(request, reply, tagsOf(user)[0]),
  }
}
