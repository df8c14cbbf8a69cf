import * as oauth from 'oauth4webapi'
import type { OAuthProfile, OAuthProvider, OAuthTokens } from '../../../ports/oauth-provider.js'
import { checkProvider } from './check-provider.js'
import { clientAuthOf } from './client-auth.js'
import { createHttp } from './http-client.js'
import { createIdTokens } from './id-token.js'
import { isObject, parseJson } from './json.js'
import { createMetadata } from './metadata.js'
import { callbackFailure, OAuthFailure, stepsUntil, type TakeStep } from './oauth-failure.js'
import { mergeClaims, parseUser, profileOf } from './profile.js'
import { grantFrom, tokensOf } from './token-response.js'

/**
 * Binds a callback to the sign-in that it ends. The caller stores it in between, where the browser
 * can't read it.
 */
export interface SignInSecrets {
  /** Unguessable, for one sign-in. */
  readonly state: string
  /** Unguessable, for one sign-in. Only sent to OpenID Connect providers. */
  readonly nonce: string
  /** RFC 7636: 43 to 128 characters of base64url. */
  readonly codeVerifier: string
  /** Asks an OpenID Connect provider to reauthenticate the user instead of signing in silently. */
  readonly reauthenticate?: boolean | undefined
}

/** The result of a sign-in. */
export interface SignInResult {
  readonly profile: OAuthProfile
  /** When the user authenticated at the provider, if its ID token says so (`auth_time`). */
  readonly authenticatedAtMs: number | undefined
  /**
   * Returns the provider's tokens at the first call, then null. No property holds them, so logging
   * the result can't leak them.
   */
  takeTokens(): OAuthTokens | null
}

/** The protocol flow with one provider. */
export interface OAuthProtocol {
  /** Whether the callback can also be a POST. */
  readonly formPost: boolean
  /** Whether http and private addresses are allowed. The app should be warned at startup. */
  readonly allowInsecure: boolean
  /**
   * Returns the URL to send the browser to.
   * @throws OAuthFailure if metadata is needed and can't be fetched
   */
  begin(secrets: SignInSecrets): Promise<string>
  /**
   * Ends a sign-in.
   * @param params all parameters of the callback's query or form, including duplicates
   * @throws OAuthFailure for any failure of the provider or the network, after `timeoutMs` at the
   * latest
   */
  finish(params: URLSearchParams, secrets: SignInSecrets): Promise<SignInResult>
  /** Closes all connections, and aborts requests that use or wait for one. */
  close(): Promise<void>
}

/** Options of the flow with one provider. */
interface ProtocolOptions {
  /**
   * The callback URL exactly as registered at the provider. No two providers share one, which
   * prevents mix-up attacks (RFC 9700, 4.4).
   */
  readonly redirectUri: string
  /** How long `begin` and `finish` may take, each as a whole. */
  readonly timeoutMs: number
}

function validateCallback(
  as: oauth.AuthorizationServer,
  client: oauth.Client,
  params: URLSearchParams,
  state: string,
) {
  const iss = params.get('iss')
  // oauth4webapi treats an empty `iss` as absent.
  if (iss === '') throw new OAuthFailure('bad_issuer')
  try {
    return oauth.validateAuthResponse(as, client, params, state)
  } catch (error) {
    if (error instanceof oauth.AuthorizationResponseError) throw callbackFailure(error.error)
    const isMissing = iss === null && as.authorization_response_iss_parameter_supported === true
    if (isMissing || (iss !== null && iss !== as.issuer)) throw new OAuthFailure('bad_issuer')
    throw new OAuthFailure(params.get('state') === state ? 'malformed' : 'bad_state')
  }
}

/** The app may lack access to email addresses. Known users can sign in without one. */
function notAllowed(error: unknown): undefined {
  if (!(error instanceof OAuthFailure) || (error.status !== 403 && error.status !== 404))
    throw error
}

/**
 * Creates the protocol flow with one provider. Nothing is fetched before it is needed.
 * @param name name of the provider's option in messages, such as `oauth.providers.google`
 * @throws CRUDAUTH_CONFIG for a provider that cannot work
 */
export function createProtocol(
  name: string,
  provider: OAuthProvider,
  options: ProtocolOptions,
): OAuthProtocol {
  checkProvider(name, provider)
  const { redirectUri, timeoutMs } = options
  const {
    allowInsecure = false,
    responseMode = 'query',
    authorizationParams = {},
    emailsEndpoint,
  } = provider
  const isOidc = provider.protocol === 'oidc'
  const client: oauth.Client = { client_id: provider.clientId }
  const hasIssuer = provider.issuer !== undefined && provider.issuerOf === undefined
  const authentication = clientAuthOf(
    `${name}.clientAuthentication`,
    provider.clientAuthentication,
    hasIssuer,
  )
  const http = createHttp({ allowInsecure, timeoutMs })
  const metadata = createMetadata(provider, http, timeoutMs)
  const verifyIdToken = createIdTokens({ provider, client, http, timeoutMs })

  const requestOptions = (signal: AbortSignal) => ({
    signal,
    [oauth.customFetch]: http.fetch,
    [oauth.allowInsecureRequests]: allowInsecure,
  })

  const read = async (token: string, url: string, signal: AbortSignal): Promise<unknown> => {
    const headers = new Headers({ accept: 'application/json' })
    const response = await oauth.protectedResourceRequest(
      token,
      'GET',
      new URL(url),
      headers,
      null,
      requestOptions(signal),
    )
    return parseJson(await response.text())
  }

  /** Claims of the user from the ID token, merged with userinfo. */
  const openidClaims = async (
    as: oauth.AuthorizationServer,
    response: Response,
    nonce: string,
    signal: AbortSignal,
    takeStep: TakeStep,
  ) => {
    const { tokens, claims } = await verifyIdToken(as, response, nonce, takeStep)
    if (provider.useUserinfo === false || as.userinfo_endpoint === undefined)
      return { tokens, claims, authTime: claims.auth_time }
    const ask = async () => {
      const answer = await oauth.userInfoRequest(
        as,
        client,
        tokens.access_token,
        requestOptions(signal),
      )
      return oauth.processUserInfoResponse(as, client, claims.sub, answer)
    }
    // The body is valid JSON at this point, but may be about another user.
    const userinfo = await takeStep('userinfo', ask, () => new OAuthFailure('bad_subject'))
    // Freshness rests on the signed claim, not on what userinfo says.
    return { tokens, claims: mergeClaims(claims, userinfo), authTime: claims.auth_time }
  }

  /** Claims of the user from userinfo alone. */
  const resourceClaims = async (
    as: oauth.AuthorizationServer,
    response: Response,
    signal: AbortSignal,
    takeStep: TakeStep,
  ) => {
    const tokens = await takeStep('token', () =>
      oauth.processAuthorizationCodeResponse(as, client, response),
    )
    const claims = await takeStep('userinfo', async () => {
      const body = await read(tokens.access_token, as.userinfo_endpoint as string, signal)
      if (!isObject(body)) throw new OAuthFailure('malformed')
      return body
    })
    return { tokens, claims }
  }

  const exchange = async (
    params: URLSearchParams,
    { state, nonce, codeVerifier }: SignInSecrets,
  ) => {
    const signal = AbortSignal.timeout(timeoutMs)
    const takeStep = stepsUntil(signal)
    const as = await metadata.get(takeStep)
    const given = new URLSearchParams(params)
    // There is no issuer to compare `iss` with, and the metadata doesn't announce the parameter.
    if (!hasIssuer && !as.authorization_response_iss_parameter_supported) given.delete('iss')
    const callback = await takeStep('authorization', () => {
      const valid = validateCallback(as, client, given, state)
      if (!valid.get('code')) throw new OAuthFailure('missing_code')
      return valid
    })

    const redeem = async () => {
      const options = requestOptions(signal)
      const request = [
        as,
        client,
        authentication,
        callback,
        redirectUri,
        codeVerifier,
        options,
      ] as const
      return grantFrom(await (await oauth.authorizationCodeGrantRequest(...request)).json(), isOidc)
    }
    const response = await takeStep('token', redeem)
    const { tokens, claims, authTime } = isOidc
      ? await openidClaims(as, response, nonce, signal, takeStep)
      : { ...(await resourceClaims(as, response, signal, takeStep)), authTime: undefined }

    const emails =
      emailsEndpoint === undefined
        ? undefined
        : await takeStep('emails', () =>
            read(tokens.access_token, emailsEndpoint, signal).catch(notAllowed),
          )
    const user = responseMode === 'form_post' ? parseUser(params.get('user')) : undefined
    return {
      authenticatedAtMs: typeof authTime === 'number' ? authTime * 1000 : undefined,
      profile: await profileOf(provider, claims, { emails, user }, takeStep),
      tokens: tokensOf(tokens),
    }
  }

  return Object.freeze({
    formPost: responseMode === 'form_post',
    allowInsecure,
    async begin({ state, nonce, codeVerifier, reauthenticate = false }) {
      const as = await metadata.get(stepsUntil(AbortSignal.timeout(timeoutMs)))
      const url = new URL(as.authorization_endpoint as string)
      const asksAlready = 'max_age' in authorizationParams || 'prompt' in authorizationParams
      const query = {
        ...(isOidc && reauthenticate && !asksAlready && { max_age: '0' }),
        ...authorizationParams,
        response_type: 'code',
        client_id: provider.clientId,
        redirect_uri: redirectUri,
        state,
        code_challenge: await oauth.calculatePKCECodeChallenge(codeVerifier),
        code_challenge_method: 'S256',
        ...(provider.scopes.length > 0 && { scope: provider.scopes.join(' ') }),
        ...(isOidc && { nonce }),
        ...(responseMode !== 'query' && { response_mode: responseMode }),
      }
      for (const [parameter, value] of Object.entries(query)) url.searchParams.set(parameter, value)
      return url.href
    },
    async finish(params, secrets) {
      const { tokens, ...who } = await exchange(params, secrets)
      let untaken: OAuthTokens | null = tokens
      return {
        ...who,
        takeTokens() {
          const taken = untaken
          untaken = null
          return taken
        },
      }
    },
    close: () => http.close(),
  } satisfies OAuthProtocol)
}
