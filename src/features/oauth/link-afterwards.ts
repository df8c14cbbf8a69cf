import type { FastifyRequest } from 'fastify'
import type { SignIns } from '../../core/sign-in/complete.js'
import type { Row } from '../../core/users/users.js'
import type { Emit } from '../../events.js'
import type { OAuthProfile } from '../../ports/oauth-provider.js'
import type { LinkAccount } from './account-matching.js'

/** Name of the work in `SignIns.afterwards`. */
export const linkName = 'oauth-link'

/** What a link needs of a profile, small enough to be kept with the challenge. */
interface LinkData {
  readonly provider: string
  readonly id: string
  readonly email: string | null
}

export const dataOf = (provider: string, { id, email }: OAuthProfile): LinkData => ({
  provider,
  id,
  email,
})

/** Links an account to a provider once its second factor was verified. */
export const createLinkAfterwards =
  (link: LinkAccount, emit: Emit): NonNullable<ReturnType<SignIns['afterwards']['get']>> =>
  async (request: FastifyRequest, user: Row, data: object) => {
    const { provider, id, email } = data as LinkData
    const profile = { id, email, emailVerified: true }
    const linked = await link(request, user, provider, { ...profile, raw: {} })
    await emit(
      'onAfterOAuth',
      { user: linked, provider, profile, created: false, linked: true },
      request,
    )
    return linked
  }
