import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { readSources, root } from '../../scripts/source-graph.js'

interface Manifest {
  engines: Record<string, string>
  type: string
  sideEffects: boolean
  license: string
  files: string[]
  bin: Record<string, string>
  exports: Record<string, string | Record<string, string>>
  scripts: Record<string, string>
  dependencies: Record<string, string>
  peerDependencies: Record<string, string>
  peerDependenciesMeta: Record<string, { optional: boolean }>
}

const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as Manifest
const imports = readSources('src', 'schemas').flatMap((file) =>
  file.imports.filter(({ isPackage, to }) => isPackage && !to.startsWith('node:')),
)

/** What an installation may bring. A further one is a decision: it is audited, updated and trusted by every app. */
const dependencies = [
  '@fastify/ajv-compiler',
  '@fastify/busboy',
  '@fastify/cookie',
  '@fastify/error',
  '@fastify/fast-json-stringify-compiler',
  '@fastify/formbody',
  '@node-rs/argon2',
  '@sinclair/typebox',
  'bowser',
  'fast-jwt',
  'fastify-plugin',
  'ioredis',
  'lru-cache',
  'oauth4webapi',
  'otpauth',
  '@simplewebauthn/server',
  'undici',
]

test('package.json: has only approved dependencies', () => {
  const further = Object.keys(manifest.dependencies).filter((name) => !dependencies.includes(name))
  assert.deepEqual(further, [])
})

test('package.json: every dependency is used, and every used package is declared', () => {
  const used = new Set(imports.map(({ to }) => to))
  assert.deepEqual(
    Object.keys(manifest.dependencies).filter((name) => !used.has(name)),
    [],
    'not imported',
  )
  const declared = { ...manifest.dependencies, ...manifest.peerDependencies }
  assert.deepEqual(
    [...used].filter((name) => !(name in declared)),
    [],
    'not declared',
  )
})

test('package.json: fastify is the only required peer dependency', () => {
  const required = Object.keys(manifest.peerDependencies).filter(
    (name) => !manifest.peerDependenciesMeta[name]?.optional,
  )
  assert.deepEqual(required, ['fastify'])
})

test('package.json: every entry point has types, code and a source file', () => {
  for (const [name, target] of Object.entries(manifest.exports)) {
    if (name === './package.json') continue
    assert.ok(typeof target === 'object', name)
    // The first condition that matches wins: types after code would never be read.
    assert.deepEqual(Object.keys(target), ['types', 'default'], name)
    const source = target.default?.replace('./dist/', '').replace(/\.js$/, '.ts') ?? ''
    assert.equal(target.types?.replace('.d.ts', '.js'), target.default, name)
    assert.ok(existsSync(join(root, source)), `${name}: no ${source}`)
  }
})

test('package.json: the command line has a source file that Node can run', () => {
  assert.deepEqual(Object.keys(manifest.bin), ['fastify-crudauth'])
  const source = manifest.bin['fastify-crudauth']?.replace('./dist/', '').replace(/\.js$/, '.ts')
  assert.match(readFileSync(join(root, source ?? ''), 'utf8'), /^#!\/usr\/bin\/env node\n/)
})

test('package.json: module type, side effects, license, engines and files are set', () => {
  assert.equal(manifest.type, 'module')
  assert.equal(manifest.sideEffects, false)
  assert.equal(manifest.license, 'MIT')
  assert.deepEqual(manifest.engines, { node: '>=20.19' })
  for (const name of [
    ...manifest.files.filter((file) => file !== 'dist' && !file.startsWith('!')),
    'README.md',
    'LICENSE',
  ]) {
    assert.ok(existsSync(join(root, name)), `${name} is listed but missing`)
  }
})

test('package.json: the file of every script exists', () => {
  for (const [name, command] of Object.entries(manifest.scripts)) {
    const path = / ((?:scripts|examples|benchmarks)\/\S+)/.exec(command)?.[1]
    if (path) assert.ok(existsSync(join(root, path)), `npm run ${name}: no ${path}`)
  }
})
