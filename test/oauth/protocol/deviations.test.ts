import assert from 'node:assert/strict'
import { test } from 'node:test'
import { checkedProfile } from '../../../src/features/oauth/protocol/profile.js'
import { type Deviations, githubAt, startGithub } from '../../helpers/github-standin.js'
import { failsWith, freshSecrets, protocolOf, visit } from '../../helpers/protocol.js'

async function signIn(t: Parameters<typeof protocolOf>[0], deviations: Deviations) {
  const protocol = protocolOf(t, githubAt(await startGithub(t, {}, deviations)))
  const secrets = freshSecrets()
  return protocol.finish(await visit(await protocol.begin(secrets)), secrets)
}

for (const tokenType of [null, 'user', 'Bearer', 'mac', '']) {
  test(`a token of the type ${tokenType} is used as a bearer token`, async (t) => {
    const { profile, takeTokens } = await signIn(t, { tokenType })
    assert.equal(profile.email, 'octocat@example.com')
    assert.equal(takeTokens()?.tokenType, 'bearer')
  })
}

for (const contentType of ['text/javascript', 'text/plain; charset=utf-8', 'text/html', '']) {
  test(`JSON that is called "${contentType}" is JSON`, async (t) => {
    const { profile } = await signIn(t, { contentType })
    assert.equal(profile.id, '583231')
  })
}

for (const emailsStatus of [403, 404]) {
  test(`without the permission to read addresses (${emailsStatus}) somebody is known by id alone`, async (t) => {
    const { profile } = await signIn(t, { emailsStatus })
    assert.deepEqual([profile.id, profile.email, profile.emailVerified], ['583231', null, false])
  })
}

for (const emailsStatus of [401, 429, 500]) {
  test(`addresses that fail with ${emailsStatus} end the sign-in`, async (t) => {
    await failsWith(signIn(t, { emailsStatus }), {
      reason: 'http_error',
      step: 'emails',
      status: emailsStatus,
    })
  })
}

test('a verified address is said by true, 1, "1" and "true", and by nothing else', () => {
  const isVerified = (emailVerified: unknown) =>
    checkedProfile({ id: '1', email: 'ada@example.com', emailVerified }, {})?.emailVerified
  for (const yes of [true, 1, '1', 'true', 'True', 'TRUE']) assert.equal(isVerified(yes), true)
  for (const no of [
    false,
    0,
    '0',
    'false',
    '',
    'yes',
    ' true',
    null,
    undefined,
    2,
    {},
    [],
    ['true'],
    'on',
    1n,
  ])
    assert.equal(isVerified(no), false, String(no))
})
