import { type RawBuilder, sql } from 'kysely'
import type { Dialect } from '../../sql/dialect.js'

export type Sql = RawBuilder<unknown>

/** The expressions that each dialect spells in its own way. */
export interface Expressions {
  /** The time of the database in milliseconds since 1970. All processes share this clock. */
  readonly now: Sql
  integer(value: Sql | string | number | null): Sql
  text(value: Sql | string | null): Sql
  join(...parts: Sql[]): Sql
  greatest(...values: Sql[]): Sql
  least(...values: Sql[]): Sql
  /** An integer as the operand of a shift. */
  shift(value: Sql): Sql
  /** An integer with leading zeros, so that texts compare like numbers. */
  padded(value: Sql, digits: number): Sql
  /** A column of keys, to select it as text. */
  key(column: string): Sql
  /** A column of the stored row, in the update part of an upsert. */
  stored(column: string): Sql
  /** A column of the row to insert, in the update part of an upsert. */
  incoming(column: string): Sql
  /** `on conflict do update set`, after an insert whose table has the alias of `into`. */
  readonly onConflict: Sql
  /** A table as the target of an upsert. */
  into(table: string): Sql
}

const list = (parts: Sql[]) => sql.join(parts, sql`, `)
const pipes = (...parts: Sql[]): Sql => sql`(${sql.join(parts, sql` || `)})`
const alias = 'held'

const shared = {
  key: (column: string): Sql => sql.ref(column),
  shift: (value: Sql): Sql => sql`(${value})`,
  stored: (column: string) => sql.ref(`${alias}.${column}`),
  incoming: (column: string) => sql.ref(`excluded.${column}`),
  onConflict: sql`on conflict (${sql.ref('key')}) do update set`,
  into: (table: string) => sql`${sql.table(table)} as ${sql.ref(alias)}`,
  join: pipes,
}

const postgres: Expressions = {
  ...shared,
  // Unlike now(), it goes on after the statement has waited for a lock.
  now: sql`cast(floor(extract(epoch from clock_timestamp()) * 1000) as bigint)`,
  integer: (value) => sql`cast(${value} as bigint)`,
  text: (value) => sql`cast(${value} as text)`,
  greatest: (...values) => sql`greatest(${list(values)})`,
  least: (...values) => sql`least(${list(values)})`,
  shift: (value) => sql`cast(${value} as integer)`,
  padded: (value, digits) => sql`lpad(cast(${value} as text), ${sql.lit(digits)}, '0')`,
}

const sqlite: Expressions = {
  ...shared,
  now: sql`cast(round((julianday('now') - 2440587.5) * 86400000) as integer)`,
  integer: (value) => sql`cast(${value} as integer)`,
  text: (value) => sql`cast(${value} as text)`,
  greatest: (...values) => sql`max(${list(values)})`,
  least: (...values) => sql`min(${list(values)})`,
  padded: (value, digits) =>
    sql`substr(${sql.lit('0'.repeat(digits))} || ${value}, ${sql.lit(-digits)})`,
}

const mysql: Expressions = {
  ...shared,
  // In UTC, because local time repeats an hour when daylight saving time ends.
  now: sql`(timestampdiff(microsecond, '1970-01-01', utc_timestamp(6)) div 1000)`,
  integer: (value) => sql`cast(${value} as signed)`,
  // A cast of a literal would give it a collation that conflicts with that of a column.
  text: (value) => (typeof value === 'string' || value === null ? sql`${value}` : asText(value)),
  join: (...parts) => sql`concat(${list(parts)})`,
  greatest: (...values) => sql`greatest(${list(values)})`,
  least: (...values) => sql`least(${list(values)})`,
  padded: (value, digits) => sql`lpad(${value}, ${sql.lit(digits)}, '0')`,
  key: (column) => sql`convert(${sql.ref(column)} using ascii) as ${sql.ref(column)}`,
  stored: (column) => sql.ref(column),
  incoming: (column) => sql`values(${sql.ref(column)})`,
  onConflict: sql`on duplicate key update`,
  into: (table) => sql.table(table) as Sql,
}

const asText = (value: Sql): Sql => sql`cast(${value} as char character set ascii)`

/** The expressions of a dialect. */
export const expressionsOf = (dialect: Dialect): Expressions =>
  ({ postgres, mysql, sqlite })[dialect]
