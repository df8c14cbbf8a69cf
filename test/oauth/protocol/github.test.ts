import assert from 'node:assert/strict'
import { test } from 'node:test'
import { githubAt, startGithub } from '../../helpers/github-standin.js'
import { failsWith, freshSecrets, protocolOf, visit } from '../../helpers/protocol.js'

test('github(): maps the numeric id to text, the login, and the primary verified email', async (t) => {
  const github = await startGithub(t)
  const protocol = protocolOf(t, githubAt(github))
  const secrets = freshSecrets()
  const url = new URL(await protocol.begin(secrets))
  assert.equal(url.searchParams.get('scope'), 'read:user user:email')
  assert.equal(url.searchParams.get('code_challenge_method'), 'S256')
  assert.equal(url.searchParams.get('nonce'), null)
  const { profile, takeTokens } = await protocol.finish(await visit(url.href), secrets)
  const { raw, ...rest } = profile
  assert.deepEqual(rest, {
    id: '583231',
    email: 'octocat@example.com',
    emailVerified: true,
    name: 'Monalisa Octocat',
    username: 'octocat',
  })
  assert.equal(raw.login, 'octocat')
  assert.equal(takeTokens()?.scope, 'read:user,user:email')
})

test('github(): a renamed user keeps the id', async (t) => {
  const github = await startGithub(t)
  const protocol = protocolOf(t, githubAt(github))
  const signIn = async () => {
    const secrets = freshSecrets()
    return (await protocol.finish(await visit(await protocol.begin(secrets)), secrets)).profile
  }
  const before = await signIn()
  github.account.login = 'monalisa'
  const after = await signIn()
  assert.equal(after.id, before.id)
  assert.equal(after.username, 'monalisa')
})

for (const [id, text] of [
  ['0', '0'],
  ['9007199254740993', '9007199254740993'],
  ['123456789012345678901234567890', '123456789012345678901234567890'],
  ['"8b7c2f0e-6f0a-4c2e-9a51-0d5c5d0b6c11"', '8b7c2f0e-6f0a-4c2e-9a51-0d5c5d0b6c11'],
  ['"1"', '1'],
  ['1', '1'],
] as const) {
  test(`github(): the id ${id} is kept exactly`, async (t) => {
    const protocol = protocolOf(t, githubAt(await startGithub(t, { id })))
    const secrets = freshSecrets()
    const { profile } = await protocol.finish(await visit(await protocol.begin(secrets)), secrets)
    assert.equal(profile.id, text)
  })
}

for (const id of [
  'null',
  '"null"',
  '"undefined"',
  '""',
  '" 1"',
  '1.5',
  '1e400',
  'true',
  '{}',
  '[]',
  '["1"]',
  '"a\\u0000b"',
  `"${'x'.repeat(256)}"`,
]) {
  test(`github(): the invalid id ${id.slice(0, 20)} is refused`, async (t) => {
    const protocol = protocolOf(t, githubAt(await startGithub(t, { id })))
    const secrets = freshSecrets()
    const callback = await visit(await protocol.begin(secrets))
    await failsWith(protocol.finish(callback, secrets), { reason: 'bad_subject', step: 'profile' })
  })
}

test('github(): only an email that is both primary and verified is used', async (t) => {
  const emails = (primary: boolean, verified: boolean) => [
    { email: 'a@example.com', primary, verified, visibility: null },
  ]
  for (const list of [emails(true, false), emails(false, true), []]) {
    const protocol = protocolOf(t, githubAt(await startGithub(t, { emails: list })))
    const secrets = freshSecrets()
    const { profile } = await protocol.finish(await visit(await protocol.begin(secrets)), secrets)
    assert.equal(profile.email, null)
    assert.equal(profile.emailVerified, false)
  }
})

test('github(): an error with status 200 is a provider_error', async (t) => {
  const github = await startGithub(t)
  const expect = (detail: string) =>
    ({ reason: 'provider_error', step: 'token', status: 200, detail }) as const
  const wrong = protocolOf(t, githubAt(github, { clientSecret: 'wrong' }))
  const secrets = freshSecrets()
  const callback = await visit(await wrong.begin(secrets))
  const { code = '' } = Object.fromEntries(callback)
  await failsWith(wrong.finish(callback, secrets), expect('incorrect_client_credentials'), [
    code,
    'wrong',
  ])

  const protocol = protocolOf(t, githubAt(github))
  await failsWith(protocol.finish(callback, secrets), expect('bad_verification_code'), [code])
  const elsewhere = protocolOf(t, githubAt(github), 1000, 'https://app.example.com/other')
  const other = await visit(await protocol.begin(secrets))
  await failsWith(elsewhere.finish(other, secrets), expect('redirect_uri_mismatch'))
})

test('github(): an iss parameter in the callback is ignored', async (t) => {
  const protocol = protocolOf(t, githubAt(await startGithub(t)))
  const secrets = freshSecrets()
  const callback = await visit(await protocol.begin(secrets))
  callback.set('iss', 'https://github.com/login/oauth')
  assert.equal((await protocol.finish(callback, secrets)).profile.id, '583231')
})
