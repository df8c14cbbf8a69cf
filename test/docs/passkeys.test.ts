import assert from 'node:assert/strict'
import { test } from 'node:test'
import { schemaFor } from '../../src/cli/schema/model.js'
import { printSql } from '../../src/cli/schema/sql.js'
import type { Dialect } from '../../src/sql/dialect.js'
import { blocksOf, page } from './documents.js'

const dialects: readonly Dialect[] = ['postgres', 'mysql', 'sqlite']

for (const dialect of dialects) {
  test(`docs/passkeys.md: the statements for ${dialect} are those that the command prints`, () => {
    const mark = `passkeys-${dialect}`
    const block = blocksOf(page('docs/passkeys.md')).find(({ marks }) => marks.table === mark)
    const printed = printSql(
      schemaFor({
        dialect,
        features: new Set(['passkeys']),
        users: 'users',
        withUsers: false,
      }),
    )
    assert.equal(block?.code, printed.replace(/["`]/g, ''))
  })
}
