import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import type { OAuthProvider } from '../../../src/index.js'
import { oidc } from '../../../src/index.js'
import { page, root, tableRows } from '../../docs/documents.js'
import { runExample } from '../../docs/load.js'
import { accessToken, code, json, serve } from '../../helpers/bad-provider.js'
import { freshSecrets, protocolOf } from '../../helpers/protocol.js'

test('docs/oauth.md: the table of failure reasons matches the code', () => {
  const source = readFileSync(join(root, 'src/features/oauth/protocol/oauth-failure.ts'), 'utf8')
  const union = source.slice(source.indexOf('type FailureReason'), source.indexOf('/** Which part'))
  const reasons = [...union.matchAll(/\| '(\w+)'/g)].map(([, reason]) => reason)
  assert.ok(reasons.length > 10)
  const { text } = page('docs/oauth.md')
  const rows = tableRows({
    path: 'docs/oauth.md',
    text: text.slice(text.indexOf('| `reason` |')),
  }).slice(1)
  const documented = rows.flatMap(([names = '']) =>
    [...names.matchAll(/`(\w+)`/g)].map(([, name]) => name),
  )
  assert.deepEqual(documented.sort(), reasons.sort())
})

test('docs/configuration.md: lists exactly the options of oidc()', () => {
  const refused = () => oidc({ nobodys: 1 } as never)
  const taken = (() => {
    try {
      refused()
    } catch (error) {
      return /it takes (.*)$/.exec((error as Error).message)?.[1]?.split(', ') ?? []
    }
    return []
  })()
  const { text } = page('docs/configuration.md')
  const sections = text.split(/^## /m).filter((part) => /^(?:Every provider|oidc\(\))\n/.test(part))
  const documented = sections
    .flatMap((part) => tableRows({ path: 'docs/configuration.md', text: part }))
    .flatMap(([name = '']) => /^`(\w+)`$/.exec(name)?.[1] ?? [])
  assert.deepEqual([...new Set(documented)].sort(), [...taken].sort())
})

test('docs/oauth.md: the oauth2() example signs the user in', async (t) => {
  const { forge } = await runExample(t, 'oauth-own-provider', {})
  const account = {
    account_id: 12345,
    email: 'a@example.com',
    email_confirmed: true,
    display_name: 'Ada',
    handle: 'ada',
  }
  const server = await serve(t, ({ url }, response) =>
    json(
      response,
      url === '/token' ? { access_token: accessToken, token_type: 'bearer' } : account,
    ),
  )
  const local = {
    tokenEndpoint: `${server.url}/token`,
    userinfoEndpoint: `${server.url}/me`,
    allowInsecure: true,
  }
  const protocol = protocolOf(t, { ...(forge as OAuthProvider), ...local })
  const secrets = freshSecrets()
  const { profile } = await protocol.finish(
    new URLSearchParams({ code, state: secrets.state }),
    secrets,
  )
  assert.deepEqual(profile, {
    id: '12345',
    email: 'a@example.com',
    emailVerified: true,
    name: 'Ada',
    username: 'ada',
    raw: account,
  })
})
