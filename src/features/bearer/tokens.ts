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

/** The tokens that a sign-in or a refresh returns. */
export interface IssuedTokens {
  readonly accessToken: string
  /** Lifetime of the access token in seconds. */
  readonly expiresInSeconds: number
  readonly scopes: readonly string[]
  /** Absent after a refresh without rotation: the current refresh token stays in use. */
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

/** Checks scopes from app code: a string would be read letter by letter. @throws InternalError */
function checkAsked(scopes: unknown): readonly string[] {
  if (Array.isArray(scopes) && scopes.every((scope) => typeof scope === 'string')) return scopes
  throw new InternalError(`"scopes" must be an array of strings, got ${describe(scopes)}`)
}

/** Issues, refreshes and revokes tokens. */
export function createBearer({
  tokens,
  users,
  rotation,
  families,
  settings,
  cookie,
}: Dependencies) {
  const { accessSeconds, grantableScopes } = settings
  /** Drops scopes that aren't grantable, or no longer are. */
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

    /** The requested scopes that may be granted. @throws InternalError for anything but texts */
    grantable: (asked: readonly string[]) => clamp([...new Set(checkAsked(asked))]),

    /**
     * Issues tokens for a user who has just authenticated.
     * @param asked requested scopes; default `defaultScopes`
     * @param authenticatedAt default now, as future times count
     * @throws before anything is stored: InternalError for a token that would be rejected,
     * ForbiddenError for a disabled account
     */
    async issue(
      request: FastifyRequest | undefined,
      shown: Row,
      asked?: readonly string[],
      amr?: readonly AuthenticationMethod[],
      authenticatedAt?: Date,
    ): Promise<IssuedTokens> {
      tokens.checkSigner()
      const methods = checkMethods(amr)
      const user = await users.wholeRow(shown)
      assertMaySignIn(users, user)
      const scopes = clamp([
        ...new Set(asked === undefined ? settings.defaultScopes : checkAsked(asked)),
      ])
      const now = Date.now()
      const atMs = Math.min(now, authenticatedAt?.getTime() ?? now)
      const accessToken = tokens.issue(user, scopes, atMs, methods)
      return issued(accessToken, scopes, await rotation.begin(request, user, scopes, atMs, methods))
    },

    /** Exchanges a refresh token for new tokens. */
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

    /**
     * The refresh token in the cookie or the body of a request, as configured.
     * @throws UnauthenticatedError if there is none
     */
    presented(request: FastifyRequest): string {
      const body = request.body as { refresh_token?: unknown } | null | undefined
      const token = settings.refresh === 'cookie' ? cookie.read(request) : body?.refresh_token
      if (typeof token !== 'string' || token === '') throw new UnauthenticatedError()
      return token
    },

    /**
     * All refresh tokens of a request, in the cookie and the body. For sign-out, which only revokes
     * them.
     */
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

/** Exchanges a refresh token, and emits `onRefreshReuse` on reuse. @throws InvalidTokenError */
export async function refreshTokens(
  bearer: Bearer,
  emit: Emit,
  request: FastifyRequest,
  token: string,
): Promise<IssuedTokens> {
  const result = await bearer.redeem(token)
  if (!('refused' in result)) {
    // An app may return this object from a route, and the row contains the password hash.
    const { user: _, ...tokens } = result
    return tokens
  }
  if (result.refused === 'reuse') await emit('onRefreshReuse', { user: result.user }, request)
  throw new InvalidTokenError()
}
