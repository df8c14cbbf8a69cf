import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { type Import, parseSource, readSources, root, type SourceFile } from '../scripts/source-graph.js'

/** Rooms by the start of their path; an import goes to a lower number or stays in its room. */
const rooms: [room: string, level: number][] = [
  ['schemas/', 0],
  ['src/errors.ts', 0],
  ['src/retry.ts', 0],
  ['src/deadline.ts', 0],
  ['src/at-once.ts', 0],
  ['src/checks.ts', 0],
  ['src/crypto/', 0],
  ['src/fastify.ts', 1],
  ['src/ports/', 1],
  // Its payloads are of the ports' types.
  ['src/events.ts', 1.5],
  ['src/state/', 2],
  ['src/users/', 2],
  ['src/delivery/', 2],
  ['src/oauth/', 2],
  ['src/accounts/', 3],
  ['src/transports/', 4],
  ['src/gates/', 5],
  // What a group is made of, its gates among it.
  ['src/http/', 5.5],
  ['src/routes/', 6],
  ['src/options', 7],
  ['src/composition/', 7],
  ['src/decorators.ts', 7],
  ['src/toolbox', 7],
  ['src/security-schemes.ts', 7],
  ['src/plugin.ts', 7],
  ['src/index.ts', 7],
]

/** Rooms of these levels may use each other: at the bottom nothing is built on anything, at the top everything is known. */
const openLevels = [0, 7]

/** The published kits stand outside: they may import anything of the product, which imports nothing of them. */
const outside = 'src/testing/'

/** Packages and the only places that may import them. */
const confined: { name: string; at: string[]; typesAt?: string[] }[] = [
  { name: 'ioredis', at: ['src/state/redis/', 'src/plugin.ts'], typesAt: ['src/options'] },
  { name: 'undici', at: ['src/oauth/http.ts'] },
  { name: 'oauth4webapi', at: ['src/oauth/'] },
  { name: 'kysely', at: ['src/users/kysely', 'src/users/sql/'] },
  { name: 'nodemailer', at: ['src/delivery/smtp.ts'] },
  { name: 'typescript', at: [] },
]

/** What services see of these is their ports. */
const adapters = ['src/state/', 'src/users/', 'src/delivery/']

const maxLines = 300

interface Manifest {
  exports: Record<string, string | { types: string }>
  dependencies: Record<string, string>
  peerDependencies: Record<string, string>
}

const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as Manifest
const sources = readSources('schemas', 'src')
const product = sources.filter(({ path }) => !path.startsWith(outside))
const byPath = new Map(sources.map((source) => [source.path, source]))

const roomOf = (path: string) => rooms.find(([room]) => path.startsWith(room))
const at = (source: SourceFile, line: number): string => `${source.path}:${line}`
const none = (found: string[], rule: string): void => assert.equal(found.length, 0, `${rule}:\n  ${found.join('\n  ')}`)

/** Every import of some files that breaks a rule, as a line to read. */
const breaches = (files: SourceFile[], breaks: (file: SourceFile, found: Import) => boolean): string[] =>
  files.flatMap((file) =>
    file.imports
      .filter((found) => breaks(file, found))
      .map((found) => `${at(file, found.line)} imports ${found.typeOnly ? 'types of ' : ''}${found.to}`),
  )

/** Source files behind the entry points of package.json. */
const entries = Object.entries(manifest.exports).flatMap(([name, target]) =>
  typeof target === 'string' ? [] : [{ name, path: target.types.replace('./dist/', '').replace('.d.ts', '.ts') }],
)

const isAllowed = (from: string, found: Import): boolean => {
  // The types of requests and of the app's own user are everybody's.
  if (found.typeOnly && found.to === 'src/fastify.ts') return true
  const [fromRoom, fromLevel] = roomOf(from) ?? ['', -1]
  const [toRoom, toLevel] = roomOf(found.to) ?? ['', Number.POSITIVE_INFINITY]
  return fromRoom === toRoom || toLevel < fromLevel || (toLevel === fromLevel && openLevels.includes(toLevel))
}

test('every source file has a room', () => {
  none(
    product.map(({ path }) => path).filter((path) => !roomOf(path)),
    'not in the table of rooms',
  )
})

test('a relative import leads to a source file', () => {
  none(
    breaches(sources, (_, { to, isPackage }) => !isPackage && !byPath.has(to)),
    'no such source',
  )
})

test('imports go to rooms with lower numbers', () => {
  none(
    breaches(product, ({ path }, found) => !found.isPackage && !isAllowed(path, found)),
    'against the arrows',
  )
})

test('schemas import nothing but TypeBox and each other', () => {
  const schemas = product.filter(({ path }) => path.startsWith('schemas/'))
  none(
    breaches(schemas, (_, { to }) => to !== '@sinclair/typebox' && !to.startsWith('schemas/')),
    'foreign to the wire contract',
  )
})

test('services are free of Fastify', () => {
  const services = product.filter(({ path }) => path.startsWith('src/accounts/'))
  const fastifys = (name: string): boolean => /^(@?fastify\b|fastify-)/.test(name)
  none(
    breaches(services, (_, { to, isPackage, typeOnly }) => isPackage && !typeOnly && fastifys(to)),
    'values of Fastify in a service',
  )
})

test('only the composition root knows adapters', () => {
  const others = product.filter(({ path }) => {
    const level = roomOf(path)?.[1] ?? 0
    return level > 2 && level < 7
  })
  none(
    breaches(others, (_, { to }) => adapters.some((adapter) => to.startsWith(adapter))),
    'an adapter where there should be a port',
  )
})

test('route groups do not import each other', () => {
  const groupOf = (path: string): string | undefined => /^src\/routes\/([^/.]+)/.exec(path)?.[1]
  const groups = new Set(['account', 'session', 'bearer', 'management', 'email', 'oauth'])
  const isOther = (from: string, to: string): boolean => {
    const group = groupOf(to)
    return group !== undefined && groups.has(group) && groupOf(from) !== group
  }
  const routes = product.filter(({ path }) => path.startsWith('src/routes/'))
  none(
    breaches(routes, ({ path }, { to }) => isOther(path, to)),
    'a group that needs another group',
  )
})

for (const { name, at: places, typesAt = [] } of confined) {
  test(`${name} is imported in its own places only`, () => {
    const isPlace = (path: string, typeOnly: boolean): boolean =>
      [...places, ...(typeOnly ? typesAt : [])].some((place) => path.startsWith(place))
    none(
      breaches(product, ({ path }, { to, typeOnly }) => to === name && !isPlace(path, typeOnly)),
      `${name} at large`,
    )
  })
}

test('the product does not import its published test kits', () => {
  none(
    breaches(product, (_, { to }) => to.startsWith(outside)),
    'a kit in the product',
  )
})

test('no source imports itself by way of others', () => {
  const counted = (found: Import): boolean => !(found.typeOnly && found.to === 'src/fastify.ts')
  const cycles: string[] = []
  const done = new Set<string>()
  const visit = (path: string, trail: string[]): void => {
    const start = trail.indexOf(path)
    if (start >= 0) cycles.push([...trail.slice(start), path].join(' → '))
    if (start >= 0 || done.has(path)) return
    for (const found of byPath.get(path)?.imports ?? []) if (!found.isPackage && counted(found)) visit(found.to, [...trail, path])
    done.add(path)
  }
  for (const { path } of sources) visit(path, [])
  none(cycles, 'cycles')
})

for (const { name, path } of entries) {
  test(`"${name}" loads only what an installation brings`, () => {
    const entry = byPath.get(path)
    assert.ok(entry, `no source for the entry point: ${path}`)
    // An optional peer is there for those who import its own entry point.
    const own = Object.keys(manifest.peerDependencies).filter((peer) => peer === 'fastify' || name.endsWith(`/${peer}`))
    const brought = new Set([...Object.keys(manifest.dependencies), ...own])
    const reached = new Set([entry])
    for (const file of reached) {
      for (const found of file.imports) {
        const next = found.typeOnly ? undefined : byPath.get(found.to)
        if (next) reached.add(next)
      }
    }
    const foreign = ({ to, isPackage, typeOnly }: Import): boolean =>
      isPackage && !typeOnly && !to.startsWith('node:') && !brought.has(to)
    none(
      breaches([...reached], (_, found) => foreign(found)),
      'not a dependency',
    )
  })
}

test('an export is imported by another source or published', () => {
  const used = new Map<string, Set<string>>()
  for (const file of sources) {
    for (const { to, names } of file.imports) {
      const known = used.get(to) ?? new Set()
      used.set(to, known)
      for (const name of names) known.add(name)
    }
  }
  const published = new Set(entries.map(({ path }) => path))
  const dead = sources
    .filter(({ path }) => path.startsWith('src/') && !published.has(path))
    .flatMap((file) => {
      const known = used.get(file.path)
      const unused = file.exports.filter(({ name }) => !known?.has(name) && !known?.has('*'))
      return unused.map(({ name, line }) => `${at(file, line)} ${name}`)
    })
  none(dead, 'nobody imports')
})

test(`no source is longer than ${maxLines} lines`, () => {
  const long = [...sources, ...readSources('scripts', 'examples')].filter(({ lines }) => lines > maxLines)
  none(
    long.map(({ path, lines }) => `${path} has ${lines}`),
    'too long',
  )
})

test('imports are told from types, and packages from files', () => {
  const text = `
    import createError, { type A, b as c } from '@fastify/error'
    import type { D } from '../ports/d.js'
    import * as e from './e.js'
    export { f, g as h } from './f.js'
    export type { I } from 'kysely/helpers/postgres'
    export const j = 1, { k, l: [m] } = n
    export default function o(p: import('./p.js').P) { return import('node:fs') }
    export interface Q {}
    const r = 1
    export { r as s }`
  const file = parseSource('src/users/x.ts', text)
  const summary = file.imports.map(({ to, typeOnly, names }) => [to, typeOnly, names.join()])
  assert.deepEqual(summary, [
    ['@fastify/error', false, 'default,A,b'],
    ['src/ports/d.ts', true, 'D'],
    ['src/users/e.ts', false, '*'],
    ['src/users/f.ts', false, 'f,g'],
    ['kysely', true, 'I'],
    ['src/users/p.ts', true, 'P'],
    ['node:fs', false, '*'],
  ])
  assert.deepEqual(
    file.exports.map(({ name }) => name),
    ['j', 'k', 'm', 'default', 'Q', 's'],
  )
})
