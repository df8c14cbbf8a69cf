import { serialize } from 'cookie'
import type { FastifyReply, FastifyRequest } from 'fastify'

/** Attributes and names of the plugin's cookies. */
export interface CookieOptions {
  /** Sent over https only. Default true; false is for development without https. */
  readonly secure?: boolean | undefined
  /** Default `lax`. */
  readonly sameSite?: 'lax' | 'strict' | 'none' | undefined
  /** Default `/`. */
  readonly path?: string | undefined
  /** Default none: the cookie stays with the very host. */
  readonly domain?: string | undefined
  /** Base names; the `__Host-` prefix is added where a cookie qualifies for it. */
  readonly names?:
    | {
        readonly session?: string
        readonly csrf?: string
        readonly device?: string
        readonly refresh?: string
        readonly oauth?: string
      }
    | undefined
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

const space = 32

/** What `trim` may remove beside spaces. */
const isOtherSpace = (code: number): boolean => code < space || code > 126

const ourValue = /^[\w.~-]{1,512}$/

/**
 * The value of the one cookie of that name. A name that stands twice is ambiguous (an attacker on a sibling domain may
 * have set one of them), so it is nobody's; parsers take the first, which is why this reads the header.
 */
function readCookie(header: string | undefined, name: string): string | null {
  if (header === undefined) return null
  let value: string | null = null
  for (let start = 0; start < header.length; ) {
    const semicolon = header.indexOf(';', start)
    const end = semicolon < 0 ? header.length : semicolon
    let at = start
    while (header.charCodeAt(at) === space) at++
    // Every session request comes through here: only what can be the cookie is cut out and looked at.
    if (header.startsWith(name, at) || isOtherSpace(header.charCodeAt(at))) {
      const pair = header.slice(start, end)
      const equals = pair.indexOf('=')
      if (equals >= 0 && pair.slice(0, equals).trim() === name) {
        if (value !== null) return null
        value = pair.slice(equals + 1).trim()
      }
    }
    start = end + 1
  }
  return value !== null && ourValue.test(value) ? value : null
}

export function createCookie(baseName: string, policy: CookiePolicy, httpOnly: boolean): CookieJar {
  const { secure, sameSite, path, domain } = policy
  // RFC 6265bis, 4.1.3.2: the browser itself then refuses the cookie from sibling domains and over http.
  const name = secure && path === '/' && domain === undefined ? `__Host-${baseName}` : baseName
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
