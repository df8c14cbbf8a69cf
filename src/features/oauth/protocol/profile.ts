import { canonicalEmail } from '../../../core/identity/canonical.js'
import type {
  MappedProfile,
  OAuthProfile,
  OAuthProvider,
  ProfileExtras,
} from '../../../ports/oauth-provider.js'
import { isObject } from './json.js'
import { OAuthFailure, type TakeStep } from './oauth-failure.js'

/** Maximum length of a subject (OpenID Connect Core, 2). */
const maxIdLength = 255
const maxTextLength = 255
/** RFC 5321: 64 for the local part, 255 for the domain, and the `@`. */
const maxEmailLength = 320

/** Control characters and lone surrogates, which a database may refuse or change. */
const unstorable = /[\p{Cc}\p{Cs}]/u

/** Strings that code makes of a missing id by accident. All users would share them. */
const stringifiedMissing = new Set(['null', 'undefined', 'NaN', '[object Object]'])

/** An id as text; null if it is unusable. */
function idText(value: unknown): string | null {
  if (typeof value === 'bigint' || (typeof value === 'number' && Number.isSafeInteger(value)))
    return String(value)
  if (typeof value !== 'string' || value === '' || value.length > maxIdLength) return null
  // Databases that pad strings treat ids that differ only in trailing spaces as equal.
  return unstorable.test(value) || value.trim() !== value || stringifiedMissing.has(value)
    ? null
    : value
}

/** Whether a claim is a usable subject (OpenID Connect Core, 2). */
export const isSubject = (value: unknown): value is string =>
  typeof value === 'string' && idText(value) !== null

function emailText(value: unknown): string | null {
  if (typeof value !== 'string' || value.length > maxEmailLength) return null
  return /^[^\s@]+@[^\s@]+$/.test(value) && !unstorable.test(value) ? value : null
}

function shownText(value: unknown): string | undefined {
  if (typeof value !== 'string') return undefined
  const clean = value
    .slice(0, 4 * maxTextLength)
    .replace(/\p{Cc}+/gu, ' ')
    .replace(/\p{Cs}/gu, '')
    .trim()
  // Cut by code points, so that no surrogate pair is split.
  return Array.from(clean).slice(0, maxTextLength).join('').trim() || undefined
}

/** The `user` field of a posted callback; undefined if it is too long or not a JSON object. */
export function parseUser(field: string | null): unknown {
  if (field === null || field.length > 4096) return undefined
  try {
    const user: unknown = JSON.parse(field)
    return isObject(user) ? user : undefined
  } catch {
    return undefined
  }
}

/**
 * Merges ID token and userinfo. `email` and `email_verified` always come from the same source. The
 * other source may vouch for a different address.
 */
export function mergeClaims(
  idToken: Readonly<Record<string, unknown>>,
  userinfo: Readonly<Record<string, unknown>>,
): Record<string, unknown> {
  const { email: _email, email_verified: _verified, ...rest } = { ...userinfo, ...idToken }
  const source = typeof userinfo.email === 'string' ? userinfo : idToken
  return {
    ...rest,
    ...('email' in source && { email: source.email }),
    ...('email_verified' in source && { email_verified: source.email_verified }),
  }
}

/** Maps the claims and checks the result. @throws OAuthFailure `bad_profile`, `bad_subject` */
export async function profileOf(
  provider: OAuthProvider,
  claims: Readonly<Record<string, unknown>>,
  extras: ProfileExtras,
  takeStep: TakeStep,
): Promise<OAuthProfile> {
  // `mapProfile` never sees a token, so its error is safe to keep as the cause.
  const failed = (cause: unknown) => new OAuthFailure('bad_profile', { cause })
  const mapped = await takeStep<MappedProfile>(
    'profile',
    async () => provider.mapProfile(claims, extras),
    failed,
  )
  if (!isObject(mapped)) throw new OAuthFailure('bad_profile', { step: 'profile' })
  const profile = checkedProfile(mapped, claims)
  if (profile === null || (provider.protocol === 'oidc' && !isSubject(mapped.id))) {
    throw new OAuthFailure('bad_subject', { step: 'profile' })
  }
  return profile
}

/** True as providers write it: `true`, 1, `"1"` or `"true"`. Anything else is false. */
const isTrueClaim = (value: unknown): boolean =>
  value === true ||
  value === 1 ||
  value === '1' ||
  (typeof value === 'string' && /^true$/i.test(value))

/**
 * Whether an address is in canonical form, except for capital letters. The provider vouches for the
 * exact address that it verified. Another spelling with the same canonical form (`ſales@`,
 * full-width letters) may be another mailbox there.
 */
const isPlain = (email: string): boolean =>
  canonicalEmail(email) === email.replace(/[A-Z]/g, (letter) => letter.toLowerCase())

/** The checked profile, which the rest of the code can trust; null without a usable id. */
export function checkedProfile(
  mapped: MappedProfile,
  raw: Readonly<Record<string, unknown>>,
): OAuthProfile | null {
  const id = idText(mapped.id)
  if (id === null) return null
  const email = emailText(mapped.email)
  const name = shownText(mapped.name)
  const username = shownText(mapped.username)
  return Object.freeze({
    id,
    email,
    emailVerified: email !== null && isTrueClaim(mapped.emailVerified) && isPlain(email),
    ...(name !== undefined && { name }),
    ...(username !== undefined && { username }),
    raw,
  })
}
