import type { SchemaFinding } from '../ports/user-store.js'
import type { Catalog } from '../sql/catalog.js'
import type { Table } from '../sql/table.js'

/** Mismatches between a table of links and what the store needs, and how to fix them. */
export function linkFindings(
  { name: table, nameOf }: Pick<Table, 'name' | 'nameOf'>,
  columns: Readonly<Record<string, string>>,
  catalog: Catalog,
): SchemaFinding[] {
  if (catalog.columns.length === 0)
    return [
      {
        level: 'error',
        message: `There is no table "${table}" for the links; create it, or name another one`,
      },
    ]
  const messages: string[] = [...catalog.faults]
  const found = new Set(catalog.columns.map(({ name }) => name.toLowerCase()))
  const nameIn = (field: string) => nameOf(columns[field] ?? field)
  for (const field of Object.keys(columns))
    if (!found.has(nameIn(field).toLowerCase()))
      messages.push(
        `Table "${table}" has no column "${nameIn(field)}" for "${field}"; add it, or name another column`,
      )
  for (const pair of [
    ['provider', 'subject'],
    ['userId', 'provider'],
  ]) {
    const names = pair.map(nameIn)
    const exist = names.every((name) => found.has(name.toLowerCase()))
    if (exist && !catalog.isUnique(...names))
      messages.push(
        `Table "${table}" needs a unique constraint on (${names.join(', ')}), or two accounts can have one link; add it`,
      )
  }
  const given = new Set(Object.keys(columns).map((field) => nameIn(field).toLowerCase()))
  for (const { name, isNullable, hasValue } of catalog.columns)
    if (!isNullable && !hasValue && !given.has(name.toLowerCase()))
      messages.push(
        `Column "${name}" of table "${table}" is not null, and nothing sets it in a new link; give it a default`,
      )
  return messages.map((message) => ({ level: 'error', message }))
}
