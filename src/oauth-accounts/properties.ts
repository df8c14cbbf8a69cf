import { ConfigError } from '../errors.js'
import { resolveColumns } from '../sql/names.js'
import { LINK_FIELDS, type LinkColumns } from './over-table.js'

/**
 * Maps the fields of a link to properties of a model, whose names default to those of the fields.
 * @throws ConfigError for a name that the model lacks
 */
export function linkProperties(
  model: string,
  option: string,
  properties: readonly string[],
  given: Readonly<Record<string, string | null | undefined>> | undefined,
): LinkColumns {
  const assumed = LINK_FIELDS.filter((field) => properties.includes(field) || given?.[field])
  const columns = resolveColumns(assumed, given, { option, defaultName: (field) => field })
  for (const [field, property] of Object.entries(columns))
    if (!properties.includes(property))
      throw new ConfigError(
        `"${option}.${field}" names "${property}", which ${model} does not have; it has ${properties.join(', ')}`,
      )
  return columns
}
