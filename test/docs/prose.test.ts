import assert from 'node:assert/strict'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { documents, pages, prose, root } from './documents.js'

/** Phrases that readers stumbled over, and what to write instead. */
const banned: readonly (readonly [RegExp, string])[] = [
  [/\bcan not\b/i, 'cannot, or can’t'],
  [/\bwhat is none\b|\bis none[,.;:]|\bthat is none\b/i, 'say what it is not'],
  [/\bwho is who\b/i, 'account matching'],
  [/\bequal work\b/i, 'user enumeration and timing'],
  [/\bthe way back\b/i, 'the callback'],
  [/\bnobody is not\b/i, 'anonymous requests pass'],
  [/\bthe first makes\b/i, 'the first one signs, all of them verify'],
  [/\bsaid once at start\b/i, 'a warning at start-up'],
  [/\bis good for\b/i, 'works, or is valid'],
  [/\bby hand\b(?! (?:any|of))/i, 'yourself, or custom'],
  [/\bsquat(?:ter|ting)\b/i, 'account pre-hijacking'],
  [/\bwhoever has the token\b|\bwho has the token\b/i, 'holders of the token'],
  [/\bbelow all\b|\ball below\b/i, 'under'],
  [/\banswered as it is\b/i, 'returned as it is'],
  [/\ball the same\b/i, 'anyway, or still'],
  [/\bfrom then on\b/i, 'afterwards'],
]

const isOurs = ({ path }: { path: string }) => path !== 'CHANGELOG.md'
const proseOf = documents.filter(isOurs).map((document) => ({
  path: document.path,
  lines: prose(document)
    .replace(/`[^`\n]*`/g, '`code`')
    .split('\n'),
}))

test('docs: banned phrases are not used', () => {
  const found = proseOf.flatMap(({ path, lines }) =>
    lines.flatMap((line, at) =>
      banned
        .filter(([phrase]) => phrase.test(line))
        .map(([phrase, instead]) => `${path}:${at + 1} ${phrase.exec(line)?.[0]}: ${instead}`),
    ),
  )
  assert.deepEqual(found, [])
})

test('docs: sentences have at most 25 words', () => {
  const long = proseOf.flatMap(({ path, lines }) =>
    lines.flatMap((line, at) =>
      line
        .replace(/\]\([^)]*\)/g, ']')
        .split(/(?<=[.!?:;])\s+|\|/)
        .filter(
          (sentence) =>
            sentence.split(/\s+/).filter((word) => /\w/.test(word) && !word.includes('`')).length >
            25,
        )
        .map((sentence) => `${path}:${at + 1} ${sentence.trim().slice(0, 60)}…`),
    ),
  )
  assert.deepEqual(long, [])
})

test('docs: the standard security terms are used', () => {
  const text = pages.map((document) => document.text.toLowerCase()).join('\n')
  const terms = [
    'user enumeration',
    'brute force',
    'credential stuffing',
    'session fixation',
    'login csrf',
    'open redirect',
    'account takeover',
    'account pre-hijacking',
    'mass assignment',
    'clock skew',
    'replay',
    'ssrf',
    'prototype pollution',
    'algorithm confusion',
    'refresh token',
    'single use',
    'constant time',
  ]
  assert.deepEqual(
    terms.filter((term) => !text.includes(term)),
    [],
  )
})

test('docs: the tests named in the security pages exist', () => {
  const all = readdirSync(join(root, 'test'), { recursive: true, encoding: 'utf8' })
  for (const path of ['docs/security.md', 'docs/asvs.md']) {
    const text = readFileSync(join(root, path), 'utf8')
    const lines = text
      .split('\n')
      .flatMap((line) =>
        path === 'docs/asvs.md'
          ? [line.split(/(?<!\\)\|/).at(-2) ?? '']
          : line.startsWith('*Tested in')
            ? [line]
            : [],
      )
    const names = lines.flatMap((line) =>
      [...line.matchAll(/`([\w/*-]+)`/g)].map(([, name = '']) => name),
    )
    assert.ok(names.length > 10, path)
    for (const name of names) {
      const exists = name.endsWith('*')
        ? all.some((file) => file.startsWith(name.slice(0, -1)))
        : existsSync(join(root, 'test', name)) || existsSync(join(root, 'test', `${name}.test.ts`))
      assert.ok(exists, `${path} names the test ${name}, which is not there`)
    }
  }
})

test('the README has at most 150 lines', () => {
  const readme = documents.find(({ path }) => path === 'README.md')
  assert.ok((readme?.text.split('\n').length ?? 151) <= 150)
})
