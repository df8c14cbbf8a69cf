import type { FastifyReply, FastifyRequest } from 'fastify'
import { checkMethods } from '../../core/principal/methods.js'
import type { EstablishSignIn } from '../../core/sign-in/complete.js'
import type { Row } from '../../core/users/users.js'
import type { Emit } from '../../events.js'
import { isCrossSite } from '../../http/cross-site.js'
import type { Bearer, IssuedTokens } from './tokens.js'

interface Dependencies {
  readonly bearer: Bearer
  readonly emit: Emit
  readonly trustedOrigins: ReadonlySet<string>
  /** Marks the device as known for the user's next sign-in. Returns a function that sets its cookie. */
  readonly rememberDevice: (
    request: FastifyRequest,
    user: Row,
  ) => Promise<(reply: FastifyReply) => void>
}

/** Builds the response body with the tokens, and sets the refresh cookie if one is configured. */
export const createTokenAnswer =
  (bearer: Bearer) => (reply: FastifyReply, tokens: IssuedTokens) => {
    const { refreshToken } = tokens
    const byCookie = bearer.refresh === 'cookie'
    if (byCookie && refreshToken !== undefined) bearer.setCookie(reply, refreshToken)
    // RFC 6749, section 5.1.
    reply.header('pragma', 'no-cache')
    return {
      access_token: tokens.accessToken,
      token_type: 'bearer' as const,
      expires_in: tokens.expiresInSeconds,
      scope: tokens.scopes.join(' '),
      ...(!byCookie && refreshToken !== undefined && { refresh_token: refreshToken }),
    }
  }

/** Issues tokens for a user who has just authenticated. */
export function createBearerSignIn({
  bearer,
  emit,
  trustedOrigins,
  rememberDevice,
}: Dependencies): EstablishSignIn {
  const answer = createTokenAnswer(bearer)
  return async (request, reply, user, { scopes, amr }) => {
    // Before the device is remembered: a call that fails must store nothing.
    const methods = checkMethods(amr)
    // Another site must not make its visitor's browser a known device of someone else (login CSRF).
    const remembers = !isCrossSite(request, trustedOrigins)
    const [tokens, setDeviceCookie] = await Promise.all([
      bearer.issue(request, user, scopes, methods),
      remembers ? rememberDevice(request, user) : null,
    ])
    // Revoke the family of the replaced cookie: otherwise only the list of sessions could end it.
    // Not before the new tokens exist, so that an outage signs nobody out.
    const replaced = bearer.refresh === 'cookie' ? bearer.cookieOf(request) : null
    if (replaced !== null) await bearer.end(replaced)
    const answered = answer(reply, tokens)
    setDeviceCookie?.(reply)
    await emit('onAfterLogin', { user, transport: 'bearer' }, request)
    return answered
  }
}
