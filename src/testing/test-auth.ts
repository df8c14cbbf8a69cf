import { canonicalEmail } from '../core/identity/canonical.js'
import type { AuthToolbox } from '../core/toolbox.js'
import type { AnyReply, AnyRequest, RegisteredUser } from '../ports/fastify.js'
import type { UserId } from '../ports/user-store.js'

/** How `signIn` signs in. */
export interface TestSignIn {
  /**
   * `session` or `bearer`.
   * @defaultValue `session` if it is configured
   */
  readonly transport?: 'session' | 'bearer' | undefined
  /**
   * Whether the sign-in had two factors.
   * @defaultValue `false`
   */
  readonly mfa?: boolean | undefined
  /**
   * Whether the user has just signed in, or else a year ago.
   * @defaultValue `true`
   */
  readonly fresh?: boolean | undefined
  /**
   * Scopes of a token.
   * @defaultValue `defaultScopes`
   */
  readonly scopes?: readonly string[] | undefined
}

/** Signs users in for tests. */
export interface TestAuth {
  /**
   * Signs a user in without password, code or lockout. Returns headers for `inject`: the cookies and
   * the CSRF token of a session, or an access token.
   * @param user id, row, or login name
   * @throws Error if there is no such user; CRUDAUTH_FORBIDDEN for a disabled account;
   * CRUDAUTH_CONFIG without that transport
   */
  signIn(user: UserId | object, options?: TestSignIn): Promise<Record<string, string>>
}

interface App {
  readonly crudAuth: AuthToolbox
  ready(): PromiseLike<unknown>
}

const aYearMs = 365 * 86_400_000

/** As much of a request as a sign-in reads: no cookies, no user agent. */
const request = { headers: {}, ip: '127.0.0.1' } as unknown as AnyRequest

/** The cookies that are set on a reply, as a request header. */
function cookiesOf(set: (reply: AnyReply) => void): string {
  const pairs: string[] = []
  const reply = {
    header(_name: string, line: string) {
      pairs.push(line.split(';', 1)[0] as string)
      return reply
    },
  }
  set(reply as unknown as AnyReply)
  return pairs.join('; ')
}

/**
 * Signs users in without a request, for tests of your own routes.
 * @param app where the plugin is registered; `app.crudAuth` must be there
 * @example
 * const { signIn } = createTestAuth(app)
 * const headers = await signIn('ada', { mfa: true })
 * const response = await app.inject({ method: 'POST', url: '/notes', headers })
 */
export function createTestAuth(app: App): TestAuth {
  const find = async (user: UserId | object): Promise<RegisteredUser> => {
    if (typeof user === 'object') return user as RegisteredUser
    const { users } = app.crudAuth
    const { columns } = users.fields
    const named = typeof user === 'string' ? ['email', 'username', 'phone'] : []
    for (const field of named) {
      const value = field === 'email' ? canonicalEmail(String(user)) : user
      const found = field in columns && value !== null ? await users.findBy(field, value) : null
      if (found) return found
    }
    const found = await users.findById(user)
    if (found) return found
    throw new Error(`No user has the id or the login name ${JSON.stringify(String(user))}`)
  }

  return {
    async signIn(wanted, { transport, mfa = false, fresh = true, scopes } = {}) {
      await app.ready()
      const { crudAuth } = app
      const user = await find(wanted)
      const init = {
        amr: mfa ? (['pwd', 'otp', 'mfa'] as const) : (['pwd'] as const),
        ...(!fresh && { authenticatedAt: new Date(Date.now() - aYearMs) }),
      }
      if (
        (transport ?? ('session' in crudAuth.securitySchemes() ? 'session' : 'bearer')) === 'bearer'
      ) {
        const { accessToken } = await crudAuth.issueTokens(user, { ...init, scopes, request })
        return { authorization: `Bearer ${accessToken}` }
      }
      const session = await crudAuth.sessions.create(request, user, init)
      const cookie = cookiesOf((reply) => crudAuth.sessions.setCookies(request, reply, session))
      return { cookie, ...(session.csrfToken !== null && { 'x-csrf-token': session.csrfToken }) }
    },
  }
}
