import { randomBytes } from 'node:crypto'
import { type Kysely, sql } from 'kysely'
import type { Dialect } from './tables.js'

const TYPES = {
  postgres: { text: 'varchar(255)', time: 'timestamptz(3)' },
  mysql: { text: 'varchar(255)', time: 'datetime(3)' },
  sqlite: { text: 'text', time: 'text' },
}

/** Creates a table of links. */
export async function createLinksTable(
  // biome-ignore lint/suspicious/noExplicitAny: each test creates its own tables
  db: Kysely<any>,
  dialect: Dialect,
  constraints: readonly string[] = [
    'primary key (user_id, provider)',
    'unique (provider, subject)',
  ],
  name = `links_${randomBytes(6).toString('hex')}`,
): Promise<{ name: string; drop(): Promise<void> }> {
  const { text, time } = TYPES[dialect]
  const columns = [
    'user_id integer not null',
    `provider ${text} not null`,
    `subject ${text} not null`,
    `email ${text}`,
    `linked_at ${time} not null`,
    ...constraints,
  ]
  await sql.raw(`create table ${name} (${columns.join(', ')})`).execute(db)
  return {
    name,
    drop: async () => {
      await sql.raw(`drop table ${name}`).execute(db)
    },
  }
}
