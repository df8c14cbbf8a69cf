import type { MappedProfile } from '../../../ports/oauth-provider.js'

/** Maps the standard claims (OpenID Connect Core, 5.1). */
export const standardProfile = (claims: Readonly<Record<string, unknown>>): MappedProfile => ({
  id: claims.sub,
  email: claims.email,
  emailVerified: claims.email_verified,
  name: claims.name,
  username: claims.preferred_username ?? claims.nickname,
})
