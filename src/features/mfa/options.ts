import { createKeyring, type PurposeKeys } from '../../crypto/keys.js'
import {
  checkBoolean,
  checkInteger,
  checkObject,
  checkPositive,
  describe,
  fail,
} from '../../lib/option-checks.js'
import type { RegisteredUser } from '../../ports/fastify.js'
import { MFA_FIELDS, type UserFields } from '../../ports/user-store.js'

/**
 * Decides whether an account must have a second factor.
 * @param user without credential columns
 */
export type MfaRequired = (
  user: RegisteredUser,
  context: { readonly transport: string },
) => boolean | Promise<boolean>

/** Second factor: one-time codes from authenticator apps (TOTP, RFC 6238), and recovery codes. */
export interface MfaOptions {
  /** Name of your app that authenticator apps show. It must not contain a colon. */
  readonly issuer: string
  /**
   * Keys that encrypt TOTP secrets in the users table: 32 random bytes or more, as a string or a
   * Buffer. Pass an array while you rotate them: the first one encrypts, all of them decrypt. Must
   * differ from `secret`. Whoever loses them loses every enrollment.
   */
  readonly encryptionKeys: string | Buffer | readonly (string | Buffer)[] | undefined
  /**
   * Accounts that must have a second factor: all of them, or those for which the function returns
   * true. An account without one enrolls at its next sign-in. If the function throws, the
   * sign-in fails (503).
   * @defaultValue `false`
   */
  readonly required?: boolean | MfaRequired | undefined
  /**
   * Whether sign-ins with a provider need the second factor too. `false` trusts the second factor
   * of the provider.
   * @defaultValue `true`
   */
  readonly oauth?: boolean | undefined
  /**
   * Seconds within which the code must follow the password.
   * @defaultValue `300`
   */
  readonly challengeSeconds?: number | undefined
  /**
   * Codes that may be tried in each sign-in. The lockout counts them as well.
   * @defaultValue `5`
   */
  readonly maxAttempts?: number | undefined
  /**
   * Number of recovery codes.
   * @defaultValue `10`
   */
  readonly recoveryCodes?: number | undefined
  /**
   * Days for which a browser isn't asked for a code again after `remember_device`. `0` turns that
   * off.
   * @defaultValue `0`
   */
  readonly rememberDeviceDays?: number | undefined
}

/** The options, checked and complete. */
export interface MfaSettings {
  readonly issuer: string
  /** Derives keys from `encryptionKeys` by purpose. */
  readonly keys: (purpose: string) => PurposeKeys
  readonly required: boolean | MfaRequired
  readonly afterProviders: boolean
  readonly challengeSeconds: number
  readonly maxAttempts: number
  readonly recoveryCodes: number
  readonly rememberDeviceSeconds: number
}

const listOf = (value: unknown): unknown[] => (Array.isArray(value) ? value : [value])
const isSecret = (value: unknown): value is string | Buffer =>
  typeof value === 'string' || Buffer.isBuffer(value)

function resolveIssuer(value: unknown): string {
  // A colon separates issuer and account in the URI of a secret.
  if (typeof value === 'string' && value.trim() !== '' && !/[:\p{Cc}]/u.test(value)) return value
  return fail(
    `"mfa.issuer" must be the name of your app, without a colon, such as "Example"; got ${typeof value === 'string' ? `"${value}"` : describe(value)}`,
  )
}

function resolveRequired(value: unknown): MfaSettings['required'] {
  if (value === undefined) return false
  if (typeof value === 'boolean' || typeof value === 'function') return value as boolean
  return fail(`"mfa.required" must be true, false or a function, got ${describe(value)}`)
}

/**
 * @param secret the option `secret`, from which the keys must differ
 * @throws CRUDAUTH_CONFIG
 */
export function resolveMfa(
  options: MfaOptions | undefined,
  fields: UserFields,
  secret: unknown,
): MfaSettings | null {
  if (options === undefined) return null
  checkObject('mfa', options, [
    'issuer',
    'encryptionKeys',
    'required',
    'oauth',
    'challengeSeconds',
    'maxAttempts',
    'recoveryCodes',
    'rememberDeviceDays',
  ])
  const missing = MFA_FIELDS.find((field) => fields.columns[field] === undefined)
  if (missing !== undefined)
    fail(
      `"mfa" needs the user field "${missing}"; add the columns that "npx fastify-crudauth schema --no-users --features mfa" prints, and map them in the user store`,
    )
  const keys = createKeyring(options.encryptionKeys, 'mfa.encryptionKeys')
  const secrets = listOf(secret).filter(isSecret)
  const isShared = listOf(options.encryptionKeys)
    .filter(isSecret)
    .some((key) => secrets.some((other) => Buffer.from(key).equals(Buffer.from(other))))
  if (isShared)
    fail(
      '"mfa.encryptionKeys" must differ from "secret": rotating the secret must not lock everybody out; set it to the output of "openssl rand -base64 48"',
    )
  const days =
    options.rememberDeviceDays === 0
      ? 0
      : checkPositive('mfa.rememberDeviceDays', options.rememberDeviceDays, 0, 365)
  return Object.freeze({
    issuer: resolveIssuer(options.issuer),
    keys,
    required: resolveRequired(options.required),
    afterProviders: checkBoolean('mfa.oauth', options.oauth, true),
    challengeSeconds: checkInteger('mfa.challengeSeconds', options.challengeSeconds, 300, 1, 3600),
    maxAttempts: checkInteger('mfa.maxAttempts', options.maxAttempts, 5, 1, 100),
    recoveryCodes: checkInteger('mfa.recoveryCodes', options.recoveryCodes, 10, 1, 50),
    rememberDeviceSeconds: Math.round(days * 86_400),
  })
}
