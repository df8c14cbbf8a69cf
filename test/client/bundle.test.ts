import assert from 'node:assert/strict'
import { test } from 'node:test'
import { gzipSync } from 'node:zlib'
import { readSources } from '../../scripts/source-graph.js'
import { bundleClient } from './bundle.js'

/** What CHANGELOG and docs promise. */
const maxBytes = 4096

test('client: is at most 4 KiB, minified and compressed', async (t) => {
  const { length } = gzipSync(await bundleClient(), { level: 9 })
  t.diagnostic(`${length} bytes`)
  assert.ok(length > 1000, 'the client was bundled')
  assert.ok(length <= maxBytes, `${length} bytes`)
})

test('client: imports no package and no module of Node at run time', () => {
  const values = readSources('src/client').flatMap(({ imports }) =>
    imports.filter(({ typeOnly, to }) => !typeOnly && !to.startsWith('src/client/')),
  )
  assert.deepEqual(values, [])
})
