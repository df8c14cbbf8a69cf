import type { FastifyReply, FastifyRequest } from 'fastify'
import type { Sessions } from '../../core/sessions/sessions.js'
import { encodeUserId } from '../../core/users/user-id.js'
import type { Row, Users } from '../../core/users/users.js'
import { BadRequestError, UnavailableError } from '../../errors.js'
import { type CrudAuthHooks, type Emit, runBefore } from '../../events.js'
import type { RouteLimits } from '../../groups/feature.js'
import type { MatchAccount } from './account-matching.js'
import type { AuthorizationRequests, OAuthAttempt } from './authorization-requests.js'
import type { OAuthLinking } from './linking.js'
import { OAuthFailure } from './protocol/oauth-failure.js'
import type { OAuthProtocol, SignInResult } from './protocol/protocol.js'

/** The path with an error that its page tells. */
function withError(path: string, error: string): string {
  const url = new URL(path, 'http://placeholder.invalid')
  url.searchParams.set('error', error)
  return url.pathname + url.search + url.hash
}

/** The end of a sign-in at a provider. */
export function createCallback(oauth: OAuthPart, protocols: ReadonlyMap<string, OAuthProtocol>) {
  const { users, emit, hooks, sessions, attempts, browser, linking, resolve, defaultRedirect } =
    oauth

  const land = (reply: FastifyReply, path: string) => {
    // The address of this page has a code in it, which is nobody else's business though it is used up.
    reply.header('referrer-policy', 'no-referrer')
    return reply.redirect(path, 302)
  }

  const failed = (
    request: FastifyRequest,
    reply: FastifyReply,
    provider: string,
    error: unknown,
  ) => {
    if (error instanceof UnavailableError) throw error
    if (error instanceof OAuthFailure) {
      const { reason, step, status, detail } = error
      request.log.warn({ provider, reason, step, status, detail }, 'a sign-in at a provider failed')
    } else {
      request.log.error({ provider, err: error }, 'a sign-in at a provider failed unexpectedly')
    }
    return land(reply, withError(defaultRedirect, 'oauth_failed'))
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

  const link = async (
    request: FastifyRequest,
    reply: FastifyReply,
    {
      provider,
      redirectTo = defaultRedirect,
      began,
      link: wanted,
    }: OAuthAttempt & { link: NonNullable<OAuthAttempt['link']> },
    result: SignInResult,
  ) => {
    // The session that began it, and no other; a browser that withholds a strict cookie here is known by its binding cookie.
    const present = sessions.standingOf(request)
    const isOther = present === null ? !oauth.isSessionWithheld : present.handle !== began?.handle
    const live = began && !isOther ? await sessions.liveAt(began) : null
    const isSame =
      live !== null &&
      encodeUserId(users.idOf(live.user)) === wanted.user &&
      users.epochOf(live.user) === wanted.epoch
    if (!isSame)
      throw new BadRequestError('The link was begun in another session; sign in and begin it again')
    const { profile } = result
    const outcome = await linking.link(live.user, provider, profile)
    if (outcome === 'elsewhere') return land(reply, withError(redirectTo, 'oauth_linked_elsewhere'))
    if (outcome === 'stale') return land(reply, withError(redirectTo, 'oauth_failed'))
    await handOverTokens(request, provider, outcome.user, result)
    await emit(
      'onAfterOAuth',
      { user: outcome.user, provider, profile, created: false, linked: true },
      request,
    )
    return land(reply, redirectTo)
  }

  const signIn = async (
    request: FastifyRequest,
    reply: FastifyReply,
    { provider, redirectTo = defaultRedirect, rememberMe, began }: OAuthAttempt,
    result: SignInResult,
  ) => {
    const { profile } = result
    const { user, created, linked } = await resolve(request, provider, profile)
    if (!users.isActive(user)) {
      await emit(
        'onLoginFailed',
        { identifier: profile.email ?? profile.id, reason: 'inactive' },
        request,
      )
      request.log.info({ provider, reason: 'inactive' }, 'a sign-in at a provider was refused')
      return land(reply, withError(defaultRedirect, 'oauth_failed'))
    }
    await runBefore(() => hooks.onBeforeLogin?.(users.publicView(user), { request }))
    await handOverTokens(request, provider, user, result)
    const session = await sessions.create(request, user, { rememberMe }, began ?? null)
    sessions.setCookies(request, reply, session)
    await emit('onAfterLogin', { user, transport: 'session' }, request)
    await emit('onAfterOAuth', { user, provider, profile, created, linked }, request)
    return land(reply, redirectTo)
  }

  return {
    /** Sends the browser to the default landing, and logs why without secrets. @throws UnavailableError as it is */
    failed,

    async finish(request: FastifyRequest, reply: FastifyReply, provider: string) {
      const protocol = protocols.get(provider) as OAuthProtocol
      const at = (request.raw.url ?? '').indexOf('?')
      const params = new URLSearchParams(at < 0 ? '' : (request.raw.url as string).slice(at + 1))
      const states = params.getAll('state')
      const state = states.length === 1 ? (states[0] as string) : null
      const attempt = await attempts.end(state, provider, browser.read(request))
      let result: SignInResult
      try {
        result = await protocol.finish(params, { ...attempt, state: state as string })
      } catch (error) {
        return failed(request, reply, provider, error)
      }
      const { link: wanted } = attempt
      return wanted
        ? link(request, reply, { ...attempt, link: wanted }, result)
        : signIn(request, reply, attempt, result)
    },
  }
}

/** What the routes call. */
export interface OAuthPart extends RouteLimits {
  readonly users: Users
  readonly emit: Emit
  readonly hooks: CrudAuthHooks
  /** Keys of the providers. */
  readonly providers: readonly string[]
  readonly attempts: AuthorizationRequests
  readonly resolve: MatchAccount
  readonly linking: OAuthLinking
  readonly sessions: Sessions
  /** Whether browsers withhold the session cookie when the provider sends them back (`SameSite=Strict`). */
  readonly isSessionWithheld: boolean
  /** Secret of the browser, in a cookie that lives as long as an attempt. */
  readonly browser: {
    read(request: FastifyRequest): string | null
    /** Keeps the one that is there, so that several attempts can be under way. Returns it. */
    write(request: FastifyRequest, reply: FastifyReply): string
  }
  /** Path of the same origin. */
  readonly defaultRedirect: string
  /** The exchanges by the key of the provider, for callbacks under a prefix. @throws CRUDAUTH_CONFIG */
  protocolsAt(prefix: string): ReadonlyMap<string, OAuthProtocol>
  redirectUri(prefix: string, provider: string): string
}
