import type { FastifyRequest } from 'fastify'
import { canonicalValues, type Identity } from '../../core/identity/identity.js'
import type { Passwords } from '../../core/passwords/passwords.js'
import type { PasswordPolicy } from '../../core/passwords/policy.js'
import type { NewAccount } from '../../core/sign-up/new-account.js'
import { createAllowlist } from '../../core/sign-up/registration-gate.js'
import type { SignUpMessages } from '../../core/sign-up/sign-up-messages.js'
import type { Row, Users } from '../../core/users/users.js'
import {
  BadRequestError,
  DuplicateError,
  DuplicateUserError,
  UserValueError,
} from '../../errors.js'
import { type CrudAuthHooks, type Emit, runBefore } from '../../events.js'
import type { UserValues } from '../../ports/user-store.js'

interface Dependencies {
  readonly users: Users
  readonly identity: Identity
  readonly passwords: Passwords
  readonly policy: PasswordPolicy
  readonly hooks: CrudAuthHooks
  readonly emit: Emit
  /** Fields of the body, besides the login fields, that are passed to the user store. */
  readonly extraFields: readonly string[]
  /** Logical fields of features that only the server may set (mass assignment). */
  readonly privilegedFields: readonly string[]
  readonly newAccount: NewAccount
  /** False if a parallel sign-up has just claimed one of the names. */
  readonly claimNames: (values: Readonly<Record<string, unknown>>) => Promise<boolean>
  /** Messages that tell owners what the response must not reveal; null without delivery. */
  readonly signUp: { readonly messages: SignUpMessages | null }
}

/**
 * Creates an account from a validated body. With delivery it returns null if a value that isn't
 * public, such as the email address, is taken or reserved. A message is sent instead.
 * @throws BadRequestError, DuplicateError, OverloadedError, UnavailableError
 */
export type RegisterAccount = (
  body: Record<string, unknown>,
  request: FastifyRequest,
  /** Counts the sign-up after validation, so that mistakes in a form don't count. */
  count: () => unknown,
) => Promise<Row | null>

export function createRegister(services: Dependencies): RegisterAccount {
  const {
    users,
    identity,
    passwords,
    policy,
    hooks,
    emit,
    extraFields,
    privilegedFields,
    newAccount,
    claimNames,
    signUp,
  } = services
  const pick = createAllowlist(
    users.store.fields,
    [...new Set([...identity.login, ...extraFields])],
    privilegedFields,
  )
  const create = async (values: UserValues): Promise<Row> => {
    try {
      return await users.create(values)
    } catch (error) {
      if (error instanceof UserValueError)
        throw new BadRequestError('A value cannot be stored', { cause: error })
      if (error instanceof DuplicateUserError)
        throw new DuplicateError(taken(error.field, identity), { cause: error })
      throw error
    }
  }

  /** Checks unique fields whose values are public. @throws DuplicateError */
  const refuseTakenNames = async (values: UserValues, { fields }: SignUpMessages) => {
    const named = users.store.fields.unique.filter(
      (field) => !fields.includes(field) && values[field] !== undefined && values[field] !== null,
    )
    const found = await Promise.all(named.map((field) => users.findBy(field, values[field])))
    const field = named.find((_, i) => found[i])
    if (field !== undefined) throw new DuplicateError(taken(field, identity))
  }

  /** Finds accounts that have one of the values that aren't public. */
  const accountsWith = async (values: UserValues, { fields }: SignUpMessages) => {
    const named = users.store.fields.unique.flatMap((field) => {
      const value = values[field]
      return fields.includes(field) && typeof value === 'string' ? [{ field, value }] : []
    })
    const found = await Promise.all(named.map(({ field, value }) => users.findBy(field, value)))
    return named.flatMap((one, i) => (found[i] ? [{ ...one, row: found[i] }] : []))
  }

  /**
   * Commits a write that changes nothing. Without it the response for a known address would be
   * faster than for a new one (user enumeration by timing).
   */
  const writeNothing = async ({ field, row }: { field: string; row: Row }) => {
    const same = { [field]: users.read(row, field) }
    await users.compareAndSet(users.idOf(row), same, {
      ...same,
      ...(users.has('updatedAt') && { updatedAt: users.read(row, 'updatedAt') }),
    })
  }

  /**
   * Tries an insert although a value is taken, because only the database can tell whether it
   * accepts the others. A known address would otherwise get 202 with a value for which a new one
   * gets 400 (user enumeration). Databases check lengths, types and `check` constraints before
   * uniqueness. Null if the insert was refused because of the taken value, as expected.
   */
  const insertTaken = (values: UserValues): Promise<Row | null> =>
    create(values).catch((error) => {
      if (error instanceof DuplicateError) return null
      throw error
    })

  /** Imitates `insertTaken`, which writes nothing either, for a new account. Never rejects. */
  const imitateInsertTaken = (user: Row) =>
    users
      .compareAndSet(
        users.idOf(user),
        { hashedPassword: null },
        { hashedPassword: users.hashOf(user) },
      )
      .catch(() => false)

  /** An insert and a write for a reserved address, like those for a known one. */
  const imitateKnown = async (owner: Row, values: UserValues) => {
    const email = users.read(owner, 'email')
    // The address is free. That of its owner is not, and it is stored already, so it is valid.
    if (typeof email === 'string')
      await insertTaken({ ...values, email, hashedPassword: passwords.unusable() })
    await writeNothing({ field: 'email', row: owner })
  }

  /**
   * Handles a failed insert. Returns null if a value that isn't public is taken, after sending a
   * message to its owner.
   * @throws DuplicateError for a public value; any other error unchanged
   */
  const handleDuplicate = async (
    error: unknown,
    values: UserValues,
    messages: SignUpMessages,
    request: FastifyRequest,
  ) => {
    const { cause } = error as { cause?: unknown }
    if (!(error instanceof DuplicateError && cause instanceof DuplicateUserError)) throw error
    // The duplicate is a public value: some databases don't report the field.
    const holders = await accountsWith(values, messages)
    if (holders.length === 0) throw error
    // A public name may be taken by now. The store reports only one duplicate, even if there are
    // several.
    await refuseTakenNames(values, messages).catch(onlyTaken)
    for (const { field, value } of holders) messages.existingAccount(request, field, value)
    return null
  }

  return async (body, request, count) => {
    const values = canonicalValues(identity, pick(body))
    const password = String(body.password)
    const context = {
      email: values.email as string | null,
      username: values.username as string | null,
    }
    await policy(password, context)
    await count()
    await runBefore(() => hooks.onBeforeRegister?.(values, { request }))
    const derived = await newAccount.derive({ source: 'register', request, values })
    const stored = canonicalValues(identity, { ...values, ...derived })
    // Hash before any lookup, so that a taken address takes as long as a free one.
    const hashedPassword = await passwords.hash(password)
    if (!(await claimNames(stored)))
      throw new DuplicateError('Another sign-up with one of these values is in progress; try again')
    const conflictingField = await identity.conflictingField(stored)
    if (conflictingField !== null) throw new DuplicateError(taken(conflictingField, identity))
    const row = newAccount.row({ ...stored, hashedPassword })
    const { messages } = signUp
    if (messages === null) {
      const user = await create(row)
      await emit('onAfterRegister', { user, source: 'register' }, request)
      return user
    }
    // Check public values first. Otherwise a taken username would get 202 with a known address and
    // 409 with a new one.
    await refuseTakenNames(row, messages)
    const known = await accountsWith(row, messages)
    const [holder] = known
    const { email } = row
    // After the look-up, because an address is reserved before it becomes free. Fails open, as the
    // rate limit does: registration goes on in an outage of the store.
    const reference =
      typeof email === 'string' ? await messages.reservedFor(email).catch(() => null) : null
    let user: Row | null
    if (holder) {
      // Check again, because a name may be taken by now: of identical sign-ups in parallel, all but
      // one get 409.
      await refuseTakenNames(row, messages).catch(onlyTaken)
      // Succeeds if the account has been deleted in the meantime.
      user = await insertTaken(row)
      if (!user) await writeNothing(holder)
    } else {
      const owner = reference === null ? null : await users.findReferenced(reference)
      if (owner) await imitateKnown(owner, row)
      user = owner
        ? null
        : await create(row).catch((error) => handleDuplicate(error, row, messages, request))
    }
    if (!user) {
      if (reference !== null && typeof email === 'string') messages.reservedAddress(request, email)
      for (const { field, value } of known) messages.existingAccount(request, field, value)
      return null
    }
    // The same work as for a known address, against a timing side channel.
    await refuseTakenNames(row, messages).catch(() => {})
    await imitateInsertTaken(user)
    messages.sendVerification(request, user)
    // Not awaited, because the response for a known address doesn't wait for hooks either.
    void emit('onAfterRegister', { user, source: 'register' }, request)
    return user
  }
}

/** Ignores an outage of the name lookup: an error would reveal that the address is known. */
function onlyTaken(error: unknown): void {
  if (error instanceof DuplicateError) throw error
}

const taken = (field: string, identity: Identity) =>
  identity.login.includes(field)
    ? `The ${field} is taken`
    : 'An account with one of these values exists'
