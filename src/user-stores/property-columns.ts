import { ConfigError } from '../errors.js'
import { resolveColumns } from '../sql/names.js'
import { STANDARD_FIELDS, timestampColumns } from './fields.js'

const DEFAULT_FIELDS = [...STANDARD_FIELDS, 'phone', 'phoneVerified']

/**
 * Maps logical fields to the properties of a model whose names default to the logical ones. Fields
 * that the model lacks are switched off.
 * @param model name of the model, for messages
 * @param option name of the option in `given`
 * @throws ConfigError for a name that the model lacks
 */
export function propertyColumns(
  model: string,
  option: string,
  properties: readonly string[],
  given: Readonly<Record<string, unknown>> | undefined,
): { columns: Readonly<Record<string, string>>; timestamps: ReadonlySet<string> } {
  const known = new Set(properties)
  const { names, timestamps } = timestampColumns(given, option)
  const assumed = DEFAULT_FIELDS.filter((field) => known.has(field) || names[field] != null)
  const columns = resolveColumns(assumed, names, { option, defaultName: (field) => field })
  if (columns.id === undefined)
    throw new ConfigError(`No "id" in ${model}; name the primary key in "${option}.id"`)
  for (const [field, property] of Object.entries(columns)) {
    if (known.has(property)) continue
    throw new ConfigError(
      `"${option}.${field}" names "${property}", which ${model} does not have; it has ${properties.join(', ')}`,
    )
  }
  return { columns, timestamps }
}
