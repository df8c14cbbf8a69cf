import * as oauth from 'oauth4webapi'
import type { OAuthProvider } from '../../../ports/oauth-provider.js'
import type { Http } from './http-client.js'
import { isObject } from './json.js'
import { OAuthFailure, type TakeStep } from './oauth-failure.js'
import { isSubject } from './profile.js'

/** An ID token that has been checked from end to end, and what came with it. */
interface VerifiedTokens {
  readonly tokens: oauth.TokenEndpointResponse
  readonly claims: oauth.IDToken
}

/**
 * Validates the ID token of a token response (OpenID Connect Core, 3.1.3.7) and verifies its signature. @throws OAuthFailure
 */
type VerifyIdToken = (
  as: oauth.AuthorizationServer,
  response: Response,
  nonce: string,
  takeStep: TakeStep,
) => Promise<VerifiedTokens>

interface IdTokenOptions {
  readonly provider: OAuthProvider
  readonly client: oauth.Client
  readonly http: Http
  readonly timeoutMs: number
}

/** Claims that a token can fail by; their names may be logged. */
const checked = ['acr', 'aud', 'auth_time', 'azp', 'exp', 'hd', 'iat', 'nbf', 'nonce']

/** What is wrong with the token: told by what it says and not by the message, which may be another in the next release. */
function idTokenFailure(error: unknown): OAuthFailure {
  const cause = error instanceof Error && isObject(error.cause) ? error.cause : {}
  if (isObject(cause.claims) && !isSubject(cause.claims.sub)) return new OAuthFailure('bad_subject')
  const { claim } = cause
  if (claim === 'iss') return new OAuthFailure('bad_issuer')
  if ('body' in cause) return new OAuthFailure('malformed')
  return new OAuthFailure('bad_id_token', { detail: checked.find((name) => name === claim) })
}

function keyFailure(error: unknown): OAuthFailure {
  const code = error instanceof oauth.OperationProcessingError ? error.code : undefined
  if (code === oauth.KEY_SELECTION) return new OAuthFailure('bad_id_token', { detail: 'kid' })
  return new OAuthFailure('bad_id_token', { detail: 'signature' })
}

/** Claims of a token that nobody has verified yet. */
function unverifiedClaims(token: string): Readonly<Record<string, unknown>> {
  const claims: unknown = JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString())
  if (!isObject(claims)) throw new OAuthFailure('bad_id_token')
  return claims
}

/** Makes what verifies the ID tokens of one provider, with its keys kept between sign-ins. */
export function createIdTokens({
  provider,
  client,
  http,
  timeoutMs,
}: IdTokenOptions): VerifyIdToken {
  /**
   * oauth4webapi keeps the keys for five minutes and asks again for a `kid` that it does not know, at most once a minute: tokens
   * with invented ones do not make a request each.
   */
  const keys: oauth.JWKSCacheInput = {}
  // One request for all who wait, in its own time.
  const fetchKeys = (url: string, init: object) =>
    http.fetch(url, { ...init, signal: AbortSignal.timeout(timeoutMs) })

  const { max_age: maxAge, acr_values: acrValues, hd } = provider.authorizationParams ?? {}
  /** What the authorization request asked for must be what came of it (OpenID Connect Core, 3.1.3.7). */
  const refuseUnasked = ({ acr, hd: domain }: oauth.IDToken) => {
    if (acrValues !== undefined && !(isSubject(acr) && acrValues.split(' ').includes(acr)))
      throw new OAuthFailure('bad_id_token', { detail: 'acr' })
    // Google's parameter for one workspace, which a user may take out of the address; `*` is any workspace.
    if (hd !== undefined && !(isSubject(domain) && (hd === '*' || hd === domain)))
      throw new OAuthFailure('bad_id_token', { detail: 'hd' })
  }

  const expecting = async (
    as: oauth.AuthorizationServer,
    response: Response,
  ): Promise<oauth.AuthorizationServer> => {
    const { issuerOf } = provider
    if (!issuerOf) return as
    const { id_token: token } = (await response.clone().json()) as { id_token: string }
    const issuer = issuerOf(unverifiedClaims(token))
    if (!issuer) throw new OAuthFailure('bad_issuer')
    return { ...as, issuer }
  }

  return async (as, response, nonce, takeStep) => {
    const { tokens, claims, expected } = await takeStep(
      'id_token',
      async () => {
        const expected = await expecting(as, response)
        const options = {
          expectedNonce: nonce,
          requireIdToken: true,
          ...(maxAge !== undefined && { maxAge: Number(maxAge) }),
        }
        const tokens = await oauth.processAuthorizationCodeResponse(
          expected,
          client,
          response,
          options,
        )
        const claims = oauth.getValidatedIdTokenClaims(tokens)
        if (!isSubject(claims?.sub)) throw new OAuthFailure('bad_subject')
        // Issued to another client, though we are among those it is for.
        if (claims?.azp !== undefined && claims.azp !== client.client_id) {
          throw new OAuthFailure('bad_id_token', { detail: 'azp' })
        }
        refuseUnasked(claims as oauth.IDToken)
        return { tokens, claims: claims as oauth.IDToken, expected }
      },
      idTokenFailure,
    )
    const verify = () =>
      oauth.validateApplicationLevelSignature(expected, response, {
        [oauth.customFetch]: fetchKeys,
        [oauth.allowInsecureRequests]: provider.allowInsecure === true,
        [oauth.jwksCache]: keys,
      })
    await takeStep('keys', verify, keyFailure)
    return { tokens, claims }
  }
}
