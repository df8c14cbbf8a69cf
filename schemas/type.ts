import type { JavaScriptTypeBuilder } from '@sinclair/typebox'

type Options = Readonly<Record<string, unknown>>
type Schema = Readonly<Record<string, unknown>>

/** Members that may be absent. A set, so that nothing but JSON Schema stands in a schema. */
const optional = new WeakSet<object>()

const typed =
  (type: string) =>
  (options: Options = {}): Schema => ({ ...options, type })

const builders = {
  Boolean: typed('boolean'),
  Integer: typed('integer'),
  Null: typed('null'),
  String: typed('string'),
  Literal: (value: unknown, options: Options = {}): Schema => ({
    ...options,
    const: value,
    type: typeof value,
  }),
  Array: (items: Schema, options: Options = {}): Schema => ({ ...options, type: 'array', items }),
  Union: (anyOf: readonly Schema[], options: Options = {}): Schema => ({ ...options, anyOf }),
  Optional(schema: Schema): Schema {
    const copy = { ...schema }
    optional.add(copy)
    return copy
  },
  Object(properties: Readonly<Record<string, Schema>>, options: Options = {}): Schema {
    const required = Object.keys(properties).filter(
      (name) => !optional.has(properties[name] as Schema),
    )
    return { ...options, type: 'object', ...(required.length > 0 && { required }), properties }
  },
}

/**
 * The builders of TypeBox that the wire contract is written with, in TypeBox's types, and the JSON Schema that it makes. Only
 * its types are used: at run time it is some 250 modules, which took a third of what the package took to import.
 */
export const Type = builders as unknown as Pick<JavaScriptTypeBuilder, keyof typeof builders>
