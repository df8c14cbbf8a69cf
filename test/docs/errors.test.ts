import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import * as errors from '../../src/errors.js'
import { documents, page, root, tableRows } from './documents.js'

/** Code to status; undefined for errors that stores throw and no client sees. */
const thrown = new Map(
  Object.values(errors).map((Constructor) => {
    const { code, statusCode } = new Constructor('x') as Error & {
      code: string
      statusCode?: number
    }
    return [code, statusCode]
  }),
)

/** Maps codes to the second column of the page's tables. */
const documented = new Map(
  tableRows(page('docs/errors.md')).flatMap(([code = '', status = '']) => {
    const name = /^`(\w+)`$/.exec(code)?.[1]
    return name === undefined ? [] : [[name, status] as const]
  }),
)

const sources = readdirSync(join(root, 'src'), { recursive: true, encoding: 'utf8' }).filter(
  (name) => name.endsWith('.ts'),
)

test('docs/errors.md: lists every exported error with its status', () => {
  assert.ok(thrown.size > 20)
  for (const [code, status] of thrown) {
    assert.ok(documented.has(code), `${code} is missing`)
    assert.equal(documented.get(code), status === undefined ? '–' : String(status), code)
  }
})

test('docs/errors.md: lists exactly the codes in the sources', () => {
  const written = new Set(thrown.keys())
  for (const name of sources) {
    for (const [, code = ''] of readFileSync(join(root, 'src', name), 'utf8').matchAll(
      /code = '(CRUDAUTH_\w+)'/g,
    ))
      written.add(code)
  }
  assert.deepEqual(
    [...documented.keys()].filter((code) => code.startsWith('CRUDAUTH_')).sort(),
    [...written].sort(),
  )
})

test('CrudAuthErrorCode: lists exactly the codes that responses contain', () => {
  const text = readFileSync(join(root, 'src/errors.ts'), 'utf8')
  const union = /type CrudAuthErrorCode =([\s\S]*?)\n\n/.exec(text)?.[1] ?? ''
  const members = [...union.matchAll(/'(CRUDAUTH_\w+)'/g)].map(([, code]) => code)
  const carried = [...thrown].filter(([, status]) => status !== undefined).map(([code]) => code)
  assert.deepEqual(members.sort(), carried.sort())
})

test('docs: every error code mentioned exists', () => {
  for (const { path, text } of documents) {
    for (const [code] of text.matchAll(/CRUDAUTH_[A-Z]\w*/g))
      assert.ok(documented.has(code), `${path} names ${code}`)
  }
})
