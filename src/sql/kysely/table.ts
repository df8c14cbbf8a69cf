import { type CompiledQuery, type Kysely, type QueryResult, sql } from 'kysely'
import { catalogOf, keepsBigNumbers, type Query } from '../catalog.js'
import type { Dialect } from '../dialect.js'
import { failureOf } from '../driver-errors.js'
import type { Table, TableRow } from '../table.js'
import { encoder, type ValueOptions } from '../values.js'
import { insertReturns } from './insert-returns.js'
import { statements, valuesOf } from './statements.js'

/**
 * A table through Kysely. Each statement is compiled once.
 * @param key column of the primary key
 */
export function kyselyTable(
  // biome-ignore lint/suspicious/noExplicitAny: any schema of the app's fits
  db: Kysely<any>,
  dialect: Dialect,
  name: string,
  key: string,
  options: ValueOptions,
): Table {
  const prepared = statements(db, dialect, name)
  const executor = db.getExecutor()
  const encode = encoder(dialect, options)
  const returnsRows = insertReturns(db, dialect)

  const execute = (
    query: CompiledQuery,
    parameters: readonly unknown[],
  ): Promise<QueryResult<TableRow>> =>
    executor.executeQuery<TableRow>({ ...(query as CompiledQuery<TableRow>), parameters })

  const query: Query = async (text, ...values) => (await sql(text, ...values).execute(db)).rows

  // Plugins of the instance, such as CamelCasePlugin, change names when a statement is compiled.
  const compiledNames = (column: string) => {
    const { sql: text } = db.selectFrom(name).select(column).compile()
    const [, selected = '', from = ''] = /^select (.+) from (.+)$/.exec(text) ?? []
    const bare = (quoted: string) => quoted.replaceAll(/["`]/g, '')
    return { column: bare(selected), table: bare(from) }
  }

  return {
    name,
    dialect,
    isTransaction: db.isTransaction,
    nameOf: (column) => compiledNames(column).column,
    encode: (_column, value, field) => encode(field, value),
    async insert(values) {
      const returns = await returnsRows()
      const { rows, insertId } = await execute(prepared.insert([...values.keys()], returns), [
        ...values.values(),
      ])
      return rows[0] ? { row: rows[0] } : { id: insertId }
    },
    async findOne(where, keyOnly) {
      const columns = keyOnly ? [key] : undefined
      return (await execute(prepared.selectOne(where, columns), valuesOf(where))).rows[0]
    },
    async findMany(where) {
      return (await execute(prepared.selectAll(where), valuesOf(where))).rows
    },
    async update(values, where) {
      const { insertId, numAffectedRows } = await execute(
        prepared.update([...values.keys()], where),
        [...values.values(), ...valuesOf(where)],
      )
      return Number(numAffectedRows) > 0 || (dialect === 'mysql' && insertId === 1n)
    },
    async remove(where, keepOneOf) {
      const { numAffectedRows } = keepOneOf
        ? await execute(prepared.removeUnlessLast(where, keepOneOf), [
            ...valuesOf(where),
            ...valuesOf(keepOneOf),
          ])
        : await execute(prepared.remove(where), valuesOf(where))
      return Number(numAffectedRows) > 0
    },
    failureOf: (error) => failureOf(dialect, error),
    catalog: () => catalogOf(query, dialect, compiledNames(key).table),
    rounds: async () => !(await keepsBigNumbers(query, dialect)),
  }
}
