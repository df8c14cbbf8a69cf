import type { FastifyReply, FastifyRequest } from 'fastify'
import type { UserRecords } from '../../core/credentials/user-records.js'
import { checkMethods } from '../../core/principal/methods.js'
import { assertMaySignIn } from '../../core/sign-in/may-sign-in.js'
import type { Row, Users } from '../../core/users/users.js'
import { InternalError, InvalidTokenError, UnauthenticatedError } from '../../errors.js'
import type { Emit } from '../../events.js'
import type { CookieJar } from '../../http/cookies.js'
import { describe } from '../../lib/option-checks.js'
import type { AuthenticationMethod } from '../../ports/transport.js'
import type { AccessTokens } from './access-tokens.js'
import type { Refusal, Rotation } from './refresh-rotation.js'

/** What a sign-in or a refresh hands out. */
export interface IssuedTokens {
  readonly accessToken: string
  /** Seconds. */
  readonly expiresInSeconds: number
  readonly scopes: readonly string[]
  /** Absent where a refresh goes on with the token that it came with. */
  readonly refreshToken?: string | undefined
}

interface Settings {
  readonly accessSeconds: number
  readonly refreshMs: number
  readonly refresh: 'cookie' | 'body'
  readonly defaultScopes: readonly string[]
  readonly grantableScopes: readonly string[]
}

interface Dependencies {
  readonly tokens: AccessTokens
  readonly users: Users
  readonly rotation: Rotation
  readonly families: UserRecords
  readonly settings: Settings
  readonly cookie: CookieJar
}

/** Scopes from code: a string would be taken letter by letter. @throws InternalError */
function checkAsked(scopes: unknown): readonly string[] {
  if (Array.isArray(scopes) && scopes.every((scope) => typeof scope === 'string')) return scopes
  throw new InternalError(`"scopes" must be an array of strings, got ${describe(scopes)}`)
}

/** Everything done with tokens. */
export function createBearer({
  tokens,
  users,
  rotation,
  families,
  settings,
  cookie,
}: Dependencies) {
  const { accessSeconds, grantableScopes } = settings
  /** What may be granted today of what was asked for once. */
  const clamp = (scopes: readonly string[]) =>
    scopes.filter((scope) => grantableScopes.includes(scope))
  const issued = (
    accessToken: string,
    scopes: readonly string[],
    refreshToken?: string | null,
  ): IssuedTokens => ({
    accessToken,
    expiresInSeconds: accessSeconds,
    scopes,
    ...(refreshToken && { refreshToken }),
  })

  return {
    refresh: settings.refresh,

    /**
     * Tokens of a user who has just proved a credential. @param asked absent: the default scopes
     * @throws InternalError for what makes no token that would be accepted, ForbiddenError for a disabled account; in both
     * cases before anything is stored
     */
    async issue(
      request: FastifyRequest | undefined,
      shown: Row,
      asked?: readonly string[],
      amr?: readonly AuthenticationMethod[],
    ): Promise<IssuedTokens> {
      tokens.checkSigner()
      const methods = checkMethods(amr)
      const user = await users.wholeRow(shown)
      assertMaySignIn(users, user)
      const scopes = clamp([
        ...new Set(asked === undefined ? settings.defaultScopes : checkAsked(asked)),
      ])
      const now = Date.now()
      const accessToken = tokens.issue(user, scopes, now, methods)
      return issued(accessToken, scopes, await rotation.begin(request, user, scopes, now, methods))
    },

    /** Uses a refresh token. */
    async redeem(token: string): Promise<(IssuedTokens & { readonly user: Row }) | Refusal> {
      tokens.checkSigner()
      const result = await rotation.redeem(token, (user, granted, authenticatedAtMs, amr) => {
        const scopes = clamp(granted)
        return { scopes, accessToken: tokens.issue(user, scopes, authenticatedAtMs, amr) }
      })
      if ('refused' in result) return result
      const { accessToken, scopes } = result.issued
      return { ...issued(accessToken, scopes, result.refreshToken), user: result.user }
    },

    /** The refresh token that a request carries, as configured. @throws UnauthenticatedError when there is none */
    presented(request: FastifyRequest): string {
      const body = request.body as { refresh_token?: unknown } | null | undefined
      const token = settings.refresh === 'cookie' ? cookie.read(request) : body?.refresh_token
      if (typeof token !== 'string' || token === '') throw new UnauthenticatedError()
      return token
    },

    /** Every refresh token that a request carries, in whichever way: for signing out, which can only end them. */
    carried(request: FastifyRequest): readonly string[] {
      const body = request.body as { refresh_token?: unknown } | null | undefined
      const tokens = [cookie.read(request), body?.refresh_token]
      return [
        ...new Set(tokens.filter((token) => typeof token === 'string' && token !== '')),
      ] as string[]
    },

    /** The refresh token in the request's cookie. */
    cookieOf: (request: FastifyRequest): string | null => cookie.read(request),

    end: rotation.end,
    list: families.list,
    revoke: families.revoke,
    revokeAll: families.revokeAll,

    setCookie(reply: FastifyReply, refreshToken: string): void {
      cookie.write(reply, refreshToken, Math.floor(settings.refreshMs / 1000))
    },

    clearCookie: cookie.clear,
  }
}

export type Bearer = ReturnType<typeof createBearer>

/** Uses a refresh token, and tells of a reuse. @throws InvalidTokenError */
export async function refreshTokens(
  bearer: Bearer,
  emit: Emit,
  request: FastifyRequest,
  token: string,
): Promise<IssuedTokens> {
  const result = await bearer.redeem(token)
  if (!('refused' in result)) {
    // A route of the app's may answer what it gets here, and the row has a hash in it.
    const { user: _, ...tokens } = result
    return tokens
  }
  if (result.refused === 'reuse') await emit('onRefreshReuse', { user: result.user }, request)
  throw new InvalidTokenError()
}
