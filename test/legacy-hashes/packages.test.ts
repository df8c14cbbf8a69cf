import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { test } from 'node:test'
import { pathToFileURL } from 'node:url'
import { root } from '../../scripts/source-graph.js'
import { vectorSets } from '../helpers/legacy-vectors.js'

const source = (path: string) => JSON.stringify(pathToFileURL(join(root, 'src', path)).href)

/** Runs code in a process that finds none of these packages. Returns what it prints. */
function runWithout(missing: readonly string[], code: string): string {
  const hook = `
    export async function resolve(specifier, context, next) {
      if (${JSON.stringify(missing)}.includes(specifier))
        throw Object.assign(new Error('Cannot find package'), { code: 'ERR_MODULE_NOT_FOUND' })
      return next(specifier, context)
    }`
  const register = `
    import { register } from 'node:module'
    register('data:text/javascript,' + ${JSON.stringify(encodeURIComponent(hook))})`
  const { stdout, stderr, status } = spawnSync(
    process.execPath,
    [
      ...['--import', 'tsx'],
      ...['--import', `data:text/javascript,${encodeURIComponent(register)}`],
      ...['--input-type=module', '--eval', code],
    ],
    { cwd: root, encoding: 'utf8' },
  )
  assert.equal(status, 0, stderr)
  return stdout.trim()
}

const boot = `
  import Fastify from 'fastify'
  import crudAuth, { memoryUsers } from ${source('index.ts')}
  import * as kit from ${source('legacy-hashes/index.ts')}
  const secret = 'k3J9x0Qm2Zr8Lw5Vt1Bn7Hc4Yd6Pf0Gs-test'
  for (const name of ['bcryptHashes', 'crudauthHashes', 'phpassHashes', 'djangoHashes']) {
    const app = Fastify()
    const passwords = { legacy: [kit[name]] }
    try {
      await app.register(crudAuth, { secret, users: memoryUsers(), passwords })
      await app.ready()
      console.log(name, 'starts')
    } catch ({ code, message }) {
      console.log(name, code, message)
    }
    await app.close().catch(() => {})
  }`

test('without a bcrypt package, registration with a bcrypt verifier fails and names the cure', () => {
  const [bcrypt, crudauth, phpass, django] = runWithout(
    ['@node-rs/bcrypt', 'bcryptjs'],
    boot,
  ).split('\n')
  for (const line of [bcrypt, crudauth, phpass]) {
    assert.match(
      String(line),
      /Hashes CRUDAUTH_CONFIG "passwords\.legacy" has a verifier of bcrypt/,
    )
    assert.match(String(line), /install one: npm install @node-rs\/bcrypt$/)
  }
  assert.equal(django, 'djangoHashes starts')
})

for (const [present, missing] of [
  ['bcryptjs', '@node-rs/bcrypt'],
  ['@node-rs/bcrypt', 'bcryptjs'],
] as const) {
  test(`${present} alone verifies bcrypt hashes of every revision`, () => {
    const vectors = [
      ...vectorSets.bcryptHashes.vectors.map((vector) => ({ ...vector, name: 'bcryptHashes' })),
      ...vectorSets.crudauthHashes.vectors
        .filter(({ slow = false }) => !slow)
        .map((vector) => ({ ...vector, name: 'crudauthHashes' })),
      ...vectorSets.phpassHashes.vectors
        .filter(({ hash }) => hash.startsWith('$wp'))
        .map((vector) => ({ ...vector, name: 'phpassHashes' })),
    ]
    const printed = runWithout(
      [missing],
      `import * as kit from ${source('legacy-hashes/index.ts')}
      const results = []
      for (const { name, hash, password } of ${JSON.stringify(vectors)}) {
        results.push(await kit[name].verify(hash, password))
        results.push(await kit[name].verify(hash, 'x' + password))
      }
      console.log(results.join())`,
    )
    assert.ok(vectors.length > 6)
    assert.equal(printed, vectors.map(() => 'true,false').join())
  })
}
