import assert from 'node:assert/strict'
import { existsSync, readFileSync, statSync } from 'node:fs'
import { join, posix } from 'node:path'
import { test } from 'node:test'
import { documents, prose, root } from './documents.js'

/** How GitHub makes an anchor of a heading: lower case, no punctuation, hyphens for spaces. */
const anchorOf = (heading: string): string =>
  heading
    .replace(/\[([^\]]*)\]\([^)]*\)/g, '$1')
    .replace(/[`*]/g, '')
    .trim()
    .toLowerCase()
    .replace(/[^\p{L}\p{N}_ -]/gu, '')
    .replace(/ /g, '-')

const anchorsOf = (path: string): string[] => {
  const text = prose({ path, text: readFileSync(join(root, path), 'utf8') })
  return [...text.matchAll(/^#{1,6}\s+(.*)$/gm)].map(([, heading = '']) => anchorOf(heading))
}

const links = documents.flatMap((document) =>
  prose(document)
    .split('\n')
    .flatMap((line, at) =>
      [...line.matchAll(/\]\(([^)\s]+)\)/g)].map(([, target = '']) => ({
        from: document.path,
        line: at + 1,
        target,
      })),
    ),
)

test('docs: every relative link has a target file, and every anchor a heading', () => {
  const relative = links.filter(({ target }) => !/^[a-z]+:/.test(target))
  assert.ok(relative.length > 50, 'the links were found')
  for (const { from, line, target } of relative) {
    const [file = '', anchor] = target.split('#')
    const path = file === '' ? from : posix.join(posix.dirname(from), file)
    assert.ok(
      existsSync(join(root, path)),
      `${from}:${line} links to ${target}, which is not there`,
    )
    if (anchor === undefined) continue
    assert.ok(
      statSync(join(root, path)).isFile() && anchorsOf(path).includes(anchor),
      `${from}:${line}: no heading for ${target}`,
    )
  }
})

test('docs: external links use https', () => {
  assert.deepEqual(
    links.filter(({ target }) => /^[a-z]+:/.test(target) && !target.startsWith('https://')),
    [],
  )
})

test('docs: heading anchors are unique within a document', () => {
  for (const { path } of documents) {
    if (path === 'CHANGELOG.md') continue
    const anchors = anchorsOf(path)
    assert.deepEqual(
      anchors.filter((anchor, at) => anchors.indexOf(anchor) !== at),
      [],
      path,
    )
  }
})
