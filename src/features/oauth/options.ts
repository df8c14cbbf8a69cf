import { sameOriginPath } from '../../http/redirect-path.js'
import { checkObject, describe, fail, isLoopback } from '../../lib/option-checks.js'
import type { OAuthAccountStore } from '../../ports/oauth-account-store.js'
import type { OAuthProvider } from '../../ports/oauth-provider.js'
import type { UserFields } from '../../ports/user-store.js'
import { providerField } from './linked-accounts.js'

/** Sign-in with OAuth 2.0 and OpenID Connect providers. Needs a session transport. */
export interface OAuthOptions {
  /**
   * Public URL of this server, such as `https://app.example.com`, with the path under which a proxy
   * serves it, if any. https, or http on a loopback host.
   */
  readonly baseUrl: string
  /**
   * Providers by key. The key is the path segment and names the field in the user model: `google`
   * needs `googleId`, unless `oauth.accounts` is set.
   */
  readonly providers: Readonly<Record<string, OAuthProvider>>
  /**
   * Where the browser goes after sign-in, and after errors with `?error=` (`oauth_linked_elsewhere` returns to its
   * `redirect_to`): a path of the same
   * origin, or an absolute URL of your front end. `redirect_to` is resolved against it.
   * @defaultValue `/`
   */
  readonly defaultRedirect?: string | undefined
  /**
   * `redirect` sends the browser on. `json` returns JSON, for front ends that drive the flow
   * themselves.
   * @defaultValue `redirect`
   */
  readonly responses?: 'redirect' | 'json' | undefined
  /**
   * Store of linked accounts in a table of its own, instead of a column per provider.
   * @defaultValue none
   */
  readonly accounts?: OAuthAccountStore | undefined
}

const key = /^[a-z][a-zA-Z0-9]{0,31}$/
const reserved = ['accounts']

function resolveBaseUrl(value: unknown): string {
  if (typeof value !== 'string' || !URL.canParse(value)) {
    fail(
      `"oauth.baseUrl" must be an absolute URL such as "https://app.example.com", got ${describe(value)}`,
    )
  }
  const url = new URL(value)
  if (url.protocol !== 'https:' && !(url.protocol === 'http:' && isLoopback(url.hostname))) {
    fail('"oauth.baseUrl" must be https; http is for "http://localhost:…" in development')
  }
  if (url.username !== '' || url.password !== '' || value.includes('?') || value.includes('#')) {
    fail('"oauth.baseUrl" must not have a user, a query or a fragment')
  }
  return url.href.replace(/\/+$/, '')
}

/** Accepts a path, or an absolute URL of a web page or with an app's own scheme. */
function resolveLanding(value: unknown): string {
  if (typeof value === 'string') {
    const path = sameOriginPath(value)
    if (path !== null) return path
    if (URL.canParse(value) && /^[a-z][a-z\d+.-]*:\/\/[^/]/i.test(value)) {
      const url = new URL(value)
      const isUsable = url.protocol !== 'http:' || isLoopback(url.hostname)
      if (isUsable && url.username === '' && url.password === '') return url.href
    }
  }
  return fail(
    `"oauth.defaultRedirect" must be a path such as "/", or an absolute URL of the front end such as "https://app.example.com/" (http on this machine only), got ${describe(value)}`,
  )
}

function resolveAccounts(value: OAuthAccountStore | undefined): OAuthAccountStore | undefined {
  if (value === undefined) return undefined
  for (const verb of ['find', 'list', 'add', 'remove'] as const) {
    if (typeof value?.[verb] !== 'function')
      fail(`"oauth.accounts" lacks the method "${verb}" of an OAuthAccountStore`)
  }
  return value
}

/**
 * Checks the `oauth` option. The settings of each provider are checked when its routes are mounted.
 */
export function resolveOAuth(
  options: OAuthOptions | undefined,
  fields: UserFields,
  hasSession: boolean,
) {
  if (options === undefined) return null
  checkObject('oauth', options, [
    'baseUrl',
    'providers',
    'defaultRedirect',
    'responses',
    'accounts',
  ])
  if (!hasSession)
    fail(
      '"oauth" needs sessionTransport() among the "transports": a sign-in with a provider creates a session',
    )
  const providers = Object.entries(
    checkObject('oauth.providers', options.providers, Object.keys(options.providers ?? {})),
  )
  if (providers.length === 0)
    fail('"oauth.providers" must name at least one provider, such as { google: google({ … }) }')
  const accounts = resolveAccounts(options.accounts)
  for (const [name, provider] of providers) {
    if (!key.test(name) || reserved.includes(name)) {
      fail(
        `"oauth.providers" has the key "${name}"; it must be letters and digits like "google" or "acme", and not "accounts"`,
      )
    }
    if (typeof provider !== 'object' || provider === null) {
      fail(
        `"oauth.providers.${name}" must be a provider, got ${describe(provider)}; try ${name}({ clientId, clientSecret })`,
      )
    }
    if (accounts) continue
    const field = providerField(name)
    if (fields.columns[field] === undefined) {
      fail(
        `"oauth.providers.${name}" needs the field "${field}", which the user model lacks; add and map its column`,
      )
    }
    if (!fields.unique.includes(field)) {
      fail(
        `The field "${field}" must be unique in the user model; add a unique constraint and name it in "unique"`,
      )
    }
  }
  const { responses = 'redirect' } = options
  if (responses !== 'redirect' && responses !== 'json')
    fail(`"oauth.responses" must be "redirect" or "json", got ${describe(responses)}`)
  return Object.freeze({
    baseUrl: resolveBaseUrl(options.baseUrl),
    providers: Object.freeze(Object.fromEntries(providers) as Record<string, OAuthProvider>),
    defaultRedirect: resolveLanding(options.defaultRedirect ?? '/'),
    responses,
    accounts,
  })
}
