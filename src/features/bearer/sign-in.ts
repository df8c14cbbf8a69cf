import type { FastifyReply, FastifyRequest } from 'fastify'
import type { Establish } from '../../core/sign-in/complete.js'
import type { Row } from '../../core/users/users.js'
import type { Emit } from '../../events.js'
import { isCrossSite } from '../../http/cross-site.js'
import type { Bearer, IssuedTokens } from './tokens.js'

interface Dependencies {
  readonly bearer: Bearer
  readonly emit: Emit
  readonly trustedOrigins: ReadonlySet<string>
  /** Lets the device be known at the next sign-in of that user. Returns what sets its cookie. */
  readonly rememberDevice: (
    request: FastifyRequest,
    user: Row,
  ) => Promise<(reply: FastifyReply) => void>
}

/** The body of an answer with tokens; the refresh token's cookie, where it travels so. */
export const createTokenAnswer =
  (bearer: Bearer) => (reply: FastifyReply, tokens: IssuedTokens) => {
    const { refreshToken } = tokens
    const byCookie = bearer.refresh === 'cookie'
    if (byCookie && refreshToken !== undefined) bearer.setCookie(reply, refreshToken)
    // RFC 6749, 5.1.
    reply.header('pragma', 'no-cache')
    return {
      access_token: tokens.accessToken,
      token_type: 'bearer' as const,
      expires_in: tokens.expiresInSeconds,
      scope: tokens.scopes.join(' '),
      ...(!byCookie && refreshToken !== undefined && { refresh_token: refreshToken }),
    }
  }

/** Issues the tokens of somebody who has just proved a credential. */
export function createBearerSignIn({
  bearer,
  emit,
  trustedOrigins,
  rememberDevice,
}: Dependencies): Establish {
  const answer = createTokenAnswer(bearer)
  return async (request, reply, user, { scopes, amr }) => {
    // A foreign page must not make the browser of its visitor the known device of somebody else.
    const remembers = !isCrossSite(request, trustedOrigins)
    const [tokens, setDeviceCookie] = await Promise.all([
      bearer.issue(request, user, scopes, amr),
      remembers ? rememberDevice(request, user) : null,
    ])
    // The family of the cookie that the new one takes the place of: nobody could end it any more, but by its owner's list. Not
    // before there is another: an outage signs nobody out.
    const replaced = bearer.refresh === 'cookie' ? bearer.cookieOf(request) : null
    if (replaced !== null) await bearer.end(replaced)
    const answered = answer(reply, tokens)
    setDeviceCookie?.(reply)
    await emit('onAfterLogin', { user, transport: 'bearer' }, request)
    return answered
  }
}
