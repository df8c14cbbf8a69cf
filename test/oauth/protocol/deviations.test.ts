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
  test(`GitHub: token_type ${tokenType} is treated as bearer`, async (t) => {
    const { profile, takeTokens } = await signIn(t, { tokenType })
    assert.equal(profile.email, 'octocat@example.com')
    assert.equal(takeTokens()?.tokenType, 'bearer')
  })
}

for (const contentType of ['text/javascript', 'text/plain; charset=utf-8', 'text/html', '']) {
  test(`GitHub: JSON with the content type "${contentType}" is accepted`, async (t) => {
    const { profile } = await signIn(t, { contentType })
    assert.equal(profile.id, '583231')
  })
}

for (const emailsStatus of [403, 404]) {
  test(`GitHub: without permission to read emails (${emailsStatus}) the profile has no email`, async (t) => {
    const { profile } = await signIn(t, { emailsStatus })
    assert.deepEqual([profile.id, profile.email, profile.emailVerified], ['583231', null, false])
  })
}

for (const emailsStatus of [401, 429, 500]) {
  test(`GitHub: an emails endpoint that fails with ${emailsStatus} fails the sign-in`, async (t) => {
    await failsWith(signIn(t, { emailsStatus }), {
      reason: 'http_error',
      step: 'emails',
      status: emailsStatus,
    })
  })
}

test('emailVerified: only true, 1, "1" and "true" count as verified', () => {
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
