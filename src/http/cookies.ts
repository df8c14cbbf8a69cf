import { fastifyCookie } from '@fastify/cookie'
import type { FastifyReply, FastifyRequest } from 'fastify'

const { parse, serialize } = fastifyCookie

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
  /** Names; all but `csrf` get the `__Host-` prefix where they qualify for it. Default of `csrf`: `csrf_token`. */
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
