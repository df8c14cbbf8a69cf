import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join, sep } from 'node:path'
import { fileURLToPath } from 'node:url'

export const root = fileURLToPath(new URL('../..', import.meta.url))

/** A Markdown file of the repository. */
export interface Document {
  /** Relative to the root, with `/`. */
  readonly path: string
  readonly text: string
}

/** A fenced block, with what the HTML comment on the line before it says: `<!-- run -->`, `<!-- with: app, db -->`. */
export interface Block {
  readonly path: string
  /** Line of the fence, from 1. */
  readonly line: number
  readonly language: string
  readonly code: string
  /** Word to its value; '' for a word without one. */
  readonly marks: Readonly<Record<string, string>>
}

const read = (path: string): Document => ({ path, text: readFileSync(join(root, path), 'utf8') })

/** README and every page below `docs/`. */
export const pages: readonly Document[] = [
  'README.md',
  ...readdirSync(join(root, 'docs'), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.md') && !name.startsWith('.vitepress'))
    .map((name) => `docs/${name.split(sep).join('/')}`)
    .sort(),
].map(read)

/** The pages and the other documents at the root. */
export const documents: readonly Document[] = [
  ...pages,
  ...['SECURITY.md', 'CONTRIBUTING.md', 'CHANGELOG.md', 'llms.txt']
    .filter((path) => existsSync(join(root, path)))
    .map(read),
]

export function page(path: string): Document {
  const found = documents.find((document) => document.path === path)
  if (!found) throw new Error(`${path} does not exist`)
  return found
}

function marksOf(line: string | undefined): Record<string, string> {
  const comment = /^<!--\s*(.*?)\s*-->$/.exec(line ?? '')?.[1] ?? ''
  const pairs = comment.split(/\s*;\s*/).filter(Boolean)
  return Object.fromEntries(
    pairs.map((pair) => [pair.split(':')[0] ?? '', pair.split(':')[1]?.trim() ?? '']),
  )
}

export function blocksOf({ path, text }: Document): Block[] {
  const lines = text.split('\n')
  const blocks: Block[] = []
  for (let at = 0; at < lines.length; at++) {
    const fence = /^(\s*)```(\w+)?\s*$/.exec(lines[at] ?? '')
    if (!fence) continue
    const start = at
    const end = lines.findIndex((line, index) => index > start && line.trim() === '```')
    if (end < 0) throw new Error(`${path}:${start + 1} opens a block that nothing closes`)
    blocks.push({
      path,
      line: start + 1,
      language: fence[2] ?? '',
      code: lines.slice(start + 1, end).join('\n'),
      marks: marksOf(lines[start - 1]?.trim()),
    })
    at = end
  }
  return blocks
}

/** The document's text without fenced blocks and comments, line by line in place. */
export function prose({ path, text }: Document): string {
  const lines = text.split('\n')
  for (const { line, code } of blocksOf({ path, text })) {
    for (let at = line - 1; at <= line + code.split('\n').length; at++) lines[at] = ''
  }
  return lines.join('\n').replace(/<!--[\s\S]*?-->/g, '')
}

/** Cells of each row of the document's tables, heads and rules left out. */
export function tableRows(document: Document): string[][] {
  return prose(document)
    .split('\n')
    .filter((line) => line.startsWith('|') && !/^\|[\s|:-]+$/.test(line))
    .map((line) =>
      line
        .split(/(?<!\\)\|/)
        .slice(1, -1)
        .map((cell) => cell.trim()),
    )
}
