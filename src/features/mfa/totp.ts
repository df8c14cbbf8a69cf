import { Secret, TOTP } from 'otpauth'
import { equalConstantTime } from '../../crypto/compare.js'

/** The values of RFC 6238 that every authenticator app supports. Some ignore others in a URI. */
const parameters = { algorithm: 'SHA1', digits: 6, period: 30 } as const
const secretBytes = 20
/** Clock skew: steps before and after the current one whose codes are accepted. */
const drift = 1

/** The code without the spaces that people copy along. */
const withoutSpaces = (code: string) => code.replace(/\s/g, '')

/** Whether it is a code from an authenticator app. Anything else is tried as a recovery code. */
export const isOneTimeCode = (code: string): boolean => /^[0-9]{6}$/.test(withoutSpaces(code))

/** 160 random bits, base32 without padding (RFC 4226, 4). */
export const newTotpSecret = (): string => new Secret({ size: secretBytes }).base32

/** The URI that authenticator apps read from a QR code. */
export function otpauthUri(issuer: string, account: string, secret: string): string {
  const { algorithm, digits, period } = parameters
  const label = encodeURIComponent(`${issuer}:${account}`)
  return `otpauth://totp/${label}?secret=${secret}&issuer=${encodeURIComponent(issuer)}&algorithm=${algorithm}&digits=${digits}&period=${period}`
}

/**
 * The time step that the code belongs to, or null for a wrong code. Compares with every step, so
 * that all codes take the same time.
 */
export function stepOf(secret: string, code: string, now = Date.now()): number | null {
  const totp = new TOTP({ ...parameters, secret: Secret.fromBase32(secret) })
  const current = Math.floor(now / 1000 / parameters.period)
  const given = withoutSpaces(code)
  let found: number | null = null
  for (let step = current - drift; step <= current + drift; step++) {
    const expected = totp.generate({ timestamp: step * parameters.period * 1000 })
    if (equalConstantTime(expected, given)) found = step
  }
  return found
}
