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
  /** The value; null when the cookie is absent, doubled, or holds what this plugin never wrote. */
  read(request: FastifyRequest): string | null
  /** @param maxAgeSeconds absent = until the browser is closed */
  write(reply: FastifyReply, value: string, maxAgeSeconds?: number): void
  clear(reply: FastifyReply): void
}

const ourValue = /^[\w.~-]{1,512}$/

/** How many cookies of that name the header holds. */
const countOf = (header: string, name: string): number =>
  header.split(';').filter((pair) => pair.split('=', 1)[0]?.trim() === name).length

/**
 * The value of the one cookie of that name, as it stands in the header. A name that stands twice is ambiguous (an attacker on
 * a sibling domain may have set one of them), so it is nobody's; the parser would take the first.
 */
function readCookie(header: string | undefined, name: string): string | null {
  if (header === undefined || !header.includes(name)) return null
  const value = parse(header, { decode: (text) => text })[name]
  return value !== undefined && ourValue.test(value) && countOf(header, name) === 1 ? value : null
}

/**
 * A cookie of the plugin's. It is parsed and serialized by @fastify/cookie, whose functions are called as they are: its hook and
 * decorators belong to the app, which may register it before this plugin, after it, in another scope, with any `hook` or
 * `parseOptions`, or not at all. A decorator of ours would make a later registration of the app's fail.
 */
export function createCookie(baseName: string, policy: CookiePolicy, httpOnly: boolean): CookieJar {
  const { secure, sameSite, path, domain } = policy
  // RFC 6265bis, 4.1.3.2: the browser itself then refuses the cookie from sibling domains and over http. The readable one holds
  // nothing but a token that the server compares with the session's, and front ends know it by its plain name.
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
      // Same attributes as set: browsers keep a __Host- cookie that is cleared without Secure.
      reply.header(
        'set-cookie',
        serialize(name, '', { ...attributes, maxAge: 0, expires: new Date(0) }),
      )
    },
  }
}
