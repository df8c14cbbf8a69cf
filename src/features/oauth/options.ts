import { sameOriginPath } from '../../http/redirect-path.js'
import { checkObject, describe, fail, isLoopback } from '../../lib/option-checks.js'
import type { OAuthAccountStore } from '../../ports/oauth-account-store.js'
import type { OAuthProvider } from '../../ports/oauth-provider.js'
import type { UserFields } from '../../ports/user-store.js'
import { providerField } from './linked-accounts.js'

/** Sign-in at OAuth 2.0 and OpenID Connect providers. Needs a session transport. */
export interface OAuthOptions {
  /** Public URL of this server, such as `https://app.example.com`: providers send browsers back to it. */
  readonly baseUrl: string
  /** By key: it is the path segment and names the field of the user model (`google` → `googleId`). */
  readonly providers: Readonly<Record<string, OAuthProvider>>
  /** Path of the same origin where browsers land when nothing else is asked for. Default `/`. */
  readonly defaultRedirect?: string | undefined
  /** Linked accounts in a table of their own, instead of a `<provider>Id` column each. Default none. */
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

function resolveAccounts(value: OAuthAccountStore | undefined): OAuthAccountStore | undefined {
  if (value === undefined) return undefined
  for (const verb of ['find', 'list', 'add', 'remove'] as const) {
    if (typeof value?.[verb] !== 'function')
      fail(`"oauth.accounts" lacks the method "${verb}" of an OAuthAccountStore`)
  }
  return value
}

/** Whatever is wrong with a provider itself is said where its routes are mounted. */
export function resolveOAuth(
  options: OAuthOptions | undefined,
  fields: UserFields,
  hasSession: boolean,
) {
  if (options === undefined) return null
  checkObject('oauth', options, ['baseUrl', 'providers', 'defaultRedirect', 'accounts'])
  if (!hasSession)
    fail(
      '"oauth" needs sessionTransport() among the "transports": a sign-in at a provider makes a session',
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
  const defaultRedirect = options.defaultRedirect ?? '/'
  const path = typeof defaultRedirect === 'string' ? sameOriginPath(defaultRedirect) : null
  if (path === null)
    fail(
      `"oauth.defaultRedirect" must be a path of the same origin such as "/", got ${describe(defaultRedirect)}`,
    )
  return Object.freeze({
    baseUrl: resolveBaseUrl(options.baseUrl),
    providers: Object.freeze(Object.fromEntries(providers) as Record<string, OAuthProvider>),
    defaultRedirect: path,
    accounts,
  })
}
