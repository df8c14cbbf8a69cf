import {
  checkInteger,
  checkObject,
  checkStrings,
  describe,
  fail,
  isLoopback,
} from '../../lib/option-checks.js'
import type { PasskeyStore } from '../../ports/passkey-store.js'

/** Passkeys (WebAuthn Level 3): to sign in, as a second factor, and for sudo mode. */
export interface PasskeyOptions {
  /** Name of your app that browsers may show. */
  readonly rpName: string
  /**
   * Domain that passkeys are bound to: the host of your front end, or a parent domain of it, such as
   * `example.com`. Changing it makes all passkeys useless.
   * @defaultValue the host of `oauth.baseUrl` or `email.frontendUrl`
   */
  readonly rpId?: string | undefined
  /**
   * Origins of the pages and apps that may use passkeys, such as `https://app.example.com` or
   * `android:apk-key-hash:…`.
   * @defaultValue those of `oauth.baseUrl` and `email.frontendUrl`
   */
  readonly origins?: readonly string[] | undefined
  /** Where passkeys live: `memoryPasskeys()`, `kyselyPasskeys(db)`, or your own `PasskeyStore`. */
  readonly store: PasskeyStore
  /**
   * Whether authenticators must verify their user, by fingerprint or PIN for example. A sign-in with
   * user verification counts as two factors. `required` refuses passkeys without it.
   * @defaultValue `preferred`
   */
  readonly userVerification?: 'required' | 'preferred' | 'discouraged' | undefined
  /**
   * Whether browsers shall tell the authenticator's model (its AAGUID), for which they may ask the
   * user. The proof that comes with it isn't verified.
   * @defaultValue `none`
   */
  readonly attestation?: 'none' | 'direct' | 'enterprise' | undefined
  /**
   * Passkeys of one account at most.
   * @defaultValue `20`
   */
  readonly maxPerUser?: number | undefined
  /**
   * Seconds within which the passkey must be used.
   * @defaultValue `300`
   */
  readonly challengeSeconds?: number | undefined
}

/** The options, checked and complete. */
export interface PasskeySettings {
  readonly rpName: string
  readonly rpId: string
  readonly origins: readonly string[]
  readonly store: PasskeyStore
  readonly userVerification: 'required' | 'preferred' | 'discouraged'
  readonly attestation: 'none' | 'direct' | 'enterprise'
  readonly maxPerUser: number
  readonly challengeSeconds: number
}

const storeMethods: readonly (keyof PasskeyStore)[] = [
  'create',
  'findByCredentialId',
  'listByUser',
  'compareAndSetCounter',
  'rename',
  'delete',
  'deleteAllOfUser',
]

function resolveStore(value: unknown): PasskeyStore {
  const missing = storeMethods.find(
    (method) => typeof (value as Partial<PasskeyStore> | null | undefined)?.[method] !== 'function',
  )
  if (missing === undefined) return value as PasskeyStore
  return fail(
    `"passkeys.store" lacks the method "${missing}"; pass memoryPasskeys(), kyselyPasskeys(db), or a store that passes its conformance kit`,
  )
}

function resolveRpName(value: unknown): string {
  if (typeof value === 'string' && value.trim() !== '' && value.length <= 64) return value
  return fail(
    `"passkeys.rpName" must be the name of your app, at most 64 characters, such as "Example"; got ${describe(value)}`,
  )
}

function oneOf<Value extends string>(
  option: string,
  value: unknown,
  values: readonly Value[],
  fallback: Value,
): Value {
  if (value === undefined) return fallback
  return (
    values.find((each) => each === value) ??
    fail(
      `"${option}" must be ${values.map((each) => `"${each}"`).join(' or ')}, got ${typeof value === 'string' ? `"${value}"` : describe(value)}`,
    )
  )
}

const isDomainOf = (rpId: string, host: string) => host === rpId || host.endsWith(`.${rpId}`)

/** An origin as browsers write it, or the name of an Android app. */
function resolveOrigin(text: string): string {
  if (/^android:apk-key-hash:[\w-]+$/.test(text)) return text
  const url = URL.canParse(text) ? new URL(text) : null
  if (!url || (url.origin !== text && `${url.origin}/` !== text))
    return fail(
      `"passkeys.origins" takes origins without a path, such as "https://app.example.com"; got "${text}"`,
    )
  if (url.protocol !== 'https:' && !(url.protocol === 'http:' && isLoopback(url.hostname)))
    fail(
      `"passkeys.origins" must be https, because browsers refuse passkeys elsewhere; http is for "http://localhost:…" in development; got "${text}"`,
    )
  return url.origin
}

/** @param urls of the app, from other options */
function resolveOrigins(value: unknown, urls: readonly URL[]): readonly string[] {
  if (value === undefined) {
    if (urls.length > 0) return [...new Set(urls.map(({ origin }) => origin))]
    return fail(
      '"passkeys.origins" is required without "oauth.baseUrl" and "email.frontendUrl"; set it to the origins of your pages, such as ["https://app.example.com"]',
    )
  }
  const origins = checkStrings('passkeys.origins', value, []).map(resolveOrigin)
  return origins.length > 0 ? origins : fail('"passkeys.origins" must name at least one origin')
}

function resolveRpId(value: unknown, urls: readonly URL[], origins: readonly string[]): string {
  const hosts = origins.flatMap((origin) =>
    URL.canParse(origin) && origin.startsWith('http') ? new URL(origin).hostname : [],
  )
  if (value === undefined) {
    const candidates = urls.length > 0 ? urls.map(({ hostname }) => hostname) : hosts
    // The one that is a domain of all others. Two unrelated hosts leave no choice that is right.
    const common = candidates.find((one) => candidates.every((other) => isDomainOf(one, other)))
    return checkHosts(
      common ??
        fail(
          `"passkeys.rpId" is required: ${candidates.map((host) => `"${host}"`).join(' and ') || 'no origin'} ${candidates.length > 1 ? 'have no common host' : 'has no host'}; set it to the domain that your pages share, such as "example.com"`,
        ),
      hosts,
    )
  }
  if (typeof value !== 'string' || !/^(?=.{1,253}$)[a-z0-9-]+(?:\.[a-z0-9-]+)*$/.test(value))
    return fail(
      `"passkeys.rpId" must be a domain in lower case, without scheme and port, such as "example.com"; got ${typeof value === 'string' ? `"${value}"` : describe(value)}`,
    )
  return checkHosts(value, hosts)
}

function checkHosts(rpId: string, hosts: readonly string[]): string {
  if (/^[\d.]+$/.test(rpId) || rpId.startsWith('['))
    fail(
      `Passkeys can't be bound to the IP address "${rpId}"; open the app by a name, such as "localhost", and set "passkeys.rpId"`,
    )
  if (hosts.length > 0 && !hosts.some((host) => isDomainOf(rpId, host)))
    fail(
      `None of "passkeys.origins" belongs to "passkeys.rpId" ("${rpId}"), so browsers would refuse every passkey; set it to the host of your pages, or a parent domain`,
    )
  return rpId
}

/**
 * @param urls of the app, from other options
 * @throws CRUDAUTH_CONFIG
 */
export function resolvePasskeys(
  options: PasskeyOptions | undefined,
  urls: readonly URL[],
): PasskeySettings | null {
  if (options === undefined) return null
  checkObject('passkeys', options, [
    'rpName',
    'rpId',
    'origins',
    'store',
    'userVerification',
    'attestation',
    'maxPerUser',
    'challengeSeconds',
  ])
  const origins = resolveOrigins(options.origins, urls)
  return Object.freeze({
    rpName: resolveRpName(options.rpName),
    rpId: resolveRpId(options.rpId, options.origins === undefined ? urls : [], origins),
    origins: Object.freeze(origins),
    store: resolveStore(options.store),
    userVerification: oneOf(
      'passkeys.userVerification',
      options.userVerification,
      ['required', 'preferred', 'discouraged'],
      'preferred',
    ),
    attestation: oneOf(
      'passkeys.attestation',
      options.attestation,
      ['none', 'direct', 'enterprise'],
      'none',
    ),
    maxPerUser: checkInteger('passkeys.maxPerUser', options.maxPerUser, 20, 1, 100),
    challengeSeconds: checkInteger(
      'passkeys.challengeSeconds',
      options.challengeSeconds,
      300,
      1,
      3600,
    ),
  })
}
