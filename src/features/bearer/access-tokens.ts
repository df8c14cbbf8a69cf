import { claimOfMethods, type Methods, methodsOfClaim } from '../../core/principal/methods.js'
import { type Subject, subjectOf } from '../../core/principal/principal.js'
import { type Credential, tokenEpoch } from '../../core/users/epoch.js'
import { decodeUserId, encodeUserId } from '../../core/users/user-id.js'
import type { Row, Users } from '../../core/users/users.js'
import { randomToken } from '../../crypto/random.js'
import { InternalError } from '../../errors.js'
import type { TokenClaims, TokenKeys } from './signing-keys.js'

/** Longest access token that is issued or read, in characters. */
const maxTokenLength = 8192

/** The claims of an access token. */
export interface AccessClaims extends Subject, Credential {
  readonly transport: 'bearer'
  readonly scopes: readonly string[]
  /** The later of `iat` and `auth_time`. Neither may be in the future, apart from clock skew. */
  readonly notBeforeMs: number
  readonly expiresAtMs: number
  readonly authenticatedAtMs: number
  readonly amr: Methods
}

/** Issues and reads access tokens. */
export interface AccessTokens {
  /** @throws CRUDAUTH_CONFIG if no key can sign. Call it before anything is created or consumed */
  checkSigner(): void
  /**
   * @param authenticatedAtMs when the user last authenticated
   * @throws InternalError for a token that `read` would reject
   */
  issue(user: Row, scopes: readonly string[], authenticatedAtMs: number, amr: Methods): string
  /**
   * Returns the claims, or null if no key has signed the token or its claims are malformed. Doesn't
   * check the expiry.
   */
  read(token: string): AccessClaims | null
}

interface Settings extends TokenClaims {
  readonly accessSeconds: number
  readonly recovery: string | null
}

/** Whether the claim is a number of seconds or a version. */
const isCount = (value: unknown): value is number =>
  typeof value === 'number' && Number.isSafeInteger(value) && value >= 0

function parseClaims(claims: Record<string, unknown>): AccessClaims | null {
  const { sub, idt, ver, eph, scope, iat, exp, typ, auth_time } = claims
  if (
    typ !== 'access' ||
    typeof sub !== 'string' ||
    sub === '' ||
    typeof eph !== 'string' ||
    typeof scope !== 'string'
  )
    return null
  if (!isCount(iat) || !isCount(exp) || !isCount(ver) || !isCount(auth_time)) return null
  if (idt !== undefined && idt !== 'n' && idt !== 'b') return null
  const userId = decodeUserId(`${idt ?? 's'}${sub}`)
  if (userId === null) return null
  return Object.freeze({
    transport: 'bearer',
    userId,
    version: ver,
    epoch: eph,
    scopes: Object.freeze(scope === '' ? [] : scope.split(' ')),
    notBeforeMs: Math.max(iat, auth_time) * 1000,
    expiresAtMs: exp * 1000,
    authenticatedAtMs: auth_time * 1000,
    amr: Object.freeze(methodsOfClaim(claims.amr)),
    isSuperuser: claims.sup === true,
    emailVerified: claims.emv === true,
    recoveryVerified: claims.rev === true,
  })
}

export function createAccessTokens(
  keys: TokenKeys,
  users: Users,
  settings: Settings,
): AccessTokens {
  const { accessSeconds, issuer, audience, recovery } = settings
  return {
    checkSigner: () => void keys.needSigner(),

    issue(user, scopes, authenticatedAtMs, amr) {
      const seconds = Math.floor(Date.now() / 1000)
      const subject = subjectOf(users, recovery, user)
      const id = subject.userId
      const amrClaim = claimOfMethods(amr)
      const version = users.versionOf(user)
      if (!isCount(version))
        throw new InternalError(
          'The "tokenVersion" of the user is not a whole number from 0 to 2^53 - 1',
        )
      const token = keys.needSigner()({
        sub: String(id),
        ...(typeof id === 'string' ? {} : { idt: encodeUserId(id)[0] }),
        ver: version,
        eph: tokenEpoch(users, user),
        scope: scopes.join(' '),
        typ: 'access',
        iat: seconds,
        exp: seconds + accessSeconds,
        auth_time: Math.floor(authenticatedAtMs / 1000),
        jti: randomToken(16),
        ...(amrClaim && { amr: amrClaim }),
        ...(subject.isSuperuser && { sup: true }),
        ...(subject.emailVerified && { emv: true }),
        ...(subject.recoveryVerified && { rev: true }),
        ...(issuer && { iss: issuer }),
        ...(audience && { aud: audience }),
      })
      if (token.length > maxTokenLength) {
        throw new InternalError(
          `The access token would have ${token.length} characters, more than the limit of ${maxTokenLength}; grant fewer scopes`,
        )
      }
      return token
    },

    read(token) {
      if (token.length > maxTokenLength) return null
      const verified = keys.verify(token)
      return verified && parseClaims(verified)
    },
  }
}
