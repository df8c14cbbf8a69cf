import type { FastifyRequest } from 'fastify'
import type { Core } from '../../core/core.js'
import type { SignInMethods } from '../../core/credentials/sign-in-methods.js'
import { completeSignInWith } from '../../core/sign-in/complete.js'
import type { Row } from '../../core/users/users.js'
import { verifySchemaAtStart } from '../../core/users/verify-schema.js'
import { randomToken } from '../../crypto/random.js'
import { createSeal } from '../../crypto/seal.js'
import type { Feature, RouteLimits } from '../../groups/feature.js'
import { createCookie } from '../../http/cookies.js'
import { fail } from '../../lib/option-checks.js'
import { PROVIDER_ID_FIELDS } from '../../ports/user-store.js'
import { createAccountMatching } from './account-matching.js'
import { attemptSeconds, createAuthorizationRequests } from './authorization-requests.js'
import { bodyName, type OAuthServices } from './callback.js'
import { createLinkAfterwards, linkName } from './link-afterwards.js'
import { type LinkedAccounts, linkedAccountsInColumns, providerField } from './linked-accounts.js'
import { linkedAccountsInTable } from './linked-accounts-table.js'
import { createOAuthLinking } from './linking.js'
import { type OAuthOptions, resolveOAuth } from './options.js'
import type { OAuthProtocol } from './protocol/protocol.js'
import { createRecentLinks, type RecentLinks } from './recent-links.js'
import { oauthRoutes } from './routes.js'
import { createSignInBody } from './sign-in-body.js'
import { createOAuthToolbox } from './toolbox.js'

export type { OAuthResolution } from './account-matching.js'
export type { LinkedAccount } from './linked-accounts.js'
export type { OAuthOptions } from './options.js'
export { oauthRoutes } from './routes.js'
export type { OAuthToolbox } from './toolbox.js'

declare module '../../core/option-types.js' {
  interface CrudAuthOptions {
    /**
     * Sign-in with OAuth 2.0 and OpenID Connect providers. Needs a session transport.
     * @defaultValue off
     */
    readonly oauth?: OAuthOptions | undefined
  }

  interface RouteGroups {
    oauth: true
  }
}

declare module '../../core/rate-limits.js' {
  interface LimitedActions {
    /**
     * Sign-ins started with a provider, by IP address.
     * @defaultValue 600 per 3600 s
     */
    oauth_authorize: true
  }
}

type OAuthSettings = NonNullable<ReturnType<typeof resolveOAuth>>

/** Storage of the links. It may contain links to providers that are no longer configured. */
function linksOf(
  { users, settings: { timeouts } }: Core,
  oauth: OAuthSettings | null,
): LinkedAccounts {
  const providers = Object.keys(oauth?.providers ?? {})
  const fields = [...new Set([...PROVIDER_ID_FIELDS, ...providers.map(providerField)])].filter(
    users.has,
  )
  const cleared = Object.fromEntries(fields.map((field) => [field, null]))
  return oauth?.accounts
    ? linkedAccountsInTable(users, oauth.accounts, {
        milliseconds: timeouts.usersMs,
        providers,
        cleared,
      })
    : linkedAccountsInColumns(users, providers, cleared)
}

/** Null without delivery: no message can then undo a link or reset the password. */
function recentLinksOf(
  { users, state, settings: { delivery, keys } }: Core,
  oauth: OAuthSettings | null,
): RecentLinks | null {
  if (!oauth || !delivery) return null
  return createRecentLinks({
    users,
    store: state.oneTime,
    keys: keys('recent-links'),
    providers: Object.keys(oauth.providers),
    seconds: delivery.lifetimes.revertSeconds,
  })
}

const secretForm = /^[\w-]{43}$/

/** Services of the routes; null without providers. Their connections are closed with the app. */
async function createPart(
  core: Core,
  oauth: OAuthSettings | null,
  links: LinkedAccounts,
  recent: RecentLinks | null,
  hasOtherMethod: (user: Row) => Promise<boolean>,
  limits: RouteLimits,
): Promise<OAuthServices | null> {
  const { app, users, identity, passwords, emit, hooks, newAccount, signUp } = core
  const { session, keys, timeouts } = core.settings
  if (!oauth || !session || !core.sessions) return null
  const { sessions } = core.sessions
  const parts = {
    users,
    identity,
    passwords,
    hooks,
    emit,
    newAccount,
    links,
    recent,
    hasOtherMethod,
    linkChanged: core.credentials.notifyLinkChanged,
    methods: core.credentials.allMethods,
    async isReserved(address: string) {
      const reference = (await signUp.messages?.reservedFor(address)) ?? null
      return reference !== null && (await users.findReferenced(reference)) !== null
    },
    sendVerification: (request: FastifyRequest, user: Row) =>
      signUp.messages?.sendVerification(request, user),
    replaceCredential: core.replaceCredential,
  }
  // Loaded on demand: the protocol code is a large part of the package's import time.
  const { createProtocol } = await import('./protocol/protocol.js')
  const names = Object.keys(oauth.providers)
  const { names: cookieNames, policy } = session.cookies
  // Only this host needs it, even if session cookies have a `Domain`. `lax`, because the provider
  // redirects the browser here from another site, where `strict` cookies are withheld.
  const cookie = createCookie(
    cookieNames.oauth,
    { secure: policy.secure, sameSite: 'lax', path: '/' },
    true,
  )
  if (users.has('email') && !users.has('emailVerified')) {
    app.log.warn(
      'fastify-crudauth: the user model has no "emailVerified", so accounts are never linked by email; add the column',
    )
  }
  const insecure = names.filter((name) => oauth.providers[name]?.allowInsecure)
  if (insecure.length > 0) {
    app.log.warn(
      `fastify-crudauth: "allowInsecure" is on for ${insecure.join(', ')}, so codes and tokens may be sent without TLS and to private addresses; use it for development only`,
    )
  }
  const redirectUri = (prefix: string, provider: string) =>
    `${oauth.baseUrl}${prefix}/oauth/${provider}/callback`
  const matching = createAccountMatching(parts)
  core.signIns.afterwards.set(linkName, createLinkAfterwards(matching.link, emit))
  const signInBody = createSignInBody(users)
  core.signIns.bodies.set(bodyName, signInBody)
  const opened = new Set<OAuthProtocol>()
  app.addHook('onClose', async function closeProviders() {
    await Promise.all([...opened].map((protocol) => protocol.close()))
  })

  return {
    ...limits,
    users,
    emit,
    hooks,
    providers: names,
    attempts: createAuthorizationRequests(core.state.attempts, createSeal(keys('oauth'))),
    resolve: matching.match,
    guards: async (user) => (await core.signIns.secondFactor?.guardsProviders(user)) === true,
    linking: createOAuthLinking(parts),
    // Calls from the app's own code have no request. The outbox only needs its log.
    linkChanged: (user, change, request = { log: app.log } as FastifyRequest) =>
      core.credentials.notifyLinkChanged(user, change, request),
    sessions,
    complete: completeSignInWith(core, 'session'),
    hasSecondFactor: () => core.signIns.secondFactor !== null,
    signInBody,
    isSessionWithheld: policy.sameSite === 'strict',
    browser: {
      read(request) {
        const secret = cookie.read(request)
        return secret !== null && secretForm.test(secret) ? secret : null
      },
      write(request, reply) {
        const secret = this.read(request) ?? randomToken()
        cookie.write(reply, secret, attemptSeconds)
        return secret
      },
    },
    defaultRedirect: oauth.defaultRedirect,
    answersJson: oauth.responses === 'json',
    redirectUri,
    protocolsAt(prefix) {
      if (/[:*]/.test(prefix)) {
        fail(
          `The "oauth" routes are mounted under "${prefix}", which has parameters; a provider needs one fixed callback address`,
        )
      }
      const protocols = new Map(
        Object.entries(oauth.providers).map(([name, provider]) => [
          name,
          createProtocol(`oauth.providers.${name}`, provider, {
            redirectUri: redirectUri(prefix, name),
            timeoutMs: timeouts.oauthMs,
          }),
        ]),
      )
      for (const protocol of protocols.values()) opened.add(protocol)
      return protocols
    },
  }
}

/** Sign-in with providers, and linked accounts. */
export const oauth: Feature = {
  name: 'oauth',
  options: ['oauth'],
  limits: { oauth_authorize: { max: 600, windowSeconds: 3600 } },
  routes: oauthRoutes,
  configure(options, { session }) {
    const settings = resolveOAuth(options.oauth, options.users.fields, session !== null)
    return {
      missing: () => (settings ? null : '"oauth"'),
      privilegedFields: Object.keys(settings?.providers ?? {}).map(providerField),
      async create(core, limits) {
        const links = linksOf(core, settings)
        verifySchemaAtStart(
          core.app,
          'links',
          core.settings.timeouts.usersMs,
          settings?.accounts?.verifySchema,
        )
        const recent = recentLinksOf(core, settings)
        const method: SignInMethods = {
          cleared: links.cleared,
          clearedFactors: {},
          isUsable: async (user) =>
            (await links.list(user)).some(({ provider }) =>
              Object.hasOwn(settings?.providers ?? {}, provider),
            ),
          detachAll: links.detachAll,
          detachFactors: async () => {},
          undoable: recent !== null,
          async detachRecent(user) {
            for (const provider of (await recent?.of(user)) ?? [])
              await links.remove(user, provider)
          },
        }
        core.credentials.methods.push(method)
        const hasOtherMethod = (user: Row) => core.credentials.hasOtherMethod(user, method)
        const services = await createPart(core, settings, links, recent, hasOtherMethod, limits)
        return { services, toolbox: { oauth: createOAuthToolbox(services) } }
      },
    }
  },
}
