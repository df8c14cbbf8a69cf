import { type Catalog, catalogOf, type Query } from '../catalog.js'
import type { Condition, Table, TableRow } from '../table.js'
import { prismaFailure, withoutValues } from './errors.js'
import type { PrismaInstance } from './instance.js'
import { isTransaction, type ModelField, modelOf } from './model.js'
import { prismaEncoder } from './values.js'

interface Delegate {
  create(query: object): Promise<TableRow>
  findFirst(query: object): Promise<TableRow | null>
  findMany(query: object): Promise<TableRow[]>
  updateMany(query: object): Promise<{ count: number }>
  deleteMany(query: object): Promise<{ count: number }>
}

interface Client {
  $queryRaw: Query
  $queryRawUnsafe(text: string, ...values: unknown[]): Promise<unknown[]>
  $transaction<T>(run: (client: Client) => Promise<T>, options: object): Promise<T>
  readonly [model: string]: unknown
}

const quoted = (name: string): string => `\`${name}\``

/**
 * A table through a Prisma client. Columns have the names of the fields.
 * @param property the model, as a property of the client
 * @param key field of the primary key
 * @throws ConfigError if the client has no such model, or its database isn't supported
 */
export function prismaTable(
  store: string,
  instance: PrismaInstance,
  property: string,
  key: string,
): Table {
  const { table, dialect, fields, omit, makes } = modelOf(store, instance, property)
  const client = instance as unknown as Client
  const inTransaction = isTransaction(instance)
  const encode = prismaEncoder(dialect)
  const shown = omit ? { omit } : {}
  const on = (where: Client) => where[property] as Delegate
  const nameOf = (field: string) => fields[field]?.dbName ?? field

  const run = async <T>(work: () => Promise<T>): Promise<T> => {
    try {
      return await work()
    } catch (error) {
      throw withoutValues(error)
    }
  }

  const filterOf = (where: readonly Condition[]): object => {
    const filters = where.map((condition): Record<string, unknown> => {
      if (condition.is === 'present') return { [condition.column]: { not: null } }
      return { [condition.column]: 'value' in condition ? condition.value : null }
    })
    const flat = Object.assign({}, ...filters)
    // Two conditions for one field must both be met.
    return Object.keys(flat).length === filters.length ? flat : { AND: filters }
  }

  /** Conditions that Prisma compares by a collation of MySQL, which may ignore case and accents. */
  const inexact = (where: readonly Condition[]) =>
    dialect === 'mysql'
      ? where.flatMap((condition) =>
          condition.is === 'same' && typeof condition.value === 'string'
            ? [{ column: condition.column, value: condition.value }]
            : [],
        )
      : []

  const transaction = <T>(work: (client: Client) => Promise<T>, isolationLevel?: string) =>
    inTransaction
      ? work(client)
      : client.$transaction(work, { maxWait: 10_000, ...(isolationLevel && { isolationLevel }) })

  /** Locks the row if its text is the expected one byte by byte, and then writes. */
  const writeLocked = (
    data: object,
    where: readonly Condition[],
    texts: readonly { column: string; value: string }[],
  ): Promise<boolean> => {
    const id = where.find(({ column }) => column === key) as { value?: unknown } | undefined
    const conditions = texts.map(
      ({ column }) =>
        `cast(convert(${quoted(nameOf(column))} using utf8mb4) as binary) = cast(convert(? using utf8mb4) as binary)`,
    )
    const name = table.split('.').map(quoted).join('.')
    const text = `select 1 as one from ${name} where ${quoted(nameOf(key))} = ? and ${conditions.join(' and ')} for update`
    return transaction(async (tx) => {
      const values = texts.map(({ value }) => value)
      const rows = await tx.$queryRawUnsafe(text, id?.value, ...values)
      if (rows.length === 0) return false
      return (await on(tx).updateMany({ where: filterOf(where), data })).count > 0
    })
  }

  const query: Query = (text, ...values) => client.$queryRaw(text, ...values)

  /** The catalog; the connection may look into another schema than the server does. */
  const catalog = async (): Promise<Catalog> => {
    const found = await catalogOf(query, dialect, table)
    if (found.columns.length > 0 || dialect !== 'postgres' || table.includes('.')) return found
    const schemas = (await query`select cast(table_schema as text) as name
      from information_schema.tables where table_name = ${table}`) as { name: string }[]
    return schemas.length === 1 ? catalogOf(query, dialect, `${schemas[0]?.name}.${table}`) : found
  }

  return {
    name: table,
    dialect,
    isTransaction: inTransaction,
    nameOf,
    makes,
    holdsBytes: (field) => fields[field]?.type === 'Bytes',
    encode: (field, value, name) => encode(fields[field] as ModelField, value, name),
    insert: (values) =>
      run(async () => ({
        row: await on(client).create({ data: Object.fromEntries(values), ...shown }),
      })),
    findOne: (where, keyOnly) =>
      run(async () => {
        const texts = inexact(where)
        const names = [key, ...texts.map(({ column }) => column)]
        const columns = keyOnly
          ? { select: Object.fromEntries(names.map((name) => [name, true])) }
          : shown
        const row = await on(client).findFirst({ where: filterOf(where), ...columns })
        return row && texts.every(({ column, value }) => row[column] === value) ? row : undefined
      }),
    findMany: (where) => run(() => on(client).findMany({ where: filterOf(where), ...shown })),
    update: (values, where) =>
      run(async () => {
        const data = Object.fromEntries(values)
        const texts = inexact(where)
        if (texts.length > 0) return writeLocked(data, where, texts)
        return (await on(client).updateMany({ where: filterOf(where), data })).count > 0
      }),
    remove: (where, keepOneOf) =>
      run(async () => {
        const removal = { where: filterOf(where) }
        if (!keepOneOf) return (await on(client).deleteMany(removal)).count > 0
        return transaction(async (tx) => {
          const rows = await on(tx).findMany({ where: filterOf(keepOneOf) })
          const texts = inexact(keepOneOf)
          const kept = rows.filter((row) =>
            texts.every(({ column, value }) => row[column] === value),
          )
          return kept.length > 1 && (await on(tx).deleteMany(removal)).count > 0
        }, 'Serializable')
      }),
    failureOf: (error) => prismaFailure(dialect, error),
    catalog: () => run(catalog),
    // Prisma reads BigInt exactly, and refuses to read more than 32 bits as Int.
    rounds: async () => false,
  }
}
