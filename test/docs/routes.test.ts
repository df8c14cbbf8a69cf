import assert from 'node:assert/strict'
import { generateKeyPairSync } from 'node:crypto'
import { test } from 'node:test'
import Fastify from 'fastify'
import crudAuth, { bearerTransport, memoryUsers, oidc, sessionTransport } from '../../src/index.js'
import { cheap, secret } from '../helpers/build.js'
import { mfaOptions } from '../helpers/mfa.js'
import { passkeyOptions } from '../helpers/passkeys.js'
import { page, tableRows } from './documents.js'

test('docs/routes.md: lists exactly the mounted routes', async (t) => {
  const mounted: string[] = []
  const app = Fastify({ exposeHeadRoutes: false })
  t.after(() => app.close())
  app.addHook('onRoute', ({ method, url, schema }) => {
    // Skips hidden routes, which only keep URLs with secrets out of the log.
    if ((schema as { hide?: boolean } | undefined)?.hide) return
    for (const verb of [method].flat()) mounted.push(`${verb} ${url.replace(/:(\w+)/g, '{$1}')}`)
  })
  const keys = [
    { kid: 'docs', alg: 'EdDSA', privateKey: generateKeyPairSync('ed25519').privateKey },
  ] as const
  const provider = oidc({
    issuer: 'https://login.example.com',
    clientId: 'app',
    clientSecret: 'never sent',
  })
  await app.register(crudAuth, {
    secret,
    users: memoryUsers(),
    passwords: { cost: cheap },
    transports: [
      sessionTransport({ managementRoutes: true }),
      bearerTransport({ keys, jwks: true }),
    ],
    email: { sender: { send() {} }, frontendUrl: 'https://app.example.com' },
    oauth: {
      baseUrl: 'https://app.example.com',
      providers: { google: { ...provider, responseMode: 'form_post' } },
    },
    mfa: mfaOptions,
    passkeys: passkeyOptions(),
  })
  await app.ready()
  const documented = tableRows(page('docs/routes.md')).flatMap(
    ([route = '']) => /^`((?:GET|POST|PATCH|DELETE) \/.*)`$/.exec(route)?.[1] ?? [],
  )
  assert.deepEqual(documented.sort(), mounted.sort())
})
