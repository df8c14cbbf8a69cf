import type { Kysely } from 'kysely'
import type { SchemaFinding, SchemaNeeds } from '../../ports/user-store.js'
import type { Dialect } from '../sql/dialect.js'
import { type Model, schemaFindings } from '../sql/schema-findings.js'
import { catalogOf, keepsBigNumbers } from './catalog.js'

/** What of the table does not fit the model, and what of its ids the driver would lose. */
export async function compareSchema(
  // biome-ignore lint/suspicious/noExplicitAny: any schema of the app's fits
  db: Kysely<any>,
  dialect: Dialect,
  needs: SchemaNeeds,
  model: Model & { readonly idColumn: string },
): Promise<SchemaFinding[]> {
  const { table, columns, idColumn } = model
  const catalog = await catalogOf(db, dialect, table)
  const filled = model.filled.filter((field) => columns[field] !== undefined)
  const findings = schemaFindings({ ...model, filled }, catalog, needs)
  const id = catalog.columns.find(({ name }) => name.toLowerCase() === idColumn.toLowerCase())
  if (id?.kind === 'bigint' && !(await keepsBigNumbers(db, dialect)))
    findings.push({
      // Ids that the database counts begin at 1; others use all of the 64 bits.
      level: id.hasValue ? 'warning' : 'error',
      message: `Column "${idColumn}" of table "${table}" is a bigint, and the driver rounds values above 2^53, so two accounts could become one; configure it to return them as text (mysql2: supportBigNumbers and bigNumberStrings)`,
    })
  return findings
}
