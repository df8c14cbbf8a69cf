import { inspect } from 'node:util'
import type { TokenEndpointResponse } from 'oauth4webapi'
import type { OAuthTokens } from '../../../ports/oauth-provider.js'
import { isObject } from './json.js'
import { OAuthFailure, registeredError } from './oauth-failure.js'

/**
 * The response of a token endpoint, normalized for oauth4webapi.
 * @param isOidc whether an ID token is required. If not, it is dropped, because nothing says how to
 * verify it
 * @throws OAuthFailure
 */
export function grantFrom(body: unknown, isOidc: boolean): Response {
  if (!isObject(body)) throw new OAuthFailure('malformed')
  // GitHub reports errors with status 200.
  if (typeof body.error === 'string' && body.access_token === undefined) {
    throw new OAuthFailure('provider_error', { status: 200, detail: registeredError(body.error) })
  }
  if (typeof body.access_token !== 'string' || body.access_token === '')
    throw new OAuthFailure('malformed')
  // Some providers omit `token_type`, and others use names of their own. All tokens are used as
  // bearer tokens.
  const token_type = 'bearer'
  if (isOidc) {
    if (typeof body.id_token !== 'string')
      throw new OAuthFailure('bad_id_token', { step: 'id_token', detail: 'missing' })
    return Response.json({ ...body, token_type })
  }
  const { id_token: _idToken, ...rest } = body
  // Plain OAuth 2.0 servers may send null for absent members, and `scope` as an array.
  const present = Object.entries(rest).filter(([, value]) => value !== null)
  const grant = Object.fromEntries(present)
  if (Array.isArray(grant.scope)) grant.scope = grant.scope.join(' ')
  return Response.json({ ...grant, token_type })
}

const redacted = { value: () => '[tokens]', enumerable: false }

/** The tokens as they are passed to the app. Loggers and `util.inspect` don't show them. */
export function tokensOf(tokens: TokenEndpointResponse): OAuthTokens {
  const {
    access_token: accessToken,
    token_type: tokenType,
    refresh_token,
    id_token,
    expires_in,
    scope,
  } = tokens
  const issued: OAuthTokens = {
    accessToken,
    tokenType,
    ...(refresh_token !== undefined && { refreshToken: refresh_token }),
    ...(id_token !== undefined && { idToken: id_token }),
    ...(expires_in !== undefined && { expiresInSeconds: expires_in }),
    ...(scope !== undefined && { scope }),
  }
  return Object.freeze(
    Object.defineProperties(issued, { toJSON: redacted, [inspect.custom]: redacted }),
  )
}
