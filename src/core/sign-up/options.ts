import { loginFieldSchemas, PasswordInput } from '../../../schemas/common.js'
import {
  checkBoolean,
  checkFunction,
  checkObject,
  checkStrings,
  fail,
} from '../../lib/option-checks.js'
import type { UserValues } from '../../ports/user-store.js'
import type { RegistrationContext } from './new-account.js'

/** Schema of a field for which the app gave none: a bounded scalar. */
const anyScalar = {
  anyOf: [
    { type: 'string', maxLength: 1024 },
    { type: 'number' },
    { type: 'boolean' },
    { type: 'null' },
  ],
}

interface ObjectSchema {
  readonly type?: unknown
  readonly properties?: Readonly<Record<string, object>>
  readonly required?: readonly string[]
}

/** Body schema of `POST /register`: login fields, password, and the fields that the app allows. */
function bodySchema(
  login: readonly string[],
  extraFields: readonly string[],
  schema: ObjectSchema,
) {
  const extra = schema.properties ?? {}
  const properties: Record<string, object> = {}
  for (const field of login)
    properties[field] = loginFieldSchemas[field as 'email'] ?? {
      type: 'string',
      minLength: 1,
      maxLength: 256,
    }
  for (const field of extraFields) {
    const named = loginFieldSchemas[field as 'email']
    properties[field] = named ? { anyOf: [named, { type: 'null' }] } : anyScalar
  }
  for (const [name, value] of Object.entries(extra)) {
    const base = login.includes(name) ? properties[name] : undefined
    properties[name] = base ? { allOf: [base, value] } : value
  }
  properties.password = PasswordInput
  // Other members are ignored, whatever the app's schema says about additional properties.
  return {
    type: 'object',
    properties,
    required: [...new Set([...login, 'password', ...(schema.required ?? [])])],
  }
}

/**
 * The schema of one field from `registration.schema`. It applies wherever values of the field are
 * accepted.
 */
export function schemaOfField(
  registration: RegistrationOptions | undefined,
  field: string,
): object | undefined {
  const schema = (registration?.schema as ObjectSchema | undefined)?.properties?.[field]
  return schema && loginFieldSchemas[field as 'email']
    ? { allOf: [loginFieldSchemas[field as 'email'], schema] }
    : schema
}

export function resolveRegistration(options: RegistrationOptions = {}, login: readonly string[]) {
  checkObject('registration', options, ['schema', 'extraFields', 'defaults', 'fields', 'enabled'])
  const extraFields = checkStrings('registration.extraFields', options.extraFields, [])
  const schema = (options.schema ?? {}) as ObjectSchema
  if (
    typeof schema !== 'object' ||
    schema === null ||
    (options.schema && schema.type !== 'object')
  ) {
    fail('"registration.schema" must be an object schema: { type: "object", properties: { … } }')
  }
  if (schema.properties?.password !== undefined) {
    fail(
      '"registration.schema" may not describe "password"; use "passwords.minLength" and "passwords.check"',
    )
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

/** What `POST /register` accepts and stores. */
export interface RegistrationOptions {
  /**
   * JSON Schema or TypeBox object schema for further members of the body. Only `properties` and
   * `required` are read. May tighten a login field, may not describe `password`.
   * @defaultValue none
   */
  readonly schema?: object | undefined
  /**
   * Body members, beside the login fields, that are stored. Privileged fields are refused at
   * start-up.
   * @defaultValue `[]`
   */
  readonly extraFields?: readonly string[] | undefined
  /**
   * Constant values for new rows, by logical or column name.
   * @defaultValue `{}`
   */
  readonly defaults?: UserValues | undefined
  /**
   * Function that computes values for new rows on the server. They override `defaults` and the
   * values of the client.
   * @defaultValue none
   */
  readonly fields?: ((context: RegistrationContext) => UserValues | Promise<UserValues>) | undefined
  /**
   * Whether `POST /register` is mounted. Sign-up with a provider works either way.
   * @defaultValue `true`
   */
  readonly enabled?: boolean | undefined
}
