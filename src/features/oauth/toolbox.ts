import { BadRequestError } from '../../errors.js'
import { fail } from '../../lib/option-checks.js'
import type { AnyRequest, RegisteredUser } from '../../ports/fastify.js'
import type { OAuthProfile } from '../../ports/oauth-provider.js'
import type { OAuthResolution } from './account-matching.js'
import type { OAuthServices } from './callback.js'
import type { LinkedAccount } from './linked-accounts.js'
import { checkedProfile } from './protocol/profile.js'

declare module '../../core/toolbox.js' {
  interface AuthToolbox {
    /** Account matching for providers. */
    readonly oauth: OAuthToolbox
  }
}

/**
 * `app.crudAuth.oauth`: account matching without the protocol, for callbacks of your own. Methods
 * throw CRUDAUTH_CONFIG without `oauth`, and CRUDAUTH_UNAVAILABLE (503) if the users database is
 * unreachable.
 */
export interface OAuthToolbox {
  /**
   * Finds or creates the account of a profile, like the callback does: by the provider id, by a
   * verified email, otherwise a new account. Creates no session.
   * @param provider key in `oauth.providers`
   * @param profile checked like that of a built-in provider: `emailVerified` must be `true`, 1,
   * `"1"` or `"true"`
   * @throws CRUDAUTH_OAUTH_EMAIL_UNVERIFIED, CRUDAUTH_OAUTH_EMAIL_MISSING,
   * CRUDAUTH_OAUTH_PROVIDER_ALREADY_LINKED, CRUDAUTH_OAUTH_ACCESS_DENIED (a hook refused),
   * CRUDAUTH_OAUTH_FAILED (400)
   * @example
   * const { user, created } = await app.crudAuth.oauth.resolve(request, 'google', profile)
   */
  resolve(request: AnyRequest, provider: string, profile: OAuthProfile): Promise<OAuthResolution>
  /**
   * Links a provider account to a user who has just signed in. `elsewhere`: it belongs to another
   * user. `stale`: the user has changed in the meantime.
   */
  link(
    user: RegisteredUser,
    provider: string,
    profile: OAuthProfile,
  ): Promise<{ readonly user: RegisteredUser } | 'elsewhere' | 'stale'>
  /**
   * Removes a link.
   * @throws CRUDAUTH_NOT_FOUND (404); CRUDAUTH_LAST_SIGN_IN_METHOD (409) if it is the only way to
   * sign in
   */
  unlink(user: RegisteredUser, provider: string): Promise<void>
  /** Linked provider accounts of a user. */
  accounts(user: RegisteredUser): Promise<LinkedAccount[]>
}

const refuse = (message: string): never => {
  throw new BadRequestError(message)
}

export function createOAuthToolbox(oauth: OAuthServices | null): OAuthToolbox {
  const need = (provider?: string) => {
    const part = oauth ?? fail('"app.crudAuth.oauth" needs "oauth": { baseUrl, providers }')
    if (provider !== undefined && !part.providers.includes(provider)) {
      fail(`"app.crudAuth.oauth" knows no provider "${provider}"; name it in "oauth.providers"`)
    }
    return part
  }
  /** Checks the app's own profile as strictly as one from `mapProfile`. */
  const checked = (profile: OAuthProfile): OAuthProfile => {
    const usable =
      typeof profile === 'object' && profile !== null
        ? checkedProfile(profile, profile.raw ?? {})
        : null
    return usable ?? refuse('The profile has no usable "id": text, a whole number or a bigint')
  }
  return {
    async resolve(request, provider, profile) {
      const { resolve, users } = need(provider)
      const resolution = await resolve(request, provider, checked(profile))
      return { ...resolution, user: users.publicView(resolution.user) }
    },
    async link(user, provider, profile) {
      const { linking, users, linkChanged } = need(provider)
      const linked = await linking.link(await users.wholeRow(user), provider, checked(profile))
      if (typeof linked !== 'string' && linked.isNew)
        linkChanged(linked.user, { provider, linked: true })
      return typeof linked === 'string' ? linked : { user: users.publicView(linked.user) }
    },
    unlink: async (user, provider) => {
      const { linking, users, linkChanged } = need(provider)
      const row = await users.wholeRow(user)
      await linking.unlink(row, provider)
      linkChanged(row, { provider, linked: false })
    },
    accounts: async (user) => {
      const { linking, users } = need()
      return linking.list(await users.wholeRow(user))
    },
  }
}
