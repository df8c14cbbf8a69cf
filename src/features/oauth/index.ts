import type { FastifyInstance, FastifyRequest } from 'fastify'
import type { Identity } from '../../core/identity/identity.js'
import type { ResolvedOptions } from '../../core/options.js'
import type { Passwords } from '../../core/passwords/passwords.js'
import type { Sessions } from '../../core/sessions/sessions.js'
import type { NewAccount } from '../../core/sign-up/new-account.js'
import type { Row, Users } from '../../core/users/users.js'
import { randomToken } from '../../crypto/random.js'
import { createSeal } from '../../crypto/seal.js'
import type { CrudAuthHooks, Emit } from '../../events.js'
import { createCookie } from '../../http/cookies.js'
import { fail } from '../../lib/option-checks.js'
import type { OneTimeStore } from '../../ports/one-time-store.js'
import { PROVIDER_ID_FIELDS } from '../../ports/user-store.js'
import { createResolveOAuth } from './account-matching.js'
import { attemptSeconds, createOAuthAttempts } from './authorization-requests.js'
import type { OAuthPart } from './callback.js'
import { columnLinks, type Links, providerField } from './linked-accounts.js'
import { tableLinks } from './linked-accounts-table.js'
import { createOAuthLinking } from './linking.js'
import type { OAuthProtocol } from './protocol/protocol.js'

interface Parts {
  readonly users: Users
  readonly identity: Identity
  readonly passwords: Passwords
  readonly hooks: CrudAuthHooks
  readonly emit: Emit
  readonly newAccount: NewAccount
  readonly oneTime: OneTimeStore
  readonly sessions: Sessions | undefined
  readonly links: Links
  readonly isHeld: (email: string) => Promise<boolean>
  readonly welcome: (request: FastifyRequest, user: Row) => void
  readonly endAll: (user: Row) => Promise<void>
}

/** Where links are kept; there may be some of providers that are not configured any more. */
export function composeLinks({ oauth, timeouts }: ResolvedOptions, users: Users): Links {
  const providers = Object.keys(oauth?.providers ?? {})
  const fields = [...new Set([...PROVIDER_ID_FIELDS, ...providers.map(providerField)])].filter(users.has)
  const cleared = Object.fromEntries(fields.map((field) => [field, null]))
  return oauth?.accounts
    ? tableLinks(users, oauth.accounts, { milliseconds: timeouts.usersMs, providers, cleared })
    : columnLinks(users, providers, cleared)
}

const secretForm = /^[\w-]{43}$/

/** Null without providers. Their connections end with the app. */
export async function composeOAuth(app: FastifyInstance, options: ResolvedOptions, parts: Parts): Promise<OAuthPart | null> {
  const { oauth, session, keys, timeouts } = options
  const { oneTime, sessions, users } = parts
  if (!oauth || !session || !sessions) return null
  // Loaded when it is needed: what speaks to providers is a good part of what the package takes to import.
  const { createProtocol } = await import('./protocol/protocol.js')
  const names = Object.keys(oauth.providers)
  const { names: cookieNames, policy } = session.cookies
  // It serves this very host, whatever sessions do; and the provider sends the browser here from another site, which a
  // stricter one does not survive.
  const cookie = createCookie(cookieNames.oauth, { secure: policy.secure, sameSite: 'lax', path: '/' }, true)
  if (users.has('email') && !users.has('emailVerified')) {
    app.log.warn(
      'fastify-crudauth: the user model has no "emailVerified", so nobody is linked to an account by its email, and must sign in to it and link; add the column',
    )
  }
  const insecure = names.filter((name) => oauth.providers[name]?.allowInsecure)
  if (insecure.length > 0) {
    app.log.warn(
      `fastify-crudauth: "allowInsecure" is on for ${insecure.join(', ')}, so codes and tokens may travel in the clear and to private addresses; use it for development alone`,
    )
  }
  const redirectUri = (prefix: string, provider: string) => `${oauth.baseUrl}${prefix}/oauth/${provider}/callback`
  const opened = new Set<OAuthProtocol>()
  app.addHook('onClose', async function closeProviders() {
    await Promise.all([...opened].map((protocol) => protocol.close()))
  })

  return {
    providers: names,
    attempts: createOAuthAttempts(oneTime, createSeal(keys('oauth'))),
    resolve: createResolveOAuth(parts),
    linking: createOAuthLinking(parts),
    sessions,
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
