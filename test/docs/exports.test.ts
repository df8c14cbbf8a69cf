import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { readSources, root } from '../../scripts/source-graph.js'
import * as client from '../../src/client/index.js'
import * as smtp from '../../src/email-senders/smtp.js'
import * as main from '../../src/index.js'
import * as legacy from '../../src/legacy-hashes/index.js'
import * as drizzleLinks from '../../src/oauth-accounts/drizzle.js'
import * as kyselyLinks from '../../src/oauth-accounts/kysely.js'
import * as prismaLinks from '../../src/oauth-accounts/prisma.js'
import * as drizzlePasskeys from '../../src/passkey-stores/drizzle.js'
import * as kyselyPasskeys from '../../src/passkey-stores/kysely.js'
import * as prismaPasskeys from '../../src/passkey-stores/prisma.js'
import * as state from '../../src/state/kysely/index.js'
import * as testing from '../../src/testing/index.js'
import * as drizzle from '../../src/user-stores/drizzle/index.js'
import * as kysely from '../../src/user-stores/kysely/index.js'
import * as prisma from '../../src/user-stores/prisma/index.js'

const sources = readSources('src').map(({ path }) => ({
  path,
  text: readFileSync(join(root, path), 'utf8'),
}))

/** The doc comment right above the declaration of an exported function. */
function docOf(name: string): string | undefined {
  const declaration = new RegExp(
    `(/\\*\\*(?:(?!\\*/)[\\s\\S])*\\*/)\\nexport (?:async )?(?:function|const) ${name}\\b`,
  )
  for (const { path, text } of sources) {
    if (path === 'src/errors.ts') continue
    const found = declaration.exec(text)
    if (found) return found[1]
  }
  return undefined
}

const isError = (name: string) => name.endsWith('Error')

test('TSDoc: every function that an app calls, and every legacy verifier, has an @example', () => {
  const users = [kysely, drizzle, prisma]
  const links = [kyselyLinks, drizzleLinks, prismaLinks]
  const passkeys = [kyselyPasskeys, drizzlePasskeys, prismaPasskeys]
  const names = [main, client, testing, smtp, state, ...users, ...links, ...passkeys].flatMap(
    (entry) =>
      Object.entries(entry).flatMap(([name, value]) =>
        typeof value === 'function' && name !== 'default' && !isError(name) ? [name] : [],
      ),
  )
  names.push(...Object.keys(legacy))
  assert.ok(names.length > 35)
  assert.deepEqual(
    names.filter((name) => !docOf(name)?.includes('@example')),
    [],
  )
})
