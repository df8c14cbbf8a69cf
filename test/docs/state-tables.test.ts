import assert from 'node:assert/strict'
import { test } from 'node:test'
import { stateTables } from '../../src/state/kysely/index.js'
import { blocksOf, page } from './documents.js'

for (const dialect of ['postgres', 'mysql', 'sqlite'] as const) {
  test(`docs/state.md: the statements for ${dialect} are those of stateTables()`, () => {
    const block = blocksOf(page('docs/state.md')).find(({ marks }) => marks.state === dialect)
    const statements = (block?.code ?? '').split(';').map((statement) => statement.trim())
    assert.deepEqual(statements.filter(Boolean), stateTables(dialect))
  })
}
