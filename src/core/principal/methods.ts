import { InternalError } from '../../errors.js'
import { describe } from '../../lib/option-checks.js'
import type { AuthenticationMethod } from '../../ports/transport.js'

/** Values of the `amr` claim (RFC 8176); null where none is registered. */
const claims: Readonly<Record<AuthenticationMethod, string | null>> = {
  pwd: 'pwd',
  otp: 'otp',
  recovery: null,
  webauthn: 'swk',
  oauth: null,
  mfa: 'mfa',
}

export type Methods = readonly AuthenticationMethod[]

const isMethod = (value: unknown): value is AuthenticationMethod =>
  typeof value === 'string' && Object.hasOwn(claims, value)

/** Methods that code of the app passes. @throws InternalError for anything else, which would silently fail a gate later */
export function checkMethods(methods: unknown): Methods {
  if (methods === undefined) return []
  if (Array.isArray(methods) && methods.every(isMethod)) return Object.freeze([...new Set(methods)])
  const names = Object.keys(claims).join(', ')
  throw new InternalError(
    `"amr" must be an array of ${names}; got ${[methods].flat().map(describe).join(', ')}`,
  )
}

/** Methods that were stored. A value that a later version wrote is dropped: it proves nothing to this one. */
export const readMethods = (stored: unknown): Methods =>
  Array.isArray(stored) ? stored.filter(isMethod) : []

/** The `amr` claim; undefined where no method has a registered value. */
export function claimOfMethods(methods: Methods): string[] | undefined {
  const values = methods.flatMap((method) => claims[method] ?? [])
  return values.length > 0 ? values : undefined
}

export function methodsOfClaim(claim: unknown): Methods {
  if (!Array.isArray(claim)) return []
  return (Object.keys(claims) as AuthenticationMethod[]).filter(
    (method) => claims[method] !== null && claim.includes(claims[method]),
  )
}
