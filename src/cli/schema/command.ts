import type { Dialect } from '../../sql/dialect.js'
import { type Command, parseCommand, UsageError } from '../usage.js'
import { printDrizzle } from './drizzle.js'
import { printKysely } from './kysely.js'
import { type Feature, features, type Schema, schemaFor } from './model.js'
import { printPrisma } from './prisma.js'
import { printSql } from './sql.js'

const dialects: readonly Dialect[] = ['postgres', 'mysql', 'sqlite']
const printers: Readonly<Record<string, (schema: Schema) => string>> = {
  sql: printSql,
  kysely: printKysely,
  drizzle: printDrizzle,
  prisma: printPrisma,
}
/** How each format writes a comment on the first line. */
const comments: Readonly<Record<string, string>> = { sql: '--' }

const listed = (names: readonly string[]) => `${names.slice(0, -1).join(', ')} or ${names.at(-1)}`

function oneOf<Name extends string>(
  option: string,
  value: string | undefined,
  names: readonly Name[],
): Name {
  const found = names.find((name) => name === value)
  if (found !== undefined) return found
  const hint = value === 'mariadb' ? '; mysql is also for MariaDB' : ''
  throw new UsageError(
    value === undefined
      ? `"--${option}" is missing; it must be ${listed(names)}`
      : `"--${option}" must be ${listed(names)}, got "${value}"${hint}`,
  )
}

function chosenFeatures(values: readonly string[]): Set<Feature> {
  const names = values
    .flatMap((value) => value.split(','))
    .map((name) => name.trim())
    .filter(Boolean)
  return new Set(
    names.map((name) => {
      const found = features.find((feature) => feature === name)
      if (found !== undefined) return found
      throw new UsageError(
        `"--features" takes ${features.join(', ')}, separated by commas; got "${name}"`,
      )
    }),
  )
}

const ownTables = ['oauth_accounts', 'passkeys', 'crudauth_store', 'crudauth_counters']

function checkTable(name: string): string {
  if (!/^[A-Za-z]\w{0,39}$/.test(name))
    throw new UsageError(
      '"--table" must be the name of a table: at most 40 letters, digits and "_", without a schema, such as "accounts"',
    )
  if (ownTables.includes(name.toLowerCase()))
    throw new UsageError(
      `"--table" is the users table, and "${name}" has another use; choose another name, such as "accounts"`,
    )
  return name
}

/** `schema`: prints the tables that the chosen features need. */
export const schema: Command = {
  summary: 'Print the tables that the plugin needs.',
  help: `Usage: fastify-crudauth schema --dialect <name> --format <name> [options]

Prints the users table with indexes and unique constraints, and what the chosen features need.

Options:
  --dialect <name>   postgres, mysql (also for MariaDB) or sqlite.
  --format <name>    sql, kysely (a migration), drizzle (table objects) or prisma (models).
  --features <list>  mfa: columns of the second factor.
                     oauth-accounts: table for links to providers.
                     passkeys: table for passkeys.
                     state: tables for sessions and counters in SQL.
                     Separate several with commas.
  --table <name>     Name of the users table. Default: users.
  --no-users         Leave out the users table. With mfa, print the columns to add to it.`,
  run(args, { print }) {
    const { values, positionals } = parseCommand('schema', args, {
      dialect: { type: 'string' },
      format: { type: 'string' },
      features: { type: 'string', multiple: true },
      table: { type: 'string' },
      'no-users': { type: 'boolean' },
    })
    if (positionals.length > 0)
      throw new UsageError(
        `Unexpected "${positionals[0]}"; separate features with commas and without spaces, such as --features mfa,state`,
      )
    const dialect = oneOf('dialect', values.dialect, dialects)
    const format = oneOf('format', values.format, Object.keys(printers))
    const chosen = chosenFeatures(values.features ?? [])
    const users = checkTable(values.table ?? 'users')
    const withUsers = !values['no-users']
    if (!withUsers && chosen.size === 0)
      throw new UsageError(
        `"--no-users" without "--features" leaves nothing to print; name features: ${features.join(', ')}`,
      )
    const text = printers[format]?.(schemaFor({ dialect, features: chosen, users, withUsers }))
    print(`${comments[format] ?? '//'} Printed by: fastify-crudauth schema\n\n${text}`)
    return 0
  },
}
