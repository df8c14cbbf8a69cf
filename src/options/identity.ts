import { loginFieldSchemas } from '../../schemas/account.js'
import { PasswordInput } from '../../schemas/common.js'
import { checkBoolean, checkFunction, checkObject, checkStrings, describe, fail } from '../checks.js'
import type { UserStore } from '../ports/user-store.js'
import type { IdentityOptions, RegistrationOptions } from './types.js'

const verbs = ['findById', 'findBy', 'create', 'update', 'compareAndSet'] as const

function checkStore(users: UserStore | undefined): asserts users is UserStore {
  if (typeof users !== 'object' || users === null) {
    fail(`"users" must be a UserStore, got ${describe(users)}; try memoryUsers() or kyselyUsers(db)`)
  }
  for (const verb of verbs) if (typeof users[verb] !== 'function') fail(`"users" lacks the method "${verb}" of a UserStore`)
  if (typeof users.fields?.columns !== 'object' || !Array.isArray(users.fields.unique)) {
    fail('"users.fields" must be { columns, unique } in logical names')
  }
  for (const field of ['id', 'hashedPassword']) {
    if (users.fields.columns[field] === undefined)
      fail(`The user model lacks "${field}"; map its column by the store's "columns"`)
  }
}

/** Checks the identity against what the user model has. */
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
  const recovery = options.recovery === undefined ? (columns.email === undefined ? undefined : 'email') : options.recovery
  if (recovery === undefined)
    fail('"identity.recovery" is "email" by default, which the user model lacks; set it to a field or to null')
  if (recovery !== null) {
    if (typeof recovery !== 'string') fail(`"identity.recovery" must be a field name or null, got ${describe(recovery)}`)
    if (columns[recovery] === undefined)
      fail(`"identity.recovery" names "${recovery}", which the user model lacks; map its column or set null`)
    if (!unique.includes(recovery)) fail(`"identity.recovery" names "${recovery}", which is not unique in the user model`)
  }
  return Object.freeze({ login, recovery })
}

/** A value for which the app gave no schema: a bounded scalar. */
const anyScalar = {
  anyOf: [{ type: 'string', maxLength: 1024 }, { type: 'number' }, { type: 'boolean' }, { type: 'null' }],
}

interface ObjectSchema {
  readonly type?: unknown
  readonly properties?: Readonly<Record<string, object>>
  readonly required?: readonly string[]
}

/** The body's schema of `POST /register`: login fields, password, and what the app opted in. */
function bodySchema(login: readonly string[], extraFields: readonly string[], schema: ObjectSchema) {
  const extra = schema.properties ?? {}
  const properties: Record<string, object> = {}
  for (const field of login)
    properties[field] = loginFieldSchemas[field as 'email'] ?? { type: 'string', minLength: 1, maxLength: 256 }
  for (const field of extraFields) {
    const named = loginFieldSchemas[field as 'email']
    properties[field] = named ? { anyOf: [named, { type: 'null' }] } : anyScalar
  }
  for (const [name, value] of Object.entries(extra)) {
    const base = login.includes(name) ? properties[name] : undefined
    properties[name] = base ? { allOf: [base, value] } : value
  }
  properties.password = PasswordInput
  // What is not named is ignored, whatever the app's schema says of further members.
  return { type: 'object', properties, required: [...new Set([...login, 'password', ...(schema.required ?? [])])] }
}

/** What `registration.schema` says of a field of the app's own, which holds wherever its values are taken. */
export function schemaOfField(registration: RegistrationOptions | undefined, field: string): object | undefined {
  const schema = (registration?.schema as ObjectSchema | undefined)?.properties?.[field]
  return schema && loginFieldSchemas[field as 'email'] ? { allOf: [loginFieldSchemas[field as 'email'], schema] } : schema
}

export function resolveRegistration(options: RegistrationOptions = {}, login: readonly string[]) {
  checkObject('registration', options, ['schema', 'extraFields', 'defaults', 'fields', 'enabled'])
  const extraFields = checkStrings('registration.extraFields', options.extraFields, [])
  const schema = (options.schema ?? {}) as ObjectSchema
  if (typeof schema !== 'object' || schema === null || (options.schema && schema.type !== 'object')) {
    fail('"registration.schema" must be an object schema: { type: "object", properties: { … } }')
  }
  if (schema.properties?.password !== undefined) {
    fail('"registration.schema" may not describe "password"; use "passwords.minLength" and "passwords.check"')
  }
  const defaults = options.defaults ?? {}
  checkObject('registration.defaults', defaults, Object.keys(defaults))
  return Object.freeze({
    enabled: checkBoolean('registration.enabled', options.enabled, true),
    extraFields,
    defaults: Object.freeze({ ...defaults }),
    fields: checkFunction('registration.fields', options.fields),
    bodySchema: bodySchema(login, extraFields, schema),
  })
}
