/**
 * `npm run openapi` writes `docs/openapi.json`: every route that the plugin can mount, as an app with @fastify/swagger shows
 * them. With `--check` it writes nothing and fails when the file is not up to date.
 */
import { generateKeyPairSync } from 'node:crypto'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import swagger from '@fastify/swagger'
import Fastify from 'fastify'
import crudAuth, { bearerTransport, memoryUsers, sessionTransport } from '../src/index.js'

const root = fileURLToPath(new URL('..', import.meta.url))
const file = join(root, 'docs', 'openapi.json')

/** Members in the order of the alphabet, so that the text changes only where its meaning does. */
function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted)
  if (typeof value !== 'object' || value === null) return value
  const entries = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1))
  return Object.fromEntries(entries.map(([name, member]) => [name, sorted(member)]))
}

/** The document shows only that there are keys; public ones alone would leave `/token` and `/refresh` out. */
const { privateKey } = generateKeyPairSync('ed25519')

/** The document of an app with everything mounted, as it stands in `docs/openapi.json`. */
export async function openapiText(): Promise<string> {
  const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as Record<'version' | 'description', string>
  const app = Fastify()
  try {
    await app.register(swagger, {
      openapi: {
        openapi: '3.1.0',
        info: {
          title: 'fastify-crudauth',
          description: manifest.description,
          version: manifest.version,
          license: { name: 'MIT', identifier: 'MIT' },
        },
        // Paths are relative to where the app mounts them.
        servers: [{ url: '/' }],
        tags: [
          { name: 'account', description: 'Accounts and their passwords' },
          { name: 'session', description: 'Signing in and out by cookie' },
          { name: 'management', description: 'Devices and the CSRF token' },
          { name: 'bearer', description: 'Access tokens and refresh tokens' },
        ],
      },
    })
    await app.register(crudAuth, {
      secret: 'never signs anything: U7fQ2mXw9LrT4bKz',
      users: memoryUsers(),
      transports: [
        sessionTransport({ managementRoutes: true }),
        bearerTransport({ refresh: 'body', keys: [{ kid: 'example', alg: 'EdDSA', privateKey }], jwks: true }),
      ],
      // One hash is made at start-up; nobody signs in here.
      passwords: { cost: { memoryKiB: 8, iterations: 1, parallelism: 1 } },
    })
    await app.ready()
    return `${JSON.stringify(sorted(app.swagger()), null, 2)}\n`
  } finally {
    await app.close()
  }
}

/** @returns the exit code */
async function main(check: boolean): Promise<number> {
  const text = await openapiText()
  const before = existsSync(file) ? readFileSync(file, 'utf8') : null
  if (before === text) return 0
  if (check) {
    console.error('docs/openapi.json is not up to date; run "npm run openapi" and commit the file')
    return 1
  }
  writeFileSync(file, text)
  console.log('docs/openapi.json written')
  return 0
}

if (process.argv[1] !== undefined && resolve(process.argv[1]) === fileURLToPath(import.meta.url)) {
  process.exitCode = await main(process.argv.includes('--check'))
}
