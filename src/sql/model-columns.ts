import { ConfigError } from '../errors.js'
import { resolveColumns } from './names.js'

/**
 * Maps logical fields to properties of a model, whose names default to those of the fields. Fields
 * that the model lacks are left out.
 * @param model for messages
 * @param option name of the option that is `given`, for messages
 * @throws ConfigError for a name that the model lacks
 */
export function modelColumns(
  fields: readonly string[],
  model: string,
  option: string,
  properties: readonly string[],
  given: Readonly<Record<string, string | null | undefined>> | undefined,
): Readonly<Record<string, string>> {
  const assumed = fields.filter((field) => properties.includes(field) || given?.[field])
  const columns = resolveColumns(assumed, given, { option, defaultName: (field) => field })
  for (const [field, property] of Object.entries(columns))
    if (!properties.includes(property))
      throw new ConfigError(
        `"${option}.${field}" names "${property}", which ${model} does not have; it has ${properties.join(', ')}`,
      )
  return columns
}
