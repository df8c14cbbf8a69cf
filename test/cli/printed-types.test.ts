import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import ts from 'typescript'
import type { Dialect } from '../helpers/tables.js'
import { printed, scratch, skipWithout } from './printed.js'

const dialects: Dialect[] = ['postgres', 'mysql', 'sqlite']
const choices: Record<string, string[]> = {
  all: ['--features', 'mfa,oauth-accounts,passkeys,state'],
  users: ['--table', 'accounts'],
  // Names that are something else in the printed module, or reserved in JavaScript.
  ...Object.fromEntries(
    ['text', 'integer', 'pgTable', 'class', 'default', 'await', 'oauthAccounts'].map((name) => [
      `named-${name}`,
      ['--table', name, '--features', 'mfa,oauth-accounts,passkeys,state'],
    ]),
  ),
  added: ['--no-users', '--features', 'mfa,oauth-accounts,passkeys'],
}

test('schema: the printed TypeScript compiles in strict mode', {
  skip: skipWithout('drizzle-orm'),
}, async (t) => {
  const folder = scratch(t)
  const files = await Promise.all(
    dialects.flatMap((dialect) =>
      (['kysely', 'drizzle'] as const).flatMap((format) =>
        Object.entries(choices).map(async ([name, options]) => {
          const file = join(folder, `${dialect}-${format}-${name}.ts`)
          writeFileSync(file, await printed(dialect, format, ...options))
          return file
        }),
      ),
    ),
  )
  const program = ts.createProgram(files, {
    target: ts.ScriptTarget.ES2023,
    module: ts.ModuleKind.NodeNext,
    moduleResolution: ts.ModuleResolutionKind.NodeNext,
    strict: true,
    noUnusedLocals: true,
    skipLibCheck: true,
    noEmit: true,
    types: [],
  })
  const errors = ts
    .getPreEmitDiagnostics(program)
    .map(({ file, messageText }) => `${file?.fileName}: ${JSON.stringify(messageText)}`)
  assert.deepEqual(errors, [])
})

test('schema: --no-users prints no users table, and says what to add', async () => {
  const of = (format: 'sql' | 'kysely' | 'drizzle' | 'prisma') =>
    printed('postgres', format, ...(choices.added ?? []), '--table', 'accounts')
  assert.match(await of('sql'), /^alter table "accounts" add column "totp_secret_encrypted"/m)
  assert.match(await of('kysely'), /alterTable\('accounts'\)\.addColumn\('totp_secret_encrypted'/)
  assert.match(await of('drizzle'), /^export const secondFactorColumns = \{$/m)
  assert.match(await of('prisma'), /^\/\/ {2}totpSecretEncrypted /m)
  for (const text of [await of('sql'), await of('drizzle'), await of('prisma')])
    assert.doesNotMatch(text, /hashed_?password/i)
  assert.match(await of('prisma'), /^model OauthAccount \{$/m)
  assert.match(await of('prisma'), /^model Passkey \{$/m)
})
