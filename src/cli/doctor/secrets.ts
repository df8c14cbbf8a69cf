import type { Registration } from './registrations.js'
import type { Report } from './report.js'

// cspell:ignore averylogphrasebiggerthanthirtytwochars cret

/** Secrets of documentation and tutorials. */
const published = new Set([
  'a secret with minimum length of 32 characters',
  'averylogphrasebiggerthanthirtytwochars',
  'complex_password_at_least_32_characters_long',
  'for-tests-only-7Jq0vXc2Lm9Rk4TzWb8H',
  'a secret of thirty-two bytes or more',
  's3cret-of-thirty-two-bytes-or-more',
  'k3J9x0Qm2Zr8Lw5Vt1Bn7Hc4Yd6Pf0Gs-test',
])

const placeholder =
  /secret|change.?(?:me|this|it)|replace|password|passphrase|example|placeholder|keyboard|default|your[-_ ]|insecure|(?:^|[-_. ])(?:tests?|dev|development|demo|local|staging)(?:[-_. ]|$)/i

/** Why a secret is weak. Null if nothing is wrong with it. */
function weakness(secret: string): string | null {
  if (published.has(secret)) return 'is published in documentation'
  if (placeholder.test(secret)) return 'looks like a placeholder'
  if (/^(.{1,24}?)\1+.{0,24}$/s.test(secret)) return 'repeats itself'
  // Random text in base64 has digits and letters of both cases.
  if (/^[a-z\s\-_.,'!]+$/i.test(secret) && !/^[A-Za-z]*[A-Z][a-z][A-Z][A-Za-z]*$/.test(secret))
    return 'looks like words'
  return null
}

const listOf = (value: unknown): (string | Buffer)[] =>
  (Array.isArray(value) ? value : [value]).filter(
    (one) => typeof one === 'string' || Buffer.isBuffer(one),
  )

/** Secrets of a registration by option. */
function secretsOf({ options }: Registration): [option: string, secret: string][] {
  const named = (option: string, value: unknown) =>
    listOf(value).map((secret): [string, string] => [
      option,
      typeof secret === 'string' ? secret : secret.toString('latin1'),
    ])
  return [
    ...named('secret', options.secret),
    ...named('mfa.encryptionKeys', options.mfa?.encryptionKeys),
  ]
}

/** Looks for secrets that others know or could guess, and keeps all of them out of the report. */
export function checkSecrets(report: Report, registration: Registration): void {
  const secrets = secretsOf(registration)
  for (const [, secret] of secrets) report.hide(secret)
  const weak = new Set<string>()
  for (const [option, secret] of secrets) {
    const reason = weakness(secret)
    if (reason === null) continue
    weak.add(option)
    report.add(
      'fix',
      `"${option}" ${reason}. Replace it with the output of: npx fastify-crudauth secret`,
    )
  }
  if (secrets.length > 0 && weak.size === 0) report.add('ok', 'No secret looks weak.')
}
