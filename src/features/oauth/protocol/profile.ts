import { canonicalEmail } from '../../../core/identity/canonical.js'
import type {
  MappedProfile,
  OAuthProfile,
  OAuthProvider,
  ProfileExtras,
} from '../../../ports/oauth-provider.js'
import { isObject } from './json.js'
import { OAuthFailure, type TakeStep } from './oauth-failure.js'

/** OpenID Connect Core, 2: a subject has at most as many. */
const maxIdLength = 255
const maxTextLength = 255
/** RFC 5321: 64 and 255 and the @. */
const maxEmailLength = 320

/** Control characters and halves of characters, which a database may refuse or change. */
const unstorable = /[\p{Cc}\p{Cs}]/u

/** What careless string building makes of a missing id: it would be everybody's. */
const accidents = new Set(['null', 'undefined', 'NaN', '[object Object]'])

/** An id as text, or null for an unusable one. */
function idText(value: unknown): string | null {
  if (typeof value === 'bigint' || (typeof value === 'number' && Number.isSafeInteger(value)))
    return String(value)
  if (typeof value !== 'string' || value === '' || value.length > maxIdLength) return null
  // Databases that pad strings take two ids that differ in trailing spaces for one.
  return unstorable.test(value) || value.trim() !== value || accidents.has(value) ? null : value
}

/** Whether a claim is a subject as OpenID Connect has it. */
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
  // By characters, so that none is cut in half.
  return Array.from(clean).slice(0, maxTextLength).join('').trim() || undefined
}

/** The `user` field of a posted callback; nothing if it is too long or not what it should be. */
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
 * ID token and userinfo as one. Address and its verification are of one source: an address of the one must not be verified
 * by what the other says of another.
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

/** Maps and checks. @throws OAuthFailure `bad_profile`, `bad_subject` */
export async function profileOf(
  provider: OAuthProvider,
  claims: Readonly<Record<string, unknown>>,
  extras: ProfileExtras,
  takeStep: TakeStep,
): Promise<OAuthProfile> {
  // The app's own code, and it has seen no token: its error may be told.
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

/** A yes as providers write it: `true`, 1, `"1"`, `"true"`. Anything else is a no. */
const isTrueClaim = (value: unknown): boolean =>
  value === true ||
  value === 1 ||
  value === '1' ||
  (typeof value === 'string' && /^true$/i.test(value))

/**
 * Whether an address is written as we would write it, but for capitals. The provider vouches for what it has checked: another
 * spelling that folds to the same (`ſales@`, full-width letters) may be another mailbox there.
 */
const isPlain = (email: string): boolean =>
  canonicalEmail(email) === email.replace(/[A-Z]/g, (letter) => letter.toLowerCase())

/** The profile as everything else may rely on it; null without a usable id. */
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
