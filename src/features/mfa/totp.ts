import { Secret, TOTP } from 'otpauth'
import { equalConstantTime } from '../../crypto/compare.js'

/** RFC 6238 as every authenticator app implements it, whatever else a URI asks for. */
const form = { algorithm: 'SHA1', digits: 6, period: 30 } as const
const secretBytes = 20
/** Steps before and after the present one whose codes are accepted, for clocks that differ. */
const drift = 1

/** A code of an authenticator app; anything else is tried as a recovery code. */
export const isOneTimeCode = (code: string): boolean => /^[0-9]{6}$/.test(code)

/** 160 random bits, base32 without padding (RFC 4226, 4). */
export const newTotpSecret = (): string => new Secret({ size: secretBytes }).base32

/** The URI that authenticator apps read from a QR code. */
export function otpauthUri(issuer: string, account: string, secret: string): string {
  const { algorithm, digits, period } = form
  const label = encodeURIComponent(`${issuer}:${account}`)
  return `otpauth://totp/${label}?secret=${secret}&issuer=${encodeURIComponent(issuer)}&algorithm=${algorithm}&digits=${digits}&period=${period}`
}

/**
 * The time step that the code belongs to, or null for a wrong code. Compares with every step, so
 * that all codes take the same time.
 */
export function stepOf(secret: string, code: string, now = Date.now()): number | null {
  const totp = new TOTP({ ...form, secret: Secret.fromBase32(secret) })
  const current = Math.floor(now / 1000 / form.period)
  let found: number | null = null
  for (let step = current - drift; step <= current + drift; step++) {
    const expected = totp.generate({ timestamp: step * form.period * 1000 })
    if (equalConstantTime(expected, code)) found = step
  }
  return found
}
