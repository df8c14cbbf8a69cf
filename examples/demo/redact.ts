/** Removes secrets from what the page "Requests" shows. When in doubt, it removes too much. */

export const redacted = '[redacted]'

/**
 * Names of fields with secrets. Error codes are shown. So are the lists of credentials in the options
 * of a passkey: they show how many there are, and their ids are random.
 */
const secretNames =
  /token|secret|password|challenge|nonce|otpauth|_codes|cookie|(?<!allow|exclude)credential|signature|state$/i
/** Tokens, keys and identifiers in texts and URLs: no word is so long. */
const random = /[\w+=-]{20,}/g
const errorCode = /^(?:CRUDAUTH|FST)_[A-Z_]+$/
/** Parameters of URLs that contain no secrets. */
const harmless = ['keep_current', 'remember_me', 'redirect_to', 'error']

/** A copy of a JSON value without secrets. */
export function redact(value: unknown): unknown {
  if (typeof value === 'string')
    return errorCode.test(value) ? value : value.replace(random, redacted)
  if (Array.isArray(value)) return value.map(redact)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(
    Object.entries(value).map(([name, inner]) => [
      name,
      secretNames.test(name) && inner !== null && typeof inner !== 'boolean'
        ? redacted
        : redact(inner),
    ]),
  )
}

/** The path and query of a request without secrets. */
export function redactUrl(url: string): string {
  const { pathname, searchParams } = new URL(url, 'http://localhost')
  for (const name of new Set(searchParams.keys())) {
    const values = searchParams.getAll(name).map((value) => String(redact(value)))
    searchParams.set(name, harmless.includes(name) ? values.join() : redacted)
  }
  const query = decodeURIComponent(searchParams.toString())
  return pathname.replace(random, redacted) + (query && `?${query}`)
}
