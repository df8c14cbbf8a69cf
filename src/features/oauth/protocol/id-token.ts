import * as oauth from 'oauth4webapi'
import type { OAuthProvider } from '../../../ports/oauth-provider.js'
import type { Http } from './http-client.js'
import { isObject } from './json.js'
import { OAuthFailure, type TakeStep } from './oauth-failure.js'
import { isSubject } from './profile.js'

/** A token response, and the claims of its verified ID token. */
interface VerifiedTokens {
  readonly tokens: oauth.TokenEndpointResponse
  readonly claims: oauth.IDToken
}

/**
 * Validates the ID token of a token response (OpenID Connect Core, 3.1.3.7) and verifies its
 * signature.
 * @throws OAuthFailure
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

/** Claims that can fail validation. Their names are safe to log. */
const checked = ['acr', 'aud', 'auth_time', 'azp', 'exp', 'hd', 'iat', 'nbf', 'nonce']

/** Maps an error of oauth4webapi by its cause. Messages may change with the next release. */
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

/** Decodes claims without verifying them. */
function unverifiedClaims(token: string): Readonly<Record<string, unknown>> {
  const claims: unknown = JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString())
  if (!isObject(claims)) throw new OAuthFailure('bad_id_token')
  return claims
}

/** Creates the ID token verification of one provider. Keys are cached between sign-ins. */
export function createIdTokens({
  provider,
  client,
  http,
  timeoutMs,
}: IdTokenOptions): VerifyIdToken {
  /**
   * oauth4webapi caches the keys for five minutes. For an unknown `kid` it fetches them again, at
   * most once a minute, so tokens with invented key ids can't cause a request each.
   */
  const keys: oauth.JWKSCacheInput = {}
  // Concurrent sign-ins share one request, so it has a timeout of its own.
  const fetchKeys = (url: string, init: object) =>
    http.fetch(url, { ...init, signal: AbortSignal.timeout(timeoutMs) })

  const { max_age: maxAge, acr_values: acrValues, hd } = provider.authorizationParams ?? {}
  /**
   * Checks that claims match what the authorization request asked for (OpenID Connect Core,
   * 3.1.3.7).
   */
  const checkRequestedClaims = ({ acr, hd: domain }: oauth.IDToken) => {
    if (acrValues !== undefined && !(isSubject(acr) && acrValues.split(' ').includes(acr)))
      throw new OAuthFailure('bad_id_token', { detail: 'acr' })
    // Google's parameter for one Workspace domain, which users can remove from the URL. `*` allows
    // any domain.
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
        // Issued to another client, even though this one is in the audience.
        if (claims?.azp !== undefined && claims.azp !== client.client_id) {
          throw new OAuthFailure('bad_id_token', { detail: 'azp' })
        }
        checkRequestedClaims(claims as oauth.IDToken)
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
