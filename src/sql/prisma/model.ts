import { ConfigError } from '../../errors.js'
import type { Dialect } from '../dialect.js'
import type { PrismaInstance } from './instance.js'

/** A field of a model, as the client knows it at run time. */
export interface ModelField {
  readonly name: string
  readonly kind: string
  readonly type: string
  /** Name of the column, where it differs. */
  readonly dbName?: string | null
  readonly isList?: boolean
}

/** Defaults that the client leaves to the database. */
const byDatabase = /@default\((?:autoincrement|dbgenerated|sequence)\(/

/** What a client knows of a model at run time. */
export interface ClientModel {
  /** Name of the table, with its schema if the Prisma schema says so. */
  readonly table: string
  readonly dialect: Dialect
  /** Fields with a column, by name. Without a prototype. */
  readonly fields: Readonly<Record<string, ModelField>>
  /** Fields that the app leaves out of all rows by `omit`, to be asked for again. */
  readonly omit: Readonly<Record<string, false>> | undefined
  /** Whether the client makes the value of a field in a new row: `@default(uuid())`, `@updatedAt`. */
  makes(field: string): boolean
}

interface Internals {
  readonly _activeProvider?: string
  readonly _engineConfig?: { readonly inlineSchema?: unknown }
  readonly _globalOmit?: Readonly<Record<string, unknown>>
  readonly _runtimeDataModel?: {
    readonly models: Readonly<
      Record<
        string,
        {
          readonly dbName?: string | null
          readonly schema?: string | null
          readonly fields: readonly ModelField[]
        }
      >
    >
  }
}

const DIALECTS: Readonly<Record<string, Dialect>> = {
  postgresql: 'postgres',
  postgres: 'postgres',
  mysql: 'mysql',
  sqlite: 'sqlite',
}

const propertyOf = (model: string): string => model.charAt(0).toLowerCase() + model.slice(1)

/**
 * Reads from the schema inside the client which fields of a model the client fills. Its data model
 * has no defaults at run time. Without the schema, text and times may be made by the client.
 */
function makerOf(
  { _engineConfig }: Internals,
  name: string,
  fields: Readonly<Record<string, ModelField>>,
): ClientModel['makes'] {
  const schema = _engineConfig?.inlineSchema
  const model =
    typeof schema === 'string' &&
    new RegExp(`^\\s*model\\s+${name}\\s*{(.*?)^\\s*}`, 'ms').exec(schema)?.[1]
  if (!model) return (field) => ['String', 'DateTime'].includes(fields[field]?.type ?? '')
  const lines = new Map(model.split('\n').map((line) => [line.trim().split(/\s/)[0], line]))
  return (field) => {
    const line = (lines.get(field) ?? '').replace(/\/\/.*/, '')
    return /@default\(|@updatedAt\b/.test(line) && !byDatabase.test(line)
  }
}

/**
 * Looks a model up in a client.
 * @throws ConfigError for an unknown model, or a database that isn't supported
 */
export function modelOf(store: string, client: PrismaInstance, property: string): ClientModel {
  const internals = client as Internals
  const models = internals?._runtimeDataModel?.models
  if (typeof client?.$transaction !== 'function' || !models)
    throw new ConfigError(`${store}(prisma, model) needs a Prisma client of version 6 or later`)
  const found = Object.entries(models).find(([name]) => propertyOf(name) === property)
  if (!found)
    throw new ConfigError(
      `The Prisma client has no model ${JSON.stringify(String(property).slice(0, 40))}; it has ${Object.keys(models).map(propertyOf).join(', ')}`,
    )
  const dialect = DIALECTS[internals._activeProvider ?? '']
  if (!dialect)
    throw new ConfigError(
      `${store} works with PostgreSQL, MySQL, MariaDB and SQLite, not with "${internals._activeProvider}"`,
    )
  const [name, { dbName, schema, fields }] = found
  const columns: Record<string, ModelField> = Object.create(null)
  for (const field of fields) if (field.kind !== 'object') columns[field.name] = field
  const table = dbName ?? name
  return {
    table: schema ? `${schema}.${table}` : table,
    dialect,
    fields: Object.freeze(columns),
    omit: internals._globalOmit?.[property]
      ? Object.fromEntries(Object.keys(columns).map((field) => [field, false as const]))
      : undefined,
    makes: makerOf(internals, name, columns),
  }
}

/** Whether the client is one of an interactive transaction. */
export const isTransaction = (client: object): boolean =>
  (client as Record<symbol, unknown>)[Symbol.for('prisma.client.transaction.id')] !== undefined
