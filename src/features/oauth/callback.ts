import type { FastifyReply, FastifyRequest } from 'fastify'
import type { Sessions } from '../../core/sessions/sessions.js'
import type { CompleteSignIn } from '../../core/sign-in/complete.js'
import { isMfaChallenge } from '../../core/sign-in/second-factor.js'
import { encodeUserId } from '../../core/users/user-id.js'
import type { Row, Users } from '../../core/users/users.js'
import {
  OAuthAccountInactiveError,
  OAuthFailedError,
  OAuthInvalidStateError,
  OAuthLinkedElsewhereError,
} from '../../errors.js'
import { type CrudAuthHooks, type Emit, runBefore } from '../../events.js'
import type { RouteLimits } from '../../groups/feature.js'
import type { OAuthProfile } from '../../ports/oauth-provider.js'
import type { MatchAccount } from './account-matching.js'
import type { AuthorizationRequest, AuthorizationRequests } from './authorization-requests.js'
import { dataOf, linkName } from './link-afterwards.js'
import type { OAuthLinking } from './linking.js'
import { OAuthFailure } from './protocol/oauth-failure.js'
import type { OAuthProtocol, SignInResult } from './protocol/protocol.js'
import { errorOfRefusal, orDenied } from './refusals.js'

/** What the landing page must know. */
interface Outcome {
  readonly error?: string
  /** Challenge of the second factor. */
  readonly challenge?: string
}

/**
 * Redirects after sign-in. `defaultRedirect` is a path, or a URL against which paths are resolved.
 */
function createRedirectTarget(defaultRedirect: string) {
  const isPath = defaultRedirect.startsWith('/')
  return (path?: string, { error, challenge }: Outcome = {}): string => {
    const base = isPath ? 'http://placeholder.invalid' : defaultRedirect
    const url = new URL(path ?? defaultRedirect, base)
    if (error !== undefined) url.searchParams.set('error', error)
    // In the fragment, because browsers send it to no server and in no `Referer` header.
    if (challenge !== undefined) {
      const between = url.hash === '' ? '' : url.hash.includes('?') ? '&' : '?'
      url.hash += `${between}mfa_challenge=${challenge}`
    }
    return isPath ? url.pathname + url.search + url.hash : url.href
  }
}

/** Name of the response body of JSON mode, see `SignIns.bodies`. */
export const bodyName = 'oauth'

/** The callback, which ends a sign-in with a provider. */
export function createCallback(
  oauth: OAuthServices,
  protocols: ReadonlyMap<string, OAuthProtocol>,
) {
  const {
    users,
    emit,
    hooks,
    sessions,
    attempts,
    browser,
    linking,
    resolve,
    answersJson: respondsWithJson,
  } = oauth
  const redirectTarget = createRedirectTarget(oauth.defaultRedirect)

  const sendRedirect = (reply: FastifyReply, address: string) => {
    // The URL of this page contains the authorization code. It is used up, but must not leak in a
    // `Referer` header.
    reply.header('referrer-policy', 'no-referrer')
    return reply.redirect(address, 302)
  }

  /**
   * A refusal that is safe to return. Refusals and provider failures are logged; other errors are
   * rethrown.
   */
  const refusalOf = (request: FastifyRequest, provider: string, error: unknown): Error => {
    const word = errorOfRefusal(error)
    if (word !== null) {
      request.log.info({ provider, reason: word }, 'sign-in with a provider was refused')
      return error as Error
    }
    if (error instanceof OAuthFailure) {
      const { reason, step, status, detail } = error
      request.log.warn({ provider, reason, step, status, detail }, 'sign-in with a provider failed')
      return new OAuthFailedError({ cause: error })
    }
    const status = (error as { statusCode?: unknown } | null)?.statusCode
    // The provider or the app returned a value that an account can't have.
    if (typeof status === 'number' && status < 500) {
      request.log.warn({ provider, err: error }, 'sign-in with a provider was refused')
      return new OAuthFailedError({ cause: error })
    }
    throw error
  }

  /** @param path redirect target; `defaultRedirect` without one */
  const refused = (
    request: FastifyRequest,
    reply: FastifyReply,
    provider: string,
    cause: unknown,
    path?: string,
  ) => {
    const refusal = refusalOf(request, provider, cause)
    if (respondsWithJson) throw refusal
    const error = errorOfRefusal(refusal) ?? 'oauth_failed'
    return sendRedirect(reply, redirectTarget(path, { error }))
  }

  const handOverTokens = async (
    request: FastifyRequest,
    provider: string,
    user: Row,
    result: SignInResult,
  ) => {
    const tokens = result.takeTokens()
    if (!tokens || !hooks.onProviderTokens) return
    try {
      await hooks.onProviderTokens(users.publicView(user), { request, provider, tokens })
    } catch (err) {
      request.log.error({ err, hook: 'onProviderTokens' }, 'a fastify-crudauth hook failed')
    }
  }

  const emitAfterOAuth = (
    request: FastifyRequest,
    provider: string,
    { raw: _raw, ...profile }: OAuthProfile,
    outcome: { user: Row; created: boolean; linked: boolean },
  ) => emit('onAfterOAuth', { ...outcome, provider, profile }, request)

  const link = async (
    request: FastifyRequest,
    reply: FastifyReply,
    {
      provider,
      redirectTo,
      startedIn,
      link: wanted,
    }: AuthorizationRequest & { link: NonNullable<AuthorizationRequest['link']> },
    result: SignInResult,
  ) => {
    // Only the session that started the link may finish it. If the browser withholds a
    // `SameSite=Strict` session cookie here, the attempt's own cookie has identified it.
    const present = sessions.locationOf(request)
    const isOther =
      present === null ? !oauth.isSessionWithheld : present.handle !== startedIn?.handle
    const live = startedIn && !isOther ? await sessions.liveAt(startedIn) : null
    const isSame =
      live !== null &&
      encodeUserId(users.idOf(live.user)) === wanted.user &&
      users.epochOf(live.user) === wanted.epoch
    if (!isSame)
      throw new OAuthInvalidStateError(
        'The link was started in another session; sign in and start again',
      )
    const { profile } = result
    await orDenied(runBefore(() => hooks.onBeforeOAuth?.(profile, { request, provider })))
    const outcome = await linking.link(live.user, provider, profile)
    if (outcome === 'elsewhere') throw new OAuthLinkedElsewhereError()
    if (outcome === 'stale') throw new OAuthFailedError('The account has changed in the meantime')
    if (outcome.isNew) oauth.linkChanged(outcome.user, { provider, linked: true }, request)
    await handOverTokens(request, provider, outcome.user, result)
    await emitAfterOAuth(request, provider, profile, {
      user: outcome.user,
      created: false,
      linked: true,
    })
    if (respondsWithJson) return { provider, redirect_to: redirectTo ?? null }
    return sendRedirect(reply, redirectTarget(redirectTo))
  }

  const signIn = async (
    request: FastifyRequest,
    reply: FastifyReply,
    { provider, redirectTo, rememberMe, startedIn, signedInAtMs }: AuthorizationRequest,
    result: SignInResult,
  ) => {
    const { profile } = result
    const { user, created, linked, awaitsFactor } = await resolve(
      request,
      provider,
      profile,
      oauth.guards,
    )
    if (!users.isActive(user)) {
      await emit(
        'onLoginFailed',
        { identifier: profile.email ?? profile.id, reason: 'inactive' },
        request,
      )
      throw new OAuthAccountInactiveError()
    }
    await orDenied(runBefore(() => hooks.onBeforeLogin?.(users.publicView(user), { request })))
    if (!awaitsFactor) await handOverTokens(request, provider, user, result)
    // A silent sign-in at the provider proves nothing new, so an old session stays as old as it is.
    const authenticatedAtMs = result.authenticatedAtMs ?? signedInAtMs
    const body = await oauth.complete(request, reply, user, {
      rememberMe,
      startedIn,
      amr: ['oauth'],
      redirectTo: redirectTo ?? null,
      ...(respondsWithJson && { body: bodyName }),
      ...(awaitsFactor && { afterwards: { name: linkName, data: dataOf(provider, profile) } }),
      ...(authenticatedAtMs !== undefined && { authenticatedAt: new Date(authenticatedAtMs) }),
    })
    if (awaitsFactor && !isMfaChallenge(body)) await handOverTokens(request, provider, user, result)
    if (!awaitsFactor) await emitAfterOAuth(request, provider, profile, { user, created, linked })
    if (isMfaChallenge(body)) {
      // The landing page asks for the code. The answer to it says where to go on.
      const { challenge } = body
      return respondsWithJson ? body : sendRedirect(reply, redirectTarget(undefined, { challenge }))
    }
    if (respondsWithJson)
      return { ...oauth.signInBody(user, body), redirect_to: redirectTo ?? null }
    return sendRedirect(reply, redirectTarget(redirectTo))
  }

  return {
    /** Answers a refusal with a redirect or JSON. @throws any other error unchanged */
    refused,

    async finish(request: FastifyRequest, reply: FastifyReply, provider: string) {
      const protocol = protocols.get(provider) as OAuthProtocol
      const at = (request.raw.url ?? '').indexOf('?')
      const params = new URLSearchParams(at < 0 ? '' : (request.raw.url as string).slice(at + 1))
      const states = params.getAll('state')
      const state = states.length === 1 ? (states[0] as string) : null
      let attempt: AuthorizationRequest | undefined
      try {
        attempt = await attempts.end(state, provider, browser.read(request))
        const result = await protocol.finish(params, { ...attempt, state: state as string })
        const { link: wanted } = attempt
        return await (wanted
          ? link(request, reply, { ...attempt, link: wanted }, result)
          : signIn(request, reply, attempt, result))
      } catch (error) {
        const path = error instanceof OAuthLinkedElsewhereError ? attempt?.redirectTo : undefined
        return refused(request, reply, provider, error, path)
      }
    },
  }
}

/** Services of the routes. */
export interface OAuthServices extends RouteLimits {
  readonly users: Users
  readonly emit: Emit
  readonly hooks: CrudAuthHooks
  /** Keys of the providers. */
  readonly providers: readonly string[]
  readonly attempts: AuthorizationRequests
  readonly resolve: MatchAccount
  readonly linking: OAuthLinking
  /** Tells the user that a provider was linked or unlinked. Must not wait. */
  readonly linkChanged: (
    user: Row,
    change: { readonly provider: string; readonly linked: boolean },
    request?: FastifyRequest,
  ) => void
  readonly sessions: Sessions
  /** Creates the session of a sign-in, or asks for a second factor. */
  readonly complete: CompleteSignIn
  /** Whether the response may be the challenge of a second factor. */
  readonly hasSecondFactor: () => boolean
  /** Whether the second factor must be verified before the account is linked. */
  readonly guards: (user: Row) => Promise<boolean>
  /** Response body of a sign-in in JSON mode. */
  readonly signInBody: (user: Row, established: object) => object
  /** Whether browsers withhold the session cookie in the callback (`SameSite=Strict`). */
  readonly isSessionWithheld: boolean
  /** Secret of the browser, in a cookie that lives as long as an attempt. */
  readonly browser: {
    read(request: FastifyRequest): string | null
    /**
     * Sets the cookie and returns its secret. Keeps an existing one, so that attempts can overlap.
     */
    write(request: FastifyRequest, reply: FastifyReply): string
  }
  /** Path of the same origin, or URL of the front end. */
  readonly defaultRedirect: string
  /** Whether the authorize and callback routes return JSON. */
  readonly answersJson: boolean
  /** Protocols by provider key, for callbacks under a route prefix. @throws CRUDAUTH_CONFIG */
  protocolsAt(prefix: string): ReadonlyMap<string, OAuthProtocol>
  redirectUri(prefix: string, provider: string): string
}
