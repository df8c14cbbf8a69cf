/**
 * `npm run openapi` writes `docs/openapi.json`: all routes that the plugin can mount, as documented
 * by @fastify/swagger. With `--check` it writes nothing and fails if the file is out of date.
 */
import { generateKeyPairSync } from 'node:crypto'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import swagger from '@fastify/swagger'
import Fastify from 'fastify'
import crudAuth, {
  bearerTransport,
  memoryPasskeys,
  memoryUsers,
  type OAuthProvider,
  oidc,
  sessionTransport,
} from '../src/index.js'

const root = fileURLToPath(new URL('..', import.meta.url))
const file = join(root, 'docs', 'openapi.json')

/** Sorts members by name, so that the file changes only if its meaning does. */
function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted)
  if (typeof value !== 'object' || value === null) return value
  const entries = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1))
  return Object.fromEntries(entries.map(([name, member]) => [name, sorted(member)]))
}

/** Without a private key, `/token` and `/refresh` would not be mounted. */
const { privateKey } = generateKeyPairSync('ed25519')

interface Document {
  readonly paths: Record<
    string,
    Record<string, { description?: string; responses: Record<string, { description: string }> }>
  >
}

const never = (): never => {
  throw new Error('nothing is sent here')
}

/** Never contacted. With `form_post`, as for Apple, the POST callback is mounted too. */
const provider: OAuthProvider = {
  ...oidc({
    issuer: 'https://login.example.com',
    authorizationEndpoint: 'https://login.example.com/authorize',
    tokenEndpoint: 'https://login.example.com/token',
    jwksUri: 'https://login.example.com/jwks',
    clientId: 'app',
    clientSecret: 'never sent',
  }),
  responseMode: 'form_post',
}

/** The document of an app with all groups. The group `email` requires `hasDelivery`. */
async function documentOf(hasDelivery: boolean): Promise<Document> {
  const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as Record<
    'version' | 'description',
    string
  >
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
          { name: 'email', description: 'Verification, forgotten passwords, change of address' },
          { name: 'oauth', description: 'Signing in at providers, and linking accounts there' },
          { name: 'mfa', description: 'The second factor: codes and passkeys' },
          { name: 'passkeys', description: 'Signing in with passkeys, and managing them' },
        ],
      },
    })
    await app.register(crudAuth, {
      secret: 'never signs anything: U7fQ2mXw9LrT4bKz',
      users: memoryUsers(),
      transports: [
        sessionTransport({ managementRoutes: true }),
        bearerTransport({
          refresh: 'body',
          keys: [{ kid: 'example', alg: 'EdDSA', privateKey }],
          jwks: true,
        }),
      ],
      oauth: { baseUrl: 'https://app.example.com', providers: { google: provider } },
      mfa: { issuer: 'Example', encryptionKeys: 'encrypts nothing: Zp4Ny8SfKe1Uo6HdGa3Qi' },
      passkeys: {
        rpName: 'Example',
        rpId: 'example.com',
        origins: ['https://app.example.com'],
        store: memoryPasskeys(),
      },
      ...(hasDelivery && {
        email: { sender: { send: never }, frontendUrl: 'https://app.example.com' },
      }),
      // The plugin hashes once at start-up, and this app serves no requests.
      passwords: { cost: { memoryKiB: 8, iterations: 1, parallelism: 1 } },
    })
    await app.ready()
    return app.swagger() as unknown as Document
  } finally {
    await app.close()
  }
}

/**
 * The content of `docs/openapi.json`: the document of an app with all routes.
 * Only `/register` responds differently with and without delivery, so it shows both responses.
 */
export async function openapiText(): Promise<string> {
  const [document, without] = [await documentOf(true), await documentOf(false)]
  const [register, plain] = [document.paths['/register']?.post, without.paths['/register']?.post]
  const created = plain?.responses['201']
  const [accepted, taken] = [register?.responses['202'], register?.responses['409']]
  if (!register || !created || !accepted || !taken)
    throw new Error('/register answers neither 201 nor 202')
  register.description =
    'With delivery configured the answer is 202, for a new and for a known address alike, and whoever owns a known one is told by a message. Without delivery it is 201 with the account, and 409 for a known address.'
  register.responses['201'] = { ...created, description: 'Without delivery: the account' }
  accepted.description = 'With delivery: the account was made, or the owner of the address was told'
  taken.description =
    'The username is taken; without delivery, the email or the username (CRUDAUTH_DUPLICATE)'
  return `${JSON.stringify(sorted(document), null, 2)}\n`
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
