import assert from 'node:assert/strict'
import { test } from 'node:test'
import { answers, refusesOwn, setCookies } from '../helpers/answers.js'
import { build } from '../helpers/build.js'
import { Client } from '../helpers/client.js'
import { codesAround, enrolledUser, mfaOptions, wrongCode } from '../helpers/mfa.js'

test('mfa: a sign-in with a password and a code', async (t) => {
  const app = await build(t, { auth: { mfa: mfaOptions } })
  const { client: owner, secret, recoveryCodes } = await enrolledUser(app, 'ada')
  assert.equal(recoveryCodes.length, 10)
  const client = new Client(app)
  const login = await client.login('ada')
  const challenge = answers(login, 200)
  assert.deepEqual(Object.keys(challenge).sort(), ['challenge', 'expires_in', 'mfa_required'])
  assert.match(challenge.challenge, /^[\w-]{43}$/)
  assert.deepEqual(setCookies(login), {})
  refusesOwn(await client.get('/me'), 'CRUDAUTH_UNAUTHENTICATED')
  const wrong = { challenge: challenge.challenge, code: wrongCode(secret) }
  refusesOwn(await client.post('/mfa/verify', wrong), 'CRUDAUTH_MFA_CODE')
  const right = { challenge: challenge.challenge, code: codesAround(secret).current }
  const verified = await client.post('/mfa/verify', right)
  const body = answers(verified, 200)
  assert.deepEqual(Object.keys(body).sort(), ['csrf_token', 'id', 'username'])
  assert.equal(answers(await client.get('/me'), 200).username, 'ada')
  answers(await owner.get('/me'), 200)
  refusesOwn(await client.post('/mfa/verify', right), 'CRUDAUTH_TOKEN_INVALID_OR_USED')
})
