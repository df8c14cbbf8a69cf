import type { FastifyRequest } from 'fastify'
import { BadRequestError, ConfigError, DuplicateError, DuplicateUserError, InternalError, UserValueError } from '../errors.js'
import type { CrudAuthHooks, Emit } from '../events.js'
import type { UserValues } from '../ports/user-store.js'
import { canonicalField, type Identity } from './identity.js'
import { runBefore } from './login.js'
import type { PasswordPolicy } from './password-policy.js'
import type { Passwords } from './passwords.js'
import { createRegistrationGate, privilegedNames } from './registration-gate.js'
import type { Row, Users } from './users.js'

/** What `registration.fields` is told. */
export interface RegistrationContext {
  readonly source: 'register' | 'oauth'
  readonly request: FastifyRequest
  /** What comes from the client, after the allowlist and in canonical form. */
  readonly values: Readonly<Record<string, unknown>>
}

/** Server-side part of new rows, resolved. */
interface RegistrationOptions {
  readonly extraFields: readonly string[]
  readonly defaults: Readonly<Record<string, unknown>>
  readonly fields?: ((context: RegistrationContext) => UserValues | Promise<UserValues>) | undefined
}

interface Services {
  readonly users: Users
  readonly identity: Identity
  readonly passwords: Passwords
  readonly policy: PasswordPolicy
  readonly hooks: CrudAuthHooks
  readonly emit: Emit
  readonly registration: RegistrationOptions
}

/** Creates an account from a validated body. @throws BadRequestError, DuplicateError, OverloadedError, UnavailableError */
export type RegisterAccount = (body: Record<string, unknown>, request: FastifyRequest) => Promise<Row>

const malformed: Record<string, string> = {
  email: 'The email is not a valid address',
  phone: 'The phone number must be in E.164 form, such as +4915112345678',
}

/** Fields that name somebody: stored in their one canonical form, whether they log in or not. */
const names = ['email', 'username', 'phone']

function canonicalValues({ login, recovery }: Identity, picked: Record<string, unknown>): Record<string, unknown> {
  const values = { ...picked }
  for (const field of new Set([...login, ...names, ...(recovery === null ? [] : [recovery])])) {
    const value = picked[field]
    if (!login.includes(field) && (value === undefined || value === null)) continue
    const canonical = typeof value === 'string' ? canonicalField(field, value) : null
    if (canonical === null) throw new BadRequestError(malformed[field] ?? `The ${field} is not valid`)
    values[field] = canonical
  }
  for (const [name, value] of Object.entries(values)) {
    // PostgreSQL has no NUL in texts; the others would store what nobody can see.
    if (typeof value === 'string' && value.includes('\0'))
      throw new BadRequestError(`"${name}" has a character that is not allowed`)
  }
  return values
}

export function createRegister(services: Services): RegisterAccount {
  const { users, identity, passwords, policy, hooks, emit, registration } = services
  const isPrivileged = privilegedNames(users.store.fields)
  const pick = createRegistrationGate({
    fields: users.store.fields,
    allow: [...new Set([...identity.login, ...registration.extraFields])],
  })
  const refusePrivileged = (values: UserValues, option: string, Failure: typeof ConfigError) => {
    for (const name of Object.keys(values)) {
      if (isPrivileged(name)) throw new Failure(`"${option}" may not set the privileged field "${name}"; remove it`)
    }
  }
  refusePrivileged(registration.defaults, 'registration.defaults', ConfigError)

  /** A table whose flags have no default would otherwise start accounts at NULL. */
  const initial: UserValues = {}
  const starting = { isActive: true, isSuperuser: false, tokenVersion: 0 }
  for (const [field, value] of Object.entries(starting)) if (users.has(field)) initial[field] = value
  for (const field of Object.keys(users.store.fields.columns)) if (field.endsWith('Verified')) initial[field] = false

  return async (body, request) => {
    const values = canonicalValues(identity, pick(body))
    const password = String(body.password)
    const context = { email: values.email as string | null, username: values.username as string | null }
    await policy(password, context)
    await runBefore(() => hooks.onBeforeRegister?.(values, { request }))
    const derived = (await registration.fields?.({ source: 'register', request, values })) ?? {}
    refusePrivileged(derived, 'registration.fields', InternalError)
    const stored = canonicalValues(identity, { ...values, ...derived })
    // Hashed before anything is looked up: a taken address takes as long as a free one.
    const hashedPassword = await passwords.hash(password)
    let user: Row
    try {
      user = await users.create({ ...registration.defaults, ...stored, ...initial, hashedPassword })
    } catch (error) {
      if (error instanceof DuplicateUserError) throw new DuplicateError(taken(error.field, identity), { cause: error })
      if (error instanceof UserValueError) throw new BadRequestError('A value can not be stored', { cause: error })
      throw error
    }
    await emit('onAfterRegister', { user, source: 'register' }, request)
    return user
  }
}

const taken = (field: string, identity: Identity) =>
  identity.login.includes(field) ? `The ${field} is taken` : 'An account with one of these values exists'
