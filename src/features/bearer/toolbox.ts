import type { AuthToolbox } from '../../core/toolbox.js'
import type { Emit } from '../../events.js'
import { fail } from '../../lib/option-checks.js'
import type { AnyReply, AnyRequest, RegisteredUser } from '../../ports/fastify.js'
import { type Bearer, type IssuedTokens, refreshTokens } from './tokens.js'

declare module '../../core/toolbox.js' {
  interface AuthToolbox {
    /**
     * Tokens for a user who has just proved a credential, as `/token` issues them.
     * @param options `scopes`: what is asked for, cut to `grantableScopes`; none for an empty list, default `defaultScopes`.
     * `request`: names device and address in the lists of sessions
     * @throws CRUDAUTH_FORBIDDEN (403) for a disabled account; CRUDAUTH_INTERNAL for what is no row with an id, for scopes
     * that are no array of strings, and for a token that would not be accepted; CRUDAUTH_CONFIG without a bearer transport
     * or a private key; CRUDAUTH_UNAVAILABLE (503)
     */
    issueTokens(
      user: RegisteredUser,
      options?: {
        readonly scopes?: readonly string[] | undefined
        readonly request?: AnyRequest | undefined
      },
    ): Promise<IssuedTokens>
    /**
     * Uses a refresh token as `/refresh` does.
     * @throws CRUDAUTH_INVALID_TOKEN (401); CRUDAUTH_CONFIG without a bearer transport; CRUDAUTH_UNAVAILABLE (503)
     */
    refreshTokens(request: AnyRequest, refreshToken: string): Promise<IssuedTokens>
    /** Sets the refresh cookie, as `/token` does where tokens travel so. @throws CRUDAUTH_CONFIG without a bearer transport */
    setRefreshCookie(reply: AnyReply, refreshToken: string): void
    /** Clears the refresh cookie. @throws CRUDAUTH_CONFIG without a bearer transport */
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
    issueTokens: async (user, { scopes, request } = {}) => need().issue(request, user, scopes),
    refreshTokens: async (request, refreshToken) =>
      refreshTokens(need(), emit, request, refreshToken),
    setRefreshCookie: (reply, refreshToken) => need().setCookie(reply, refreshToken),
    clearRefreshCookie: (reply) => need().clearCookie(reply),
  }
}
