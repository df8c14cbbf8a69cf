import type { AuthToolbox } from '../../core/toolbox.js'
import type { Emit } from '../../events.js'
import { fail } from '../../lib/option-checks.js'
import type { AnyReply, AnyRequest, RegisteredUser } from '../../ports/fastify.js'
import type { AuthenticationMethod } from '../../ports/transport.js'
import { type Bearer, type IssuedTokens, refreshTokens } from './tokens.js'

declare module '../../core/toolbox.js' {
  interface AuthToolbox {
    /**
     * Issues tokens like `/token`, for a user who has just authenticated.
     * @param options `scopes`: requested scopes, reduced to `grantableScopes`; an empty list grants
     * none; default `defaultScopes`. `request`: supplies the device and the IP address for the list
     * of sessions. `amr`: how the user authenticated, for `principal.amr` and the `amr` claim; default
     * none. `authenticatedAt`: when, for freshness and the `auth_time` claim; default now, as future
     * times count
     * @throws CRUDAUTH_FORBIDDEN (403) for a disabled account; CRUDAUTH_INTERNAL for a row without
     * an id, for scopes or `amr` that are not arrays of known values, and for a token
     * that would be invalid;
     * CRUDAUTH_CONFIG without a bearer transport or a private key; CRUDAUTH_UNAVAILABLE (503)
     * @example
     * const { accessToken, refreshToken } = await app.crudAuth.issueTokens(user, { request })
     */
    issueTokens(
      user: RegisteredUser,
      options?: {
        readonly scopes?: readonly string[] | undefined
        readonly request?: AnyRequest | undefined
        readonly amr?: readonly AuthenticationMethod[] | undefined
        readonly authenticatedAt?: Date | undefined
      },
    ): Promise<IssuedTokens>
    /**
     * Exchanges a refresh token like `/refresh`.
     * @throws CRUDAUTH_INVALID_TOKEN (401); CRUDAUTH_CONFIG without a bearer transport;
     * CRUDAUTH_UNAVAILABLE (503)
     */
    refreshTokens(request: AnyRequest, refreshToken: string): Promise<IssuedTokens>
    /**
     * Sets the refresh cookie.
     * @throws CRUDAUTH_CONFIG without a bearer transport
     */
    setRefreshCookie(reply: AnyReply, refreshToken: string): void
    /**
     * Clears the refresh cookie.
     * @throws CRUDAUTH_CONFIG without a bearer transport
     */
    clearRefreshCookie(reply: AnyReply): void
  }
}

/** @param bearer null without a bearer transport */
export function createBearerToolbox(
  bearer: Bearer | null,
  emit: Emit,
): Pick<AuthToolbox, 'issueTokens' | 'refreshTokens' | 'setRefreshCookie' | 'clearRefreshCookie'> {
  const need = () =>
    bearer ?? fail('This method of "app.crudAuth" needs bearerTransport() among the "transports"')
  return {
    issueTokens: async (user, { scopes, request, amr, authenticatedAt } = {}) =>
      need().issue(request, user, scopes, amr, authenticatedAt),
    refreshTokens: async (request, refreshToken) =>
      refreshTokens(need(), emit, request, refreshToken),
    setRefreshCookie: (reply, refreshToken) => need().setCookie(reply, refreshToken),
    clearRefreshCookie: (reply) => need().clearCookie(reply),
  }
}
