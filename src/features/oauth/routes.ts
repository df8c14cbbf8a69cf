import { type Static, Type } from '@sinclair/typebox'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { Detail, isTruthy } from '../../../schemas/common.js'
import { MfaChallenge } from '../../../schemas/mfa.js'
import {
  AuthorizeQuery,
  AuthorizeUrl,
  LinkedAccounts,
  LinkRequest,
  PostedCallback,
  ProviderLinked,
  ProviderParams,
  ProviderSignIn,
  SignInUrl,
} from '../../../schemas/oauth.js'
import { AuthenticatedPrincipal, rowOf } from '../../core/principal/principal.js'
import { encodeUserId } from '../../core/users/user-id.js'
import { NotFoundError } from '../../errors.js'
import { currentUser } from '../../gates/current-user.js'
import { requireFresh } from '../../gates/require-sudo.js'
import { defineGroup, type OwnRoute } from '../../groups/define-group.js'
import { servicesOf } from '../../groups/services.js'
import { redirectTarget } from '../../http/redirect-path.js'
import { unavailableError } from '../../lib/unavailable.js'
import type { OAuthServices } from './callback.js'
import { createCallback } from './callback.js'
import { OAuthFailure } from './protocol/oauth-failure.js'
import { refusals } from './refusals.js'

const tags = ['oauth']
const unknown = 'No such provider (CRUDAUTH_NOT_FOUND)'
const words = Object.keys(refusals)
const codes = Object.values(refusals).map((Refusal) => new Refusal().code)
const outage = 'Redis or the users database is unreachable (CRUDAUTH_UNAVAILABLE)'

type WithProvider<R = unknown> = FastifyRequest<{ Params: Static<typeof ProviderParams> } & R>

/**
 * Routes to sign in with providers and to link their accounts.
 * @example
 * app.register(crudAuth, { secret, users, oauth, routes: false })
 * app.register(oauthRoutes, { prefix: '/auth' })
 */
export const oauthRoutes = defineGroup('oauth', (app) => {
  const oauth = servicesOf<OAuthServices>(
    app,
    'oauth',
    'The "oauth" routes need "oauth": { baseUrl, providers }',
  )
  const { attempts, browser, linking, sessions, users } = oauth
  const protocols = oauth.protocolsAt(app.prefix)
  const session = currentUser({ transport: 'session' })
  const callback = createCallback(oauth, protocols)
  const { answersJson } = oauth

  const protocolOf = ({ params }: { readonly params: Static<typeof ProviderParams> }) => {
    const protocol = protocols.get(params.provider)
    if (!protocol) throw new NotFoundError()
    return { provider: params.provider, protocol }
  }
  const authorize: OwnRoute = {
    method: 'GET',
    url: '/oauth/:provider/authorize',
    schema: {
      operationId: 'oauthAuthorize',
      tags,
      summary: 'Start a sign-in with a provider',
      params: ProviderParams,
      querystring: AuthorizeQuery,
      response: answersJson
        ? { 200: SignInUrl }
        : { 302: { type: 'null', description: 'To the provider' } },
    },
    docs: {
      auth: 'none',
      errors: {
        400: answersJson
          ? 'Malformed query, or the provider is unreachable (FST_ERR_VALIDATION, CRUDAUTH_OAUTH_FAILED)'
          : 'Malformed query (FST_ERR_VALIDATION)',
        404: unknown,
        429: 'Too many sign-ins started from this IP address (CRUDAUTH_RATE_LIMITED)',
        503: outage,
      },
    },
    isPublic: true,
    // Each request stores an attempt for ten minutes, for anonymous clients too.
    before: [oauth.rateLimit('oauth_authorize', oauth.limits.oauth_authorize)],
    async handler(
      request: WithProvider<{ Querystring: Static<typeof AuthorizeQuery> }>,
      reply: FastifyReply,
    ) {
      const { provider, protocol } = protocolOf(request)
      const { redirect_to, remember_me } = request.query
      const secret = browser.write(request, reply)
      const startedIn = sessions.locationOf(request) ?? undefined
      const live = startedIn && (await sessions.liveAt(startedIn))
      const attempt = await attempts.begin(secret, {
        provider,
        rememberMe: isTruthy(remember_me),
        startedIn,
        signedInAtMs: live?.record.authenticatedAtMs,
        redirectTo: redirectTarget(redirect_to),
      })
      try {
        const url = await protocol.begin({ ...attempt, reauthenticate: Boolean(live) })
        return answersJson ? { url } : reply.redirect(url, 302)
      } catch (error) {
        return callback.refused(request, reply, provider, error)
      }
    },
  }

  const link: OwnRoute = {
    method: 'POST',
    url: '/oauth/:provider/link',
    schema: {
      operationId: 'oauthLink',
      tags,
      summary: 'Start linking a provider to the signed-in account',
      params: ProviderParams,
      body: LinkRequest,
      response: { 200: AuthorizeUrl },
    },
    docs: {
      auth: 'session',
      errors: {
        401: 'No live session (CRUDAUTH_UNAUTHENTICATED)',
        403: 'The sign-in is too old, or the CSRF token is missing or wrong (CRUDAUTH_FRESH_SIGN_IN_REQUIRED, CRUDAUTH_CSRF)',
        404: unknown,
        409: 'The account is linked to this provider already (CRUDAUTH_DUPLICATE)',
        503: `The provider is unreachable, or: ${outage}`,
      },
    },
    before: [session, requireFresh],
    async handler(
      request: WithProvider<{ Body: Static<typeof LinkRequest> }>,
      reply: FastifyReply,
    ) {
      const { provider, protocol } = protocolOf(request)
      const { principal } = request
      const standing = AuthenticatedPrincipal.sessionOf(principal) ?? undefined
      await linking.refuseSecond(rowOf(principal), provider)
      const attempt = await attempts.begin(browser.write(request, reply), {
        provider,
        rememberMe: false,
        redirectTo: redirectTarget(request.body?.redirect_to),
        startedIn: standing && { tag: standing.tag, handle: standing.record.handle },
        link: { user: encodeUserId(principal.userId), epoch: users.epochOf(rowOf(principal)) },
      })
      try {
        return { authorize_url: await protocol.begin(attempt) }
      } catch (error) {
        throw error instanceof OAuthFailure ? unavailableError(error) : error
      }
    },
  }

  const unlink: OwnRoute = {
    method: 'DELETE',
    url: '/oauth/:provider',
    schema: {
      operationId: 'oauthUnlink',
      tags,
      summary: 'Remove the link to a provider',
      params: ProviderParams,
      response: { 200: Detail },
    },
    docs: {
      auth: 'session',
      errors: {
        401: 'No live session (CRUDAUTH_UNAUTHENTICATED)',
        403: 'The CSRF token is missing or wrong (CRUDAUTH_CSRF)',
        404: 'Not linked, or no such provider (CRUDAUTH_NOT_FOUND)',
        409: 'It is the only way to sign in (CRUDAUTH_LAST_SIGN_IN_METHOD)',
        503: outage,
      },
    },
    before: [session],
    async handler(request: WithProvider) {
      const { provider } = protocolOf(request)
      const user = rowOf(request.principal)
      await linking.unlink(user, provider)
      oauth.linkChanged(user, { provider, linked: false }, request)
      return { detail: 'Unlinked' }
    },
  }

  const accounts: OwnRoute = {
    method: 'GET',
    url: '/oauth/accounts',
    schema: {
      operationId: 'oauthAccounts',
      tags,
      summary: 'Linked accounts',
      response: { 200: LinkedAccounts },
    },
    docs: {
      auth: 'session',
      errors: { 401: 'No live session (CRUDAUTH_UNAUTHENTICATED)', 503: outage },
    },
    before: [session],
    async handler(request) {
      const linked = await linking.list(rowOf(request.principal))
      return linked.map(({ provider, email, linkedAt }) => ({
        provider,
        email,
        linked_at: linkedAt?.toISOString() ?? null,
      }))
    },
  }

  const finish: OwnRoute = {
    method: 'GET',
    url: '/oauth/:provider/callback',
    schema: {
      operationId: 'oauthCallback',
      tags,
      summary: 'Finish a sign-in: the provider sends the browser here',
      params: ProviderParams,
      response: answersJson
        ? {
            200: Type.Union([
              ProviderSignIn,
              ProviderLinked,
              ...(oauth.hasSecondFactor() ? [MfaChallenge] : []),
            ]),
          }
        : {
            302: {
              type: 'null',
              description: `To the destination, with a new session; if refused, with \`?error=\` ${words.join(', ')}`,
            },
          },
    },
    docs: {
      auth: 'none',
      errors: {
        ...(answersJson && { 400: `The sign-in was refused (${codes.join(', ')})` }),
        404: unknown,
        503: outage,
      },
    },
    isPublic: true,
    hasSecretQuery: true,
    before: [],
    async handler(request: WithProvider, reply) {
      protocolOf(request)
      return callback.finish(request, reply, request.params.provider)
    },
  }

  const posted: OwnRoute = {
    method: 'POST',
    url: '/oauth/:provider/callback',
    schema: {
      operationId: 'oauthPostedCallback',
      tags,
      summary:
        'The callback of a provider that posts it: redirects to the GET route, which receives the cookie',
      params: ProviderParams,
      body: PostedCallback,
      response: { 303: { type: 'null', description: 'To the GET route' } },
    },
    docs: {
      auth: 'none',
      form: true,
      errors: { 400: 'Malformed body (FST_ERR_VALIDATION)', 404: unknown },
    },
    isPublic: true,
    hasSecretQuery: true,
    before: [],
    async handler(
      request: WithProvider<{ Body: Static<typeof PostedCallback> }>,
      reply: FastifyReply,
    ) {
      const { provider, protocol } = protocolOf(request)
      if (!protocol.formPost) throw new NotFoundError()
      const query = new URLSearchParams()
      for (const name of Object.keys(PostedCallback.properties)) {
        const value = (request.body as Record<string, string | undefined>)[name]
        if (value !== undefined) query.set(name, value)
      }
      return reply.redirect(`${oauth.redirectUri(app.prefix, provider)}?${query}`, 303)
    },
  }

  const anyPosts = [...protocols.values()].some(({ formPost }) => formPost)
  return [authorize, finish, ...(anyPosts ? [posted] : []), link, unlink, accounts]
})
