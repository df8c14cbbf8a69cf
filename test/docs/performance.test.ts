import assert from 'node:assert/strict'
import { test } from 'node:test'
import { withResults } from '../../benchmarks/lib/published.js'
import { page } from './documents.js'

test('performance page: its figures are those of the saved results', () => {
  const { text } = page('docs/performance.md')
  assert.ok(text.includes('<!-- results: postgres -->'))
  assert.equal(text, withResults(text), 'run: npm run docs:performance')
})
