import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import {
  type Import,
  parseSource,
  readSources,
  root,
  type SourceFile,
} from '../scripts/source-graph.js'

/** Rooms by the start of their path, from the ground up; an import stays in its room or goes to a lower floor. */
const rooms: [room: string, floor: number][] = [
  ['schemas/', 0],
  ['src/errors.ts', 0],
  ['src/ports/', 0],
  ['src/lib/', 1],
  ['src/sql/', 1],
  ['src/crypto/', 1],
  ['src/events.ts', 2],
  ['src/client/', 1],
  ['src/http/', 2],
  ['src/state/', 2],
  ['src/user-stores/', 2],
  ['src/oauth-accounts/', 2],
  ['src/passkey-stores/', 2],
  ['src/email-senders/', 2],
  ['src/legacy-hashes/', 2],
  ['src/core/', 3],
  ['src/gates/', 4],
  ['src/groups/', 5],
  ['src/features/', 6],
  ['src/plugin.ts', 7],
  ['src/index.ts', 8],
  ['src/cli/', 9],
]

/** On the ground floor nothing is built on anything, so its rooms may use each other. */
const openFloors = [0]

/** The published kits stand outside: they may import anything of the product, which imports nothing of them. */
const outside = 'src/testing/'

/** Packages and the only places that may import them. */
const confined: { name: string; at: string[]; typesAt?: string[] }[] = [
  {
    name: 'ioredis',
    at: ['src/state/redis/'],
    typesAt: ['src/core/option-types.ts', 'src/state/open.ts'],
  },
  { name: 'undici', at: ['src/features/oauth/protocol/http-client.ts'] },
  { name: 'oauth4webapi', at: ['src/features/oauth/protocol/'] },
  { name: 'fast-jwt', at: ['src/features/bearer/', 'src/features/oauth/providers/apple.ts'] },
  {
    name: '@node-rs/argon2',
    at: ['src/core/passwords/argon2.ts', 'src/legacy-hashes/django.ts'],
  },
  { name: '@node-rs/bcrypt', at: ['src/legacy-hashes/load-bcrypt.ts'] },
  { name: 'bcryptjs', at: ['src/legacy-hashes/load-bcrypt.ts'] },
  { name: 'otpauth', at: ['src/features/mfa/totp.ts'] },
  { name: '@simplewebauthn/server', at: ['src/features/passkeys/webauthn.ts'] },
  { name: 'bowser', at: ['src/http/client-info.ts'] },
  { name: '@fastify/cookie', at: ['src/http/cookies.ts'] },
  { name: '@fastify/busboy', at: ['src/groups/body-parsers.ts'] },
  { name: '@fastify/formbody', at: ['src/groups/body-parsers.ts'] },
  {
    name: 'kysely',
    at: [
      'src/sql/kysely/',
      'src/state/kysely/',
      'src/user-stores/kysely/',
      'src/oauth-accounts/kysely.ts',
      'src/passkey-stores/kysely.ts',
    ],
  },
  { name: 'drizzle-orm', at: ['src/sql/drizzle/'] },
  { name: '@prisma/client', at: [] },
  { name: 'nodemailer', at: ['src/email-senders/'] },
  { name: 'typescript', at: [] },
]

/** What services see of these is their ports. */
const adapters = [
  'src/state/',
  'src/sql/',
  'src/user-stores/',
  'src/oauth-accounts/',
  'src/passkey-stores/',
  'src/email-senders/',
  'src/legacy-hashes/',
]

/** Optional peers that an entry point loads when they are needed. */
const onDemand: Record<string, string[]> = { './legacy': ['@node-rs/bcrypt', 'bcryptjs'] }

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
const none = (found: string[], rule: string): void =>
  assert.equal(found.length, 0, `${rule}:\n  ${found.join('\n  ')}`)

/** Every import of some files that breaks a rule, as a line to read. */
const breaches = (
  files: SourceFile[],
  breaks: (file: SourceFile, found: Import) => boolean,
): string[] =>
  files.flatMap((file) =>
    file.imports
      .filter((found) => breaks(file, found))
      .map(
        (found) =>
          `${at(file, found.line)} imports ${found.typeOnly ? 'types of ' : ''}${found.to}`,
      ),
  )

/** Source files behind the entry points of package.json. */
const entries = Object.entries(manifest.exports).flatMap(([name, target]) =>
  typeof target === 'string'
    ? []
    : [{ name, path: target.types.replace('./dist/', '').replace('.d.ts', '.ts') }],
)

const isAllowed = (from: string, found: Import): boolean => {
  const [fromRoom, fromFloor] = roomOf(from) ?? ['', -1]
  const [toRoom, toFloor] = roomOf(found.to) ?? ['', Number.POSITIVE_INFINITY]
  return (
    fromRoom === toRoom ||
    toFloor < fromFloor ||
    (toFloor === fromFloor && openFloors.includes(toFloor))
  )
}

test('architecture: every source file is in a known layer', () => {
  none(
    product.map(({ path }) => path).filter((path) => !roomOf(path)),
    'not in the table of rooms',
  )
})

test('architecture: every relative import has a source file', () => {
  none(
    breaches(sources, (_, { to, isPackage }) => !isPackage && !byPath.has(to)),
    'no such source',
  )
})

test('architecture: imports only point to lower layers', () => {
  none(
    breaches(product, ({ path }, found) => !found.isPackage && !isAllowed(path, found)),
    'against the arrows',
  )
})

test('architecture: schemas import only TypeBox and each other', () => {
  const schemas = product.filter(({ path }) => path.startsWith('schemas/'))
  none(
    breaches(schemas, (_, { to }) => to !== '@sinclair/typebox' && !to.startsWith('schemas/')),
    'foreign to the wire contract',
  )
})

test('architecture: core imports only types of Fastify', () => {
  const services = product.filter(({ path }) => path.startsWith('src/core/'))
  const fastifys = (name: string): boolean => /^(@?fastify\b|fastify-)/.test(name)
  none(
    breaches(services, (_, { to, isPackage, typeOnly }) => isPackage && !typeOnly && fastifys(to)),
    'values of Fastify in core',
  )
})

test('architecture: only plugin.ts and the entry points import adapters', () => {
  const others = product.filter(({ path }) => {
    const floor = roomOf(path)?.[1] ?? 0
    return floor > 2 && floor < 7
  })
  none(
    breaches(others, (_, { to }) => adapters.some((adapter) => to.startsWith(adapter))),
    'an adapter where there should be a port',
  )
})

const featureOf = (path: string): string | undefined => /^src\/features\/([^/]+)\//.exec(path)?.[1]

const isForeign = (from: string, to: string): boolean =>
  featureOf(to) !== undefined && featureOf(to) !== featureOf(from)

test("architecture: only a feature's index.ts is imported from outside its folder", () => {
  // The builders of providers are exports of the package, one file each.
  const isSeam = (to: string): boolean => /^src\/features\/[^/]+\/(index\.ts$|providers\/)/.test(to)
  none(
    breaches(product, ({ path }, { to }) => isForeign(path, to) && !isSeam(to)),
    'past the seam of a feature',
  )
})

test('architecture: in a feature only index.ts imports Core', () => {
  const services = product.filter(({ path }) => featureOf(path) && !/\/index\.ts$/.test(path))
  none(
    breaches(services, (_, { to }) => to === 'src/core/core.ts'),
    'a service that knows all of the core',
  )
})

test('architecture: features do not import each other', () => {
  const features = product.filter(({ path }) => featureOf(path))
  none(
    breaches(features, ({ path }, found) => isForeign(path, found.to)),
    'a feature that needs another feature',
  )
})

for (const { name, at: places, typesAt = [] } of confined) {
  test(`architecture: ${name} is imported only in its allowed files`, () => {
    const isPlace = (path: string, typeOnly: boolean): boolean =>
      [...places, ...(typeOnly ? typesAt : [])].some((place) => path.startsWith(place))
    none(
      breaches(product, ({ path }, { to, typeOnly }) => to === name && !isPlace(path, typeOnly)),
      `${name} at large`,
    )
  })
}

test('architecture: the product does not import its published test kits', () => {
  none(
    breaches(product, (_, { to }) => to.startsWith(outside)),
    'a kit in the product',
  )
})

test('architecture: there are no import cycles', () => {
  const cycles: string[] = []
  const done = new Set<string>()
  const visit = (path: string, trail: string[]): void => {
    const start = trail.indexOf(path)
    if (start >= 0) cycles.push([...trail.slice(start), path].join(' → '))
    if (start >= 0 || done.has(path)) return
    for (const found of byPath.get(path)?.imports ?? [])
      if (!found.isPackage) visit(found.to, [...trail, path])
    done.add(path)
  }
  for (const { path } of sources) visit(path, [])
  none(cycles, 'cycles')
})

for (const { name, path } of entries) {
  test(`architecture: "${name}" imports only declared dependencies`, () => {
    const entry = byPath.get(path)
    assert.ok(entry, `no source for the entry point: ${path}`)
    // An optional peer is there for those who import its own entry point.
    const own = Object.keys(manifest.peerDependencies).filter(
      (peer) =>
        peer === 'fastify' ||
        name.endsWith(`/${peer.replace('-orm', '')}`) ||
        onDemand[name]?.includes(peer),
    )
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

test('architecture: every export is imported by another source or published', () => {
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
  none(dead, 'not imported')
})

test(`architecture: no source is longer than ${maxLines} lines`, () => {
  const long = [...sources, ...readSources('scripts', 'examples')].filter(
    ({ lines }) => lines > maxLines,
  )
  none(
    long.map(({ path, lines }) => `${path} has ${lines}`),
    'too long',
  )
})

test('parseSource: distinguishes type imports from values, and packages from files', () => {
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
  const file = parseSource('src/user-stores/x.ts', text)
  const summary = file.imports.map(({ to, typeOnly, names }) => [to, typeOnly, names.join()])
  assert.deepEqual(summary, [
    ['@fastify/error', false, 'default,A,b'],
    ['src/ports/d.ts', true, 'D'],
    ['src/user-stores/e.ts', false, '*'],
    ['src/user-stores/f.ts', false, 'f,g'],
    ['kysely', true, 'I'],
    ['src/user-stores/p.ts', true, 'P'],
    ['node:fs', false, '*'],
  ])
  assert.deepEqual(
    file.exports.map(({ name }) => name),
    ['j', 'k', 'm', 'default', 'Q', 's'],
  )
})
