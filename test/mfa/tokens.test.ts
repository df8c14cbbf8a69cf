import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { FastifyInstance } from 'fastify'
import { bearerTransport, currentUser, memoryUsers, sessionTransport } from '../../src/index.js'
import { answers, refusesOwn, setCookies } from '../helpers/answers.js'
import { asBearer, askRefresh, claimsOf, postJson } from '../helpers/bearer.js'
import { build, password } from '../helpers/build.js'
import { Client } from '../helpers/client.js'
import { deviceCookie } from '../helpers/hostile.js'
import { allowCodesAgain, codeAt, enrolledUser, mfaOptions } from '../helpers/mfa.js'

const scopes = { grantableScopes: ['notes', 'files'], defaultScopes: ['notes'] }

/** An app with sessions and tokens, and an enrolled user. */
async function withTokens(
  t: Parameters<typeof build>[0],
  bearer: Parameters<typeof bearerTransport>[0] = { refresh: 'body' },
) {
  const app = await build(t, {
    auth: {
      mfa: mfaOptions,
      users: memoryUsers(),
      transports: [
        sessionTransport({ managementRoutes: true }),
        bearerTransport({ ...scopes, ...bearer }),
      ],
    },
    routes(app) {
      app.get('/safe', { onRequest: currentUser({ mfa: true }) }, async ({ principal }) => ({
        amr: principal.amr,
        scopes: principal.scopes,
      }))
    },
  })
  return { app, ...(await enrolledUser(app, 'ada')) }
}

const askForTokens = async (app: FastifyInstance, more: object = {}) => {
  const response = await postJson(app, '/token', { username: 'ada', password, ...more })
  const body = answers(response, 200)
  assert.deepEqual(Object.keys(body).sort(), ['challenge', 'expires_in', 'mfa_required'])
  assert.deepEqual(setCookies(response), {})
  return body.challenge as string
}

describe('POST /token with a second factor', () => {
  test('POST /mfa/verify returns the tokens, with the scopes that were asked for', async (t) => {
    const { app, secret } = await withTokens(t)
    for (const [scope, granted] of [
      ['files notes', ['files', 'notes']],
      ['files unknown', ['files']],
      [undefined, ['notes']],
    ] as const) {
      const challenge = await askForTokens(app, { scope })
      refusesOwn(await asBearer(app, challenge), 'CRUDAUTH_INVALID_TOKEN')
      const response = await postJson(app, '/mfa/verify', { challenge, code: codeAt(secret) })
      const tokens = answers(response, 200)
      assert.deepEqual(Object.keys(tokens).sort(), [
        'access_token',
        'expires_in',
        'refresh_token',
        'scope',
        'token_type',
      ])
      assert.equal(response.headers.pragma, 'no-cache')
      assert.deepEqual(tokens.scope.split(' ').sort(), granted)
      const claims = claimsOf(tokens.access_token)
      assert.deepEqual(claims.amr, ['pwd', 'otp', 'mfa'])
      const safe = (await asBearer(app, tokens.access_token, '/safe')).json()
      assert.deepEqual(safe, {
        amr: ['pwd', 'otp', 'mfa'],
        scopes: claims.scope?.toString().split(' '),
      })
      await allowCodesAgain(app, 'ada')
    }
  })

  test('a recovery code leaves no value in the amr claim, but mfa', async (t) => {
    const { app, recoveryCodes } = await withTokens(t)
    const challenge = await askForTokens(app)
    const code = recoveryCodes[0] ?? ''
    const tokens = answers(await postJson(app, '/mfa/verify', { challenge, code }), 200)
    assert.deepEqual(claimsOf(tokens.access_token).amr, ['pwd', 'mfa'])
    assert.equal((await asBearer(app, tokens.access_token, '/safe')).statusCode, 200)
  })

  test('refreshed tokens keep the amr claim', async (t) => {
    const { app, secret } = await withTokens(t)
    const challenge = await askForTokens(app, { scope: 'files' })
    const verified = await postJson(app, '/mfa/verify', { challenge, code: codeAt(secret) })
    let { refresh_token: refresh } = answers(verified, 200)
    for (let round = 0; round < 3; round++) {
      const tokens = answers(await askRefresh(app, refresh), 200)
      assert.deepEqual(claimsOf(tokens.access_token).amr, ['pwd', 'otp', 'mfa'])
      assert.equal((await asBearer(app, tokens.access_token, '/safe')).statusCode, 200)
      refresh = tokens.refresh_token
    }
  })

  test('tokens from a password alone do not pass currentUser({ mfa: true })', async (t) => {
    const { app } = await withTokens(t)
    await new Client(app).register('bob')
    const tokens = answers(await postJson(app, '/token', { username: 'bob', password }), 200)
    assert.deepEqual(claimsOf(tokens.access_token).amr, ['pwd'])
    const refused = await asBearer(app, tokens.access_token, '/safe')
    assert.equal(refused.json().code, 'CRUDAUTH_MFA_REQUIRED')
    const { access_token: renewed } = answers(await askRefresh(app, tokens.refresh_token), 200)
    const again = await asBearer(app, renewed, '/safe')
    assert.equal(again.json().code, 'CRUDAUTH_MFA_REQUIRED')
  })

  test('refresh: cookie: the cookie comes with the code, and cross-site requests are refused', async (t) => {
    const { app, secret } = await withTokens(t, { refresh: 'cookie' })
    const challenge = await askForTokens(app)
    const body = { challenge, code: codeAt(secret) }
    const foreign = await postJson(app, '/mfa/verify', body, { 'sec-fetch-site': 'cross-site' })
    refusesOwn(foreign, 'CRUDAUTH_CROSS_SITE')
    assert.deepEqual(setCookies(foreign), {})
    const response = await postJson(app, '/mfa/verify', body)
    assert.equal(answers(response, 200).refresh_token, undefined)
    const names = Object.keys(setCookies(response))
    assert.ok(
      names.some((name) => name.includes('refresh')),
      String(names),
    )
  })

  test('refresh: body: cross-site requests pass, as at /token, and no cookie is set', async (t) => {
    const { app, secret } = await withTokens(t)
    const challenge = await askForTokens(app)
    const body = { challenge, code: codeAt(secret) }
    const foreign = { 'sec-fetch-site': 'cross-site', origin: 'https://other.example' }
    const response = await postJson(app, '/mfa/verify', body, foreign)
    answers(response, 200)
    assert.deepEqual(
      Object.keys(setCookies(response)).filter((name) => name !== deviceCookie),
      [],
    )
  })

  test('tokens whose claims replace the row: the routes of the second factor work', async (t) => {
    const { app, secret } = await withTokens(t, { refresh: 'body', statelessUser: true })
    const challenge = await askForTokens(app)
    const verified = await postJson(app, '/mfa/verify', { challenge, code: codeAt(secret) })
    const { access_token: token } = answers(verified, 200)
    assert.equal((await asBearer(app, token, '/safe')).statusCode, 200)
    assert.equal(answers(await asBearer(app, token, '/mfa'), 200).enabled, true)
    await allowCodesAgain(app, 'ada')
    const payload = { code: codeAt(secret) }
    const options = { method: 'POST', payload } as const
    answers(await asBearer(app, token, '/mfa/totp/disable', options), 200)
    const setup = { method: 'POST', payload: { password } } as const
    answers(await asBearer(app, token, '/mfa/totp/setup', setup), 200)
  })
})

test('bearer tokens only: completeLogin and the challenge use them', async (t) => {
  const app = await build(t, {
    auth: { mfa: mfaOptions, transports: [bearerTransport({ refresh: 'body' })] },
  })
  const client = new Client(app)
  await client.register('ada')
  const first = answers(await client.post('/token', { username: 'ada', password }), 200)
  const as = { headers: { authorization: `Bearer ${first.access_token}` } }
  const setup = answers(await client.post('/mfa/totp/setup', { password }, as), 200)
  const code = codeAt(setup.secret)
  answers(await client.post('/mfa/totp/confirm', { code }, as), 200)
  const { challenge } = answers(await client.post('/token', { username: 'ada', password }), 200)
  refusesOwn(await client.post('/mfa/verify', { challenge, code }), 'CRUDAUTH_MFA_CODE')
  const next = codeAt(setup.secret, Date.now() + 30_000)
  const tokens = answers(await client.post('/mfa/verify', { challenge, code: next }), 200)
  answers(await asBearer(app, tokens.access_token), 200)
})
