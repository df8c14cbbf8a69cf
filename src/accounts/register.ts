import type { FastifyRequest } from 'fastify'
import { BadRequestError, DuplicateError, DuplicateUserError, UserValueError } from '../errors.js'
import type { CrudAuthHooks, Emit } from '../events.js'
import type { UserValues } from '../ports/user-store.js'
import { canonicalValue, type Identity, malformedValue } from './identity.js'
import { runBefore } from './login.js'
import type { NewAccount } from './new-account.js'
import type { PasswordPolicy } from './password-policy.js'
import type { Passwords } from './passwords.js'
import { createRegistrationGate } from './registration-gate.js'
import type { Row, Users } from './users.js'

interface Services {
  readonly users: Users
  readonly identity: Identity
  readonly passwords: Passwords
  readonly policy: PasswordPolicy
  readonly hooks: CrudAuthHooks
  readonly emit: Emit
  /** Names in the body, beside the login fields, that reach the user store. */
  readonly extraFields: readonly string[]
  /** Keys of the OAuth providers. */
  readonly providerKeys: readonly string[]
  readonly newAccount: NewAccount
  /** What tells owners by message instead of callers by the answer; null without delivery. */
  readonly discreet: Discreet | null
}

/** Registration that does not tell whether an address is known. */
interface Discreet {
  /** Fields whose values are not public. */
  readonly fields: readonly string[]
  /** Whether the address is held for an account that it belonged to. */
  isHeld(email: string): Promise<boolean>
  /** Somebody has tried to register with a held address. Must not wait. */
  held(request: FastifyRequest, email: string): void
  /** Somebody has registered. Must not wait. */
  welcome(request: FastifyRequest, user: Row): void
  /** Somebody has tried to register with a value that is another account's. Must not wait. */
  known(request: FastifyRequest, field: string, value: string): void
}

/**
 * Creates an account from a validated body. Null, with delivery alone: a value is known that is not public, and its owner
 * has been told.
 * @throws BadRequestError, DuplicateError, OverloadedError, UnavailableError
 */
export type RegisterAccount = (body: Record<string, unknown>, request: FastifyRequest) => Promise<Row | null>

/** Fields that name somebody: stored in their one canonical form, whether they log in or not. */
const names = ['email', 'username', 'phone']

export function canonicalValues({ login, recovery }: Identity, picked: Record<string, unknown>): Record<string, unknown> {
  const values = { ...picked }
  for (const field of new Set([...login, ...names, ...(recovery === null ? [] : [recovery])])) {
    const value = picked[field]
    if (!login.includes(field) && (value === undefined || value === null)) continue
    const canonical = typeof value === 'string' ? canonicalValue(login, field, value) : null
    if (canonical === null) throw new BadRequestError(malformedValue(field))
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
  const { users, identity, passwords, policy, hooks, emit, extraFields, providerKeys, newAccount, discreet } = services
  const pick = createRegistrationGate({
    fields: users.store.fields,
    allow: [...new Set([...identity.login, ...extraFields])],
    providers: providerKeys,
  })
  const create = async (values: UserValues): Promise<Row> => {
    try {
      return await users.create(values)
    } catch (error) {
      if (error instanceof UserValueError) throw new BadRequestError('A value can not be stored', { cause: error })
      if (error instanceof DuplicateUserError) throw new DuplicateError(taken(error.field, identity), { cause: error })
      throw error
    }
  }

  /** Values of unique fields that somebody may know to be taken. */
  const refuseTakenNames = async (values: UserValues, { fields }: Discreet) => {
    const named = users.store.fields.unique.filter(
      (field) => !fields.includes(field) && values[field] !== undefined && values[field] !== null,
    )
    const found = await Promise.all(named.map((field) => users.findBy(field, values[field])))
    const field = named.find((_, i) => found[i])
    if (field !== undefined) throw new DuplicateError(taken(field, identity))
  }

  /** Null for a value that is known and not public, whose owner is told instead. @throws the error, if it is any other */
  const notKnown = async (error: unknown, values: UserValues, discreet: Discreet, request: FastifyRequest) => {
    const { fields, known } = discreet
    const { cause } = error as { cause?: unknown }
    if (!(error instanceof DuplicateError && cause instanceof DuplicateUserError)) throw error
    const { field: refused } = cause
    const suspects = (refused === 'unknown' ? fields : fields.filter((field) => field === refused)).flatMap((field) => {
      const value = values[field]
      return typeof value === 'string' ? [{ field, value }] : []
    })
    // A database that does not tell the field may have refused a name that is public.
    const isKnown = async ({ field, value }: { field: string; value: string }) =>
      refused === field || (users.store.fields.unique.includes(field) && (await users.findBy(field, value)) !== null)
    const answers = await Promise.all(suspects.map(isKnown))
    if (!answers.includes(true)) throw error
    // A name that was free a moment ago may be taken now: a store tells of one value, where several stand in the way.
    await refuseTakenNames(values, discreet).catch((cause) => {
      // That it can not be looked up just now must not tell a known address from another.
      if (cause instanceof DuplicateError) throw cause
    })
    for (const [i, { field, value }] of suspects.entries()) if (answers[i]) known(request, field, value)
    return null
  }

  return async (body, request) => {
    const values = canonicalValues(identity, pick(body))
    const password = String(body.password)
    const context = { email: values.email as string | null, username: values.username as string | null }
    await policy(password, context)
    await runBefore(() => hooks.onBeforeRegister?.(values, { request }))
    const derived = await newAccount.derive({ source: 'register', request, values })
    const stored = canonicalValues(identity, { ...values, ...derived })
    // Hashed before anything is looked up: a taken address takes as long as a free one.
    const hashedPassword = await passwords.hash(password)
    const row = newAccount.row({ ...stored, hashedPassword })
    if (discreet === null) {
      const user = await create(row)
      await emit('onAfterRegister', { user, source: 'register' }, request)
      return user
    }
    // What is public is judged first: else a taken username beside a known address would be answered as if it were free.
    await refuseTakenNames(row, discreet)
    const { email } = row
    const held = typeof email === 'string' && (await discreet.isHeld(email))
    if (held) discreet.held(request, email)
    const user = held ? null : await create(row).catch((error) => notKnown(error, row, discreet, request))
    if (user) {
      // As much work as for a known address.
      await refuseTakenNames(row, discreet).catch(() => {})
      discreet.welcome(request, user)
      // Not waited for: the answer for a known address does not wait either.
      void emit('onAfterRegister', { user, source: 'register' }, request)
    }
    return user
  }
}

const taken = (field: string, identity: Identity) =>
  identity.login.includes(field) ? `The ${field} is taken` : 'An account with one of these values exists'
