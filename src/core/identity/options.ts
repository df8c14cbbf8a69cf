import { checkObject, checkStrings, describe, fail } from '../../lib/option-checks.js'
import type { UserStore } from '../../ports/user-store.js'

const verbs = ['findById', 'findBy', 'create', 'update', 'compareAndSet'] as const

function checkStore(users: UserStore | undefined): asserts users is UserStore {
  if (typeof users !== 'object' || users === null) {
    fail(
      `"users" must be a UserStore, got ${describe(users)}; try memoryUsers() or kyselyUsers(db)`,
    )
  }
  for (const verb of verbs)
    if (typeof users[verb] !== 'function') fail(`"users" lacks the method "${verb}" of a UserStore`)
  if (typeof users.fields?.columns !== 'object' || !Array.isArray(users.fields.unique)) {
    fail('"users.fields" must be { columns, unique } in logical names')
  }
  for (const field of ['id', 'hashedPassword']) {
    if (users.fields.columns[field] === undefined)
      fail(`The user model lacks "${field}"; map its column by the store's "columns"`)
  }
}

/** Checks the identity options against the user model. */
export function resolveIdentity(options: IdentityOptions = {}, users: UserStore | undefined) {
  checkStore(users)
  checkObject('identity', options, ['login', 'recovery'])
  const { columns, unique } = users.fields
  const login = checkStrings('identity.login', options.login, ['email', 'username'])
  if (login.length === 0) fail('"identity.login" must name at least one field')
  for (const field of login) {
    if (columns[field] === undefined) {
      fail(
        `"identity.login" names "${field}", which the user model lacks; map its column, or leave the field out of "identity.login"`,
      )
    }
    if (!unique.includes(field)) {
      fail(
        `"identity.login" names "${field}", which is not unique in the user model; add a unique constraint and name it in "unique"`,
      )
    }
  }
  const recovery =
    options.recovery === undefined
      ? columns.email === undefined
        ? undefined
        : 'email'
      : options.recovery
  if (recovery === undefined)
    fail(
      '"identity.recovery" is "email" by default, which the user model lacks; set it to another field, or to null',
    )
  if (recovery !== null) {
    if (typeof recovery !== 'string')
      fail(`"identity.recovery" must be a field name or null, got ${describe(recovery)}`)
    if (columns[recovery] === undefined)
      fail(
        `"identity.recovery" names "${recovery}", which the user model lacks; map its column or set null`,
      )
    if (!unique.includes(recovery))
      fail(`"identity.recovery" names "${recovery}", which is not unique in the user model`)
  }
  return Object.freeze({ login, recovery })
}

/** Which fields identify a user and recover an account. */
export interface IdentityOptions {
  /**
   * Logical fields that a user can sign in with, in order of precedence. Each must exist and be
   * unique in the user model, and each is a required member of `POST /register`.
   * @defaultValue `['email', 'username']`
   */
  readonly login?: readonly string[] | undefined
  /**
   * Logical field that verification and recovery messages go to, and whose verification
   * `currentUser({ verified: true })` asks for. `null` for none.
   * @defaultValue `email`
   */
  readonly recovery?: string | null | undefined
}
