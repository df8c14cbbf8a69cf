import assert from 'node:assert/strict'
import { generateKeyPairSync } from 'node:crypto'
import { test } from 'node:test'
import {
  apple,
  discord,
  github,
  gitlab,
  google,
  microsoft,
  type OAuthProvider,
  oauth2,
  oidc,
} from '../../../src/index.js'

const client = { clientId: 'app', clientSecret: 'secret' }
const privateKey = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  .privateKey.export({ type: 'pkcs8', format: 'pem' })
  .toString()
const mapProfile = (claims: Readonly<Record<string, unknown>>) => ({
  id: `own ${claims.sub}`,
  email: 'ann@gmail.com',
  emailVerified: true,
})
const endpoints = {
  authorizationEndpoint: 'https://forge.example/authorize',
  tokenEndpoint: 'https://forge.example/token',
  userinfoEndpoint: 'https://forge.example/me',
}

const builders: Record<string, () => OAuthProvider> = {
  google: () => google({ ...client, mapProfile }),
  'google, all verified': () => google({ ...client, mapProfile, trustEmail: 'verified' }),
  github: () => github({ ...client, mapProfile }),
  microsoft: () => microsoft({ ...client, mapProfile }),
  apple: () =>
    apple({
      clientId: 'app',
      teamId: 'TEAM123456',
      keyId: 'KEY1234567',
      privateKey,
      mapProfile,
    }),
  gitlab: () => gitlab({ ...client, mapProfile }),
  discord: () => discord({ ...client, mapProfile }),
  oidc: () => oidc({ ...client, issuer: 'https://id.example', mapProfile }),
  oauth2: () => oauth2({ ...client, ...endpoints, mapProfile }),
}

for (const [name, make] of Object.entries(builders)) {
  test(`${name}: a custom mapProfile is used`, async () => {
    const profile = await make().mapProfile({ sub: '7' }, {})
    assert.deepEqual(profile, { id: 'own 7', email: 'ann@gmail.com', emailVerified: true })
  })
}
