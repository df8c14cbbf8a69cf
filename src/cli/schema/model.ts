import type { Dialect } from '../../sql/dialect.js'
import { stateTables } from '../../state/kysely/ddl.js'

/** What a column holds. Query builders need it besides the SQL type. */
type Kind = 'id' | 'reference' | 'text' | 'bytes' | 'flag' | 'integer' | 'bigint' | 'time'

export interface Column {
  readonly name: string
  readonly kind: Kind
  /** SQL type, without constraints. */
  readonly type: string
  readonly isNullable: boolean
  readonly default?: boolean | number
  readonly isUnique?: boolean
  readonly isKey?: boolean
}

export interface Table {
  readonly name: string
  readonly columns: readonly Column[]
  /** A primary key of several columns. */
  readonly key?: readonly string[]
  /** Unique constraints over several columns. */
  readonly unique: readonly (readonly string[])[]
  /** Indexes over one column, by name. */
  readonly indexes: Readonly<Record<string, string>>
  /** Table whose `id` the column of kind `reference` refers to. Its rows delete those of this table. */
  readonly references?: string
  /** What follows the columns. */
  readonly end?: string
  /** Whether `Schema.state` has its statements. */
  readonly isState?: boolean
}

export const features = ['mfa', 'oauth-accounts', 'passkeys', 'state'] as const
export type Feature = (typeof features)[number]

interface SchemaRequest {
  readonly dialect: Dialect
  readonly features: ReadonlySet<Feature>
  /** Name of the users table. */
  readonly users: string
  /** Whether to print the users table. Otherwise only the columns that it lacks. */
  readonly withUsers: boolean
}

export interface Schema {
  readonly dialect: Dialect
  readonly users: string
  readonly tables: readonly Table[]
  /** Columns for a users table that exists. */
  readonly added: readonly Column[]
  /** The statements that create the state tables. */
  readonly state: readonly string[]
}

const exact = 'character set utf8mb4 collate utf8mb4_bin'
const types = {
  postgres: {
    ...{ id: 'bigint', reference: 'bigint', flag: 'boolean', time: 'timestamptz' },
    // Names are compared exactly. In MySQL that depends on the collation.
    name: (length: number) => `varchar(${length})`,
    label: () => 'text',
    text: (length: number) => (length > 255 ? 'text' : `varchar(${length})`),
    hash: 'text',
    ...{ key: () => 'text', counter: 'bigint' },
  },
  mysql: {
    ...{ id: 'bigint unsigned', reference: 'bigint unsigned', flag: 'boolean' },
    time: 'datetime(3)',
    name: (length: number) => `varchar(${length}) ${exact}`,
    label: (length: number) => `varchar(${length}) ${exact}`,
    text: (length: number) => (length > 255 ? 'text' : `varchar(${length})`),
    hash: 'varchar(255)',
    // As bytes: an index on so much text of a multibyte character set would be too long.
    key: (length: number) => `varbinary(${length})`,
    counter: 'bigint',
  },
  sqlite: {
    ...{ id: 'integer', reference: 'integer', flag: 'integer', time: 'text' },
    ...{ name: () => 'text', label: () => 'text', text: () => 'text', hash: 'text' },
    ...{ key: () => 'text', counter: 'integer' },
  },
}

const column = (
  name: string,
  kind: Kind,
  type: string,
  more: Partial<Omit<Column, 'name' | 'kind' | 'type'>> = {},
): Column => ({ name, kind, type, isNullable: false, ...more })

function usersColumns(dialect: Dialect): Column[] {
  const { id, name, hash, flag, time } = types[dialect]
  return [
    column('id', 'id', id, { isKey: true }),
    column('email', 'text', name(254), { isUnique: true }),
    column('username', 'text', name(150), { isUnique: true }),
    column('hashed_password', 'text', hash, { isNullable: true }),
    column('is_active', 'flag', flag, { default: true }),
    column('is_superuser', 'flag', flag, { default: false }),
    column('email_verified', 'flag', flag, { default: false }),
    column('token_version', 'integer', 'integer', { default: 0 }),
    column('created_at', 'time', time),
    column('updated_at', 'time', time),
  ]
}

function mfaColumns(dialect: Dialect): Column[] {
  const { text, time } = types[dialect]
  const isNullable = true
  return [
    column('totp_secret_encrypted', 'text', text(255), { isNullable }),
    column('totp_confirmed_at', 'time', time, { isNullable }),
    column('totp_last_step', 'integer', 'integer', { isNullable }),
    column('mfa_recovery_codes', 'text', text(65_535), { isNullable }),
  ]
}

function linksTable(dialect: Dialect, users: string): Table {
  const { reference, label, time } = types[dialect]
  return {
    name: 'oauth_accounts',
    columns: [
      column('user_id', 'reference', reference),
      column('provider', 'text', label(64)),
      column('subject', 'text', label(255)),
      column('email', 'text', label(254), { isNullable: true }),
      column('linked_at', 'time', time),
    ],
    key: ['user_id', 'provider'],
    unique: [['provider', 'subject']],
    indexes: {},
    references: users,
  }
}

function passkeysTable(dialect: Dialect, users: string): Table {
  const { key, reference, text, label, counter, flag, time } = types[dialect]
  const kind = dialect === 'mysql' ? 'bytes' : 'text'
  return {
    name: 'passkeys',
    columns: [
      column('id', kind, key(22), { isKey: true }),
      column('user_id', 'reference', reference),
      column('user_handle', 'text', text(86)),
      column('credential_id', kind, key(1364), { isUnique: true }),
      column('public_key', 'text', text(4095)),
      column('counter', 'bigint', counter),
      column('transports', 'text', text(255)),
      column('aaguid', 'text', text(36)),
      column('name', 'text', label(100)),
      column('backed_up', 'flag', flag),
      column('created_at', 'time', time),
      column('last_used_at', 'time', time, { isNullable: true }),
    ],
    unique: [],
    indexes: { passkeys_user_id: 'user_id' },
    references: users,
  }
}

const unquoted = (name: string) => name.replace(/["`]/g, '')

/** Reads the state tables from their own statements, so that there is one definition of them. */
function tablesOf(statements: readonly string[]): Table[] {
  const indexes = statements.flatMap((statement) => {
    const [, name, table, column] = /^create index (\S+) on (\S+) \((\S+)\)$/.exec(statement) ?? []
    return name && table && column ? [[table, unquoted(name), unquoted(column)] as const] : []
  })
  return statements.flatMap((statement) => {
    const [, name, body, end] = /^create table (\S+) \(\n(.*)\n\)(.*)$/s.exec(statement) ?? []
    if (name === undefined || body === undefined) return []
    const own = indexes.filter(([table]) => table === name)
    const columns = body.split(',\n').map((line): Column => {
      const [, column = '', type = '', rest = ''] =
        /^ {2}(\S+) (.*?)( not null)?(?: primary key)?$/.exec(line) ?? []
      return {
        name: unquoted(column),
        kind: /^varbinary/.test(type) ? 'bytes' : type === 'bigint' ? 'bigint' : 'text',
        type,
        isNullable: rest === '',
        isKey: line.endsWith(' primary key'),
      }
    })
    return {
      name: unquoted(name),
      columns,
      unique: [],
      indexes: Object.fromEntries(own.map(([, index, column]) => [index, column])),
      isState: true,
      ...(end && { end: end.trim() }),
    }
  })
}

/** The tables and columns that some features need. */
export function schemaFor({ dialect, features, users, withUsers }: SchemaRequest): Schema {
  const ofMfa = features.has('mfa') ? mfaColumns(dialect) : []
  const state = features.has('state') ? stateTables(dialect) : []
  const tables: Table[] = []
  if (withUsers)
    tables.push({
      name: users,
      columns: [...usersColumns(dialect), ...ofMfa],
      unique: [],
      indexes: {},
    })
  if (features.has('oauth-accounts')) tables.push(linksTable(dialect, users))
  if (features.has('passkeys')) tables.push(passkeysTable(dialect, users))
  tables.push(...tablesOf(state))
  return { dialect, users, tables, added: withUsers ? [] : ofMfa, state }
}
