import * as oauth from 'oauth4webapi'
import type { OAuthProvider } from '../../../ports/oauth-provider.js'
import type { Http } from './http-client.js'
import { OAuthFailure, stepsUntil, type TakeStep } from './oauth-failure.js'

/** How long metadata is cached. Issuers announce new endpoints longer than that in advance. */
const maxAgeMs = 3_600_000

/**
 * How long a failure is remembered, so that an issuer that is down isn't asked at every sign-in.
 */
const retryMs = 5_000

/** Tokens are verified against published keys, so neither `none` nor a MAC is accepted. */
const asymmetric = [
  ...[
    'RS256',
    'RS384',
    'RS512',
    'PS256',
    'PS384',
    'PS512',
    'ES256',
    'ES384',
    'ES512',
    'EdDSA',
    'Ed25519',
  ],
  ...['ML-DSA-44', 'ML-DSA-65', 'ML-DSA-87'],
]

/** Metadata of an authorization server, fetched on first use. */
interface Metadata {
  /** @throws OAuthFailure */
  get(takeStep: TakeStep): Promise<oauth.AuthorizationServer>
}

/** Metadata from the provider's options. It overrides discovered metadata. */
function configured(provider: OAuthProvider): Partial<oauth.AuthorizationServer> {
  const { authorizationEndpoint, tokenEndpoint, jwksUri, userinfoEndpoint, requireIss } = provider
  return {
    ...(authorizationEndpoint !== undefined && { authorization_endpoint: authorizationEndpoint }),
    ...(tokenEndpoint !== undefined && { token_endpoint: tokenEndpoint }),
    ...(jwksUri !== undefined && { jwks_uri: jwksUri }),
    ...(userinfoEndpoint !== undefined && { userinfo_endpoint: userinfoEndpoint }),
    ...(requireIss !== undefined && { authorization_response_iss_parameter_supported: requireIss }),
  }
}

const wellKnown = (issuer: string): string =>
  `${issuer.replace(/\/$/, '')}/.well-known/openid-configuration`

function discoveryFailure(error: unknown): OAuthFailure {
  const isOther =
    error instanceof oauth.OperationProcessingError &&
    error.code === oauth.JSON_ATTRIBUTE_COMPARISON
  return new OAuthFailure(isOther ? 'bad_issuer' : 'malformed')
}

function checkEndpoints(as: oauth.AuthorizationServer, allowInsecure: boolean): void {
  for (const endpoint of [as.authorization_endpoint, as.token_endpoint, as.jwks_uri]) {
    if (typeof endpoint !== 'string' || !URL.canParse(endpoint)) throw new OAuthFailure('malformed')
    const { protocol } = new URL(endpoint)
    if (protocol !== 'https:' && !(allowInsecure && protocol === 'http:'))
      throw new OAuthFailure('insecure_url')
  }
}

/**
 * Metadata of one provider: constant if its options are complete, otherwise discovered and cached
 * for an hour.
 */
export function createMetadata(provider: OAuthProvider, http: Http, timeoutMs: number): Metadata {
  const {
    issuer = '',
    authorizationEndpoint,
    tokenEndpoint,
    jwksUri,
    allowInsecure = false,
  } = provider
  const own = configured(provider)
  if (provider.protocol === 'oauth2' || (authorizationEndpoint && tokenEndpoint && jwksUri)) {
    const as: oauth.AuthorizationServer = {
      // A provider without an issuer gets a placeholder. It is never compared, because `iss` and ID
      // tokens are dropped then.
      issuer: issuer || new URL(authorizationEndpoint ?? '').origin,
      id_token_signing_alg_values_supported: asymmetric,
      ...own,
    }
    return { get: async () => as }
  }

  const discover = (): Promise<oauth.AuthorizationServer> => {
    // A timeout of its own, because sign-ins that wait for it may have started later.
    const signal = AbortSignal.timeout(timeoutMs)
    return stepsUntil(signal)(
      'discovery',
      async () => {
        const headers = { accept: 'application/json' }
        const response = await http.fetch(provider.metadataUrl ?? wellKnown(issuer), {
          headers,
          signal,
        })
        const found = await oauth.processDiscoveryResponse(new URL(issuer), response)
        const announced = found.id_token_signing_alg_values_supported
        const as = { ...found, ...own }
        if (Array.isArray(announced)) {
          as.id_token_signing_alg_values_supported = announced.filter((algorithm) =>
            asymmetric.includes(algorithm),
          )
        }
        checkEndpoints(as, allowInsecure)
        return as
      },
      discoveryFailure,
    )
  }

  let known: { as: oauth.AuthorizationServer; atMs: number } | undefined
  let failed: { failure: OAuthFailure; atMs: number } | undefined
  let pending: Promise<oauth.AuthorizationServer> | undefined

  const refresh = async (): Promise<oauth.AuthorizationServer> => {
    try {
      const as = await discover()
      known = { as, atMs: Date.now() }
      failed = undefined
      return as
    } catch (error) {
      failed = { failure: error as OAuthFailure, atMs: Date.now() }
      throw error
    } finally {
      pending = undefined
    }
  }

  return {
    get: (takeStep) =>
      takeStep('discovery', () => {
        if (known && Date.now() - known.atMs < maxAgeMs) return known.as
        if (failed && Date.now() - failed.atMs < retryMs) throw failed.failure
        pending ??= refresh()
        return pending
      }),
  }
}
