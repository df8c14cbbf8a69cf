import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as oauth from 'oauth4webapi'
import { bearerTransport } from '../../src/index.js'
import { listenOn, pairFor } from '../helpers/bearer.js'
import { build, password } from '../helpers/build.js'
import { Client } from '../helpers/client.js'

test('oauth4webapi: a generic client signs in, refreshes, handles errors and reads the JWKS', async (t) => {
  const issuer = 'https://auth.example.com'
  const app = await build(t, {
    auth: {
      prefix: '/auth',
      transports: [
        bearerTransport({
          refresh: 'body',
          issuer,
          audience: 'api',
          grantableScopes: ['read', 'write'],
          keys: [{ kid: 'k', alg: 'ES256', privateKey: pairFor('ES256').privateKey }],
          jwks: true,
        }),
      ],
    },
    routes(app) {
      app.get('/writes', { onRequest: app.currentUser({ scopes: ['write'] }) }, async () => ({}))
    },
  })
  await new Client(app, '/auth').register('ann')
  const base = `http://127.0.0.1:${await listenOn(app)}`
  const client: oauth.Client = { client_id: 'front' }
  const insecure = { [oauth.allowInsecureRequests]: true }
  const at = (path: string): oauth.AuthorizationServer => ({
    issuer,
    token_endpoint: `${base}/auth${path}`,
    jwks_uri: `${base}/.well-known/jwks.json`,
  })

  // The plugin ignores parameters that a generic client adds to the body, such as client_id.
  const answer = await oauth.genericTokenEndpointRequest(
    at('/token'),
    client,
    oauth.None(),
    'password',
    { username: 'ann', password, scope: 'read' },
    insecure,
  )
  const first = await oauth.processGenericTokenEndpointResponse(at('/token'), client, answer)
  assert.equal(first.token_type, 'bearer')
  assert.equal(first.scope, 'read')
  assert.equal(first.expires_in, 900)

  const refreshed = await oauth.refreshTokenGrantRequest(
    at('/refresh'),
    client,
    oauth.None(),
    first.refresh_token ?? '',
    insecure,
  )
  const second = await oauth.processRefreshTokenResponse(at('/refresh'), client, refreshed)
  assert.notEqual(second.refresh_token, first.refresh_token)

  const me = await oauth.protectedResourceRequest(
    second.access_token,
    'GET',
    new URL(`${base}/auth/me`),
    undefined,
    undefined,
    insecure,
  )
  assert.equal(((await me.json()) as { username: string }).username, 'ann')
  // The client parses WWW-Authenticate as the RFC defines it, and throws the challenge.
  await assert.rejects(
    oauth.protectedResourceRequest(
      'forged',
      'GET',
      new URL(`${base}/auth/me`),
      undefined,
      undefined,
      insecure,
    ),
    (error: oauth.WWWAuthenticateChallengeError) => {
      assert.deepEqual(error.cause[0]?.scheme, 'bearer')
      assert.equal(error.cause[0]?.parameters.error, 'invalid_token')
      return true
    },
  )
  await assert.rejects(
    oauth.protectedResourceRequest(
      second.access_token,
      'GET',
      new URL(`${base}/writes`),
      undefined,
      undefined,
      insecure,
    ),
    (error: oauth.WWWAuthenticateChallengeError) => {
      assert.deepEqual(
        { ...error.cause[0]?.parameters },
        { error: 'insufficient_scope', scope: 'write' },
      )
      return true
    },
  )

  // Validates the token like an RFC 9068 resource server: key set, iss, aud, exp and typ.
  const request = new Request(`${base}/x`, {
    headers: { authorization: `Bearer ${second.access_token}` },
  })
  const validate = () => oauth.validateJwtAccessToken(at(''), request, 'api', insecure)
  const missing = await validate().then(
    () => null,
    (error: Error) => error.message,
  )
  assert.match(
    String(missing),
    /client_id/,
    'the one claim of RFC 9068 that has no meaning here: there are no OAuth clients',
  )
})
