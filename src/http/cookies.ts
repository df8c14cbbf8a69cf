import { fastifyCookie } from '@fastify/cookie'
import type { FastifyReply, FastifyRequest } from 'fastify'

const { parse, serialize } = fastifyCookie

/**
 * Base names of the cookies. They must differ. The `__Host-` prefix is added where the attributes
 * allow it (RFC 6265bis).
 */
export interface CookieNames {
  /**
   * Session cookie.
   * @defaultValue `crudauth_session`
   */
  readonly session?: string | undefined
  /**
   * CSRF cookie, readable by scripts. Never gets the prefix.
   * @defaultValue `csrf_token`
   */
  readonly csrf?: string | undefined
  /**
   * Cookie of a known device.
   * @defaultValue `crudauth_device`
   */
  readonly device?: string | undefined
  /**
   * Refresh cookie of the bearer transport.
   * @defaultValue `crudauth_refresh`
   */
  readonly refresh?: string | undefined
  /**
   * Cookie that binds a sign-in with a provider to the browser. Always `SameSite=Lax`, `Path=/` and
   * host-only.
   * @defaultValue `crudauth_oauth`
   */
  readonly oauth?: string | undefined
  /**
   * Cookie of a browser that isn't asked for the second factor again.
   * @defaultValue `crudauth_mfa`
   */
  readonly mfa?: string | undefined
}

/** Attributes and names of the cookies. */
export interface CookieOptions {
  /**
   * Whether cookies are sent over https only. `false` is for development and logs a warning.
   * @defaultValue `true`
   */
  readonly secure?: boolean | undefined
  /**
   * `SameSite` attribute. `none` is refused for sessions.
   * @defaultValue `lax`
   */
  readonly sameSite?: 'lax' | 'strict' | 'none' | undefined
  /**
   * `Path` attribute. Any other value gives up the `__Host-` prefix.
   * @defaultValue `/`
   */
  readonly path?: string | undefined
  /**
   * `Domain` attribute. Any value gives up the `__Host-` prefix and lets sibling domains set the
   * cookie.
   * @defaultValue none
   */
  readonly domain?: string | undefined
  /** Base names of the cookies. */
  readonly names?: CookieNames | undefined
}

/** Attributes of a cookie, resolved and checked. */
export interface CookiePolicy {
  readonly secure: boolean
  readonly sameSite: 'lax' | 'strict' | 'none'
  readonly path: string
  readonly domain?: string | undefined
}

/** One cookie: its full name and how it is set and cleared. */
export interface CookieJar {
  readonly name: string
  /** The value. Null if the cookie is absent, duplicated or not in a format that we write. */
  read(request: FastifyRequest): string | null
  /** @param maxAgeSeconds without it, the cookie lasts until the browser is closed */
  write(reply: FastifyReply, value: string, maxAgeSeconds?: number): void
  clear(reply: FastifyReply): void
}

const ourValue = /^[\w.~-]{1,512}$/

/** Number of cookies with that name in the header. */
const countOf = (header: string, name: string): number =>
  header.split(';').filter((pair) => pair.split('=', 1)[0]?.trim() === name).length

/**
 * The undecoded value of a cookie. Duplicate cookies are ignored: an attacker on a sibling domain
 * may have set one of them, and the parser would take the first.
 */
function readCookie(header: string | undefined, name: string): string | null {
  if (header === undefined || !header.includes(name)) return null
  const value = parse(header, { decode: (text) => text })[name]
  return value !== undefined && ourValue.test(value) && countOf(header, name) === 1 ? value : null
}

/**
 * A cookie of the plugin. Calls only the parser and serializer of @fastify/cookie, without
 * registering it: the app may register it anywhere, with any `hook` or `parseOptions`, or not at
 * all. If we added its decorators, a later registration by the app would fail.
 */
export function createCookie(baseName: string, policy: CookiePolicy, httpOnly: boolean): CookieJar {
  const { secure, sameSite, path, domain } = policy
  // RFC 6265bis, 4.1.3.2: with `__Host-`, browsers reject the cookie from sibling domains and over
  // http. The CSRF cookie needs no prefix: the server compares its token with that of the session,
  // and front ends expect the plain name.
  const qualifies = httpOnly && secure && path === '/' && domain === undefined
  const name = qualifies ? `__Host-${baseName}` : baseName
  const attributes = {
    secure,
    sameSite,
    path,
    httpOnly,
    ...(domain === undefined ? {} : { domain }),
  }
  return {
    name,
    read: (request) => readCookie(request.headers.cookie, name),
    write(reply, value, maxAgeSeconds) {
      const lifetime = maxAgeSeconds === undefined ? {} : { maxAge: maxAgeSeconds }
      reply.header('set-cookie', serialize(name, value, { ...attributes, ...lifetime }))
    },
    clear(reply) {
      // Repeat the attributes: without `Secure`, browsers don't clear a `__Host-` cookie.
      reply.header(
        'set-cookie',
        serialize(name, '', { ...attributes, maxAge: 0, expires: new Date(0) }),
      )
    },
  }
}
