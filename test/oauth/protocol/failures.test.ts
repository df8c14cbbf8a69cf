import assert from 'node:assert/strict'
import { createHmac } from 'node:crypto'
import type { ServerResponse } from 'node:http'
import { test } from 'node:test'
import { gzipSync } from 'node:zlib'
import { createMetadata } from '../../../src/features/oauth/protocol/metadata.js'
import { OAuthFailure, stepsUntil } from '../../../src/features/oauth/protocol/oauth-failure.js'
import { oidc } from '../../../src/index.js'
import {
  accessToken,
  type BadProvider,
  code,
  foreignKey,
  goodKey,
  idToken,
  json,
  metadataAt,
  serve,
  signInAt,
  startBadProvider,
} from '../../helpers/bad-provider.js'
import {
  type ExpectedFailure,
  failsWith,
  freshSecrets,
  protocolOf,
} from '../../helpers/protocol.js'

const secrets = [code, accessToken, 'secret-of-the-client', 'u@example.com']

test('test provider: the sign-in succeeds while nothing is broken', async (t) => {
  const { profile } = await signInAt(t, await startBadProvider(t))
  assert.equal(profile.id, 'user-1')
  assert.equal(profile.emailVerified, true)
})

interface Case {
  title: string
  fails: ExpectedFailure
  spoil?: (provider: BadProvider) => void
  callback?: Record<string, string | undefined>
}

const withToken =
  (handler: BadProvider['on']['token'] & object) =>
  (provider: BadProvider): void => {
    provider.on.token = handler
  }
const withClaims =
  (claims: Record<string, unknown>) =>
  (provider: BadProvider): void => {
    provider.claims = claims
  }

const callbacks: Case[] = [
  {
    title: 'access_denied',
    callback: { code: undefined, error: 'access_denied' },
    fails: { reason: 'declined', step: 'authorization' },
  },
  {
    title: 'user_cancelled_authorize (Apple)',
    callback: { code: undefined, error: 'user_cancelled_authorize' },
    fails: { reason: 'declined' },
  },
  {
    title: 'server_error',
    callback: { code: undefined, error: 'server_error', error_description: 'u@example.com' },
    fails: { reason: 'provider_error', step: 'authorization', detail: 'server_error' },
  },
  {
    title: 'an unregistered error code, which is not repeated,',
    callback: { code: undefined, error: 'u@example.com' },
    fails: { reason: 'provider_error', detail: undefined as never },
  },
  {
    title: 'no code',
    callback: { code: undefined },
    fails: { reason: 'missing_code', step: 'authorization' },
  },
  { title: 'an empty code', callback: { code: '' }, fails: { reason: 'missing_code' } },
  { title: 'no state', callback: { state: undefined }, fails: { reason: 'bad_state' } },
  { title: 'an empty issuer', callback: { iss: '' }, fails: { reason: 'bad_issuer' } },
  {
    title: 'another issuer',
    callback: { iss: 'https://evil.example' },
    fails: { reason: 'bad_issuer' },
  },
  {
    title: 'an ID token in the callback',
    callback: { id_token: 'x' },
    fails: { reason: 'malformed', step: 'authorization' },
  },
  {
    title: 'an unrequested signed response',
    callback: { response: 'x' },
    fails: { reason: 'malformed' },
  },
]

const answers: Case[] = [
  {
    title: 'an error in a 200',
    spoil: withToken((response) =>
      json(response, { error: 'invalid_grant', error_description: code }),
    ),
    fails: { reason: 'provider_error', step: 'token', status: 200, detail: 'invalid_grant' },
  },
  {
    title: 'HTTP 500',
    spoil: withToken((response) => json(response, { error: code }, 500)),
    fails: { reason: 'http_error', step: 'token', status: 500 },
  },
  {
    title: 'HTTP 400 with a page',
    spoil: withToken(
      (response) => void response.writeHead(400, { 'content-type': 'text/html' }).end(code),
    ),
    fails: { reason: 'http_error', step: 'token', status: 400 },
  },
  {
    title: 'HTTP 201 instead of 200',
    spoil: withToken((response) => json(response, {}, 201)),
    fails: { reason: 'http_error', step: 'token', status: 201 },
  },
  {
    title: 'HTTP 204',
    spoil: withToken((response) => void response.writeHead(204).end()),
    fails: { reason: 'http_error', status: 204 },
  },
  {
    title: 'a body of 10 MiB',
    spoil: withToken((response) =>
      json(response, JSON.stringify({ access_token: 'x'.repeat(10_485_760) })),
    ),
    fails: { reason: 'too_large', step: 'token' },
  },
  {
    title: 'a body of 10 MiB with an error status',
    spoil: withToken((response) =>
      json(response, JSON.stringify({ error: 'x'.repeat(10_485_760) }), 400),
    ),
    fails: { reason: 'too_large', step: 'token' },
  },
  {
    title: 'an endless body',
    spoil: withToken((response) => {
      response.writeHead(200, { 'content-type': 'application/json' })
      const more = () => {
        while (!response.destroyed && response.write(' '.repeat(65_536)));
      }
      response.on('drain', more)
      more()
    }),
    fails: { reason: 'too_large', step: 'token' },
  },
  {
    title: 'a gzip bomb',
    spoil: withToken((response) => {
      response.writeHead(200, { 'content-type': 'application/json', 'content-encoding': 'gzip' })
      response.end(gzipSync(Buffer.alloc(50_000_000, ' ')))
    }),
    fails: { reason: 'too_large', step: 'token' },
  },
  {
    title: 'a gzip header but plain text',
    spoil: withToken((response) => {
      response
        .writeHead(200, { 'content-type': 'application/json', 'content-encoding': 'gzip' })
        .end('{}')
    }),
    fails: { reason: 'malformed', step: 'token' },
  },
  {
    title: 'broken JSON',
    spoil: withToken((response) => json(response, '{"access_token":')),
    fails: { reason: 'malformed', step: 'token' },
  },
  {
    title: 'JSON that is not an object',
    spoil: withToken((response) => json(response, '["a"]')),
    fails: { reason: 'malformed', step: 'token' },
  },
  {
    title: 'invalid UTF-8',
    spoil: withToken((response) => {
      response.writeHead(200, { 'content-type': 'application/json' })
      response.end(
        Buffer.concat([Buffer.from('{"access_token":"'), Buffer.from([0xff]), Buffer.from('"}')]),
      )
    }),
    fails: { reason: 'malformed', step: 'token' },
  },
  {
    title: 'an HTML page',
    spoil: withToken(
      (response) => void response.writeHead(200, { 'content-type': 'text/html' }).end('<p>'),
    ),
    fails: { reason: 'malformed', step: 'token' },
  },
  {
    title: 'no access token',
    spoil: withToken((response) => json(response, { token_type: 'Bearer' })),
    fails: { reason: 'malformed', step: 'token' },
  },
  {
    title: 'an unknown type of token',
    spoil: withToken((response) =>
      json(response, { access_token: 'x', token_type: 'mac', id_token: 'a.b.c' }),
    ),
    fails: { reason: 'bad_id_token' },
  },
  {
    title: 'no ID token',
    spoil: withToken((response) =>
      json(response, { access_token: accessToken, token_type: 'Bearer' }),
    ),
    fails: { reason: 'bad_id_token', step: 'id_token', detail: 'missing' },
  },
  {
    title: 'a connection that breaks',
    spoil: withToken((response) => void response.destroy()),
    fails: { reason: 'unreachable', step: 'token', detail: 'UND_ERR_SOCKET' },
  },
  {
    title: 'a JWKS that is unavailable',
    spoil: (provider) => {
      provider.on.keys = (response) => json(response, {}, 503)
    },
    fails: { reason: 'http_error', step: 'keys', status: 503 },
  },
  {
    title: 'a malformed JWKS',
    spoil: (provider) => {
      provider.on.keys = (response) => json(response, { keys: 'none' })
    },
    fails: { reason: 'bad_id_token', step: 'keys' },
  },
  {
    title: 'userinfo of another user',
    spoil: (provider) => {
      provider.userinfo = { sub: 'user-2', email: 'u@example.com', email_verified: true }
    },
    fails: { reason: 'bad_subject', step: 'userinfo' },
  },
  {
    title: 'userinfo without a user',
    spoil: (provider) => {
      provider.userinfo = { email: 'u@example.com' }
    },
    fails: { reason: 'bad_subject', step: 'userinfo' },
  },
  {
    title: 'userinfo that refuses the token',
    spoil: (provider) => {
      provider.on.userinfo = (response) => {
        response.setHeader(
          'www-authenticate',
          `Bearer error="invalid_token", error_description="${accessToken}"`,
        )
        json(response, { error: 'invalid_token' }, 401)
      }
    },
    fails: { reason: 'provider_error', step: 'userinfo', status: 401, detail: 'invalid_token' },
  },
]

const nowS = Math.floor(Date.now() / 1000)

const tokens: Case[] = [
  {
    title: 'expired',
    spoil: withClaims({ exp: nowS - 3600 }),
    fails: { reason: 'bad_id_token', step: 'id_token', detail: 'exp' },
  },
  {
    title: 'without expiry',
    spoil: withClaims({ exp: undefined }),
    fails: { reason: 'bad_id_token', step: 'id_token' },
  },
  {
    title: 'not valid yet',
    spoil: withClaims({ nbf: nowS + 3600 }),
    fails: { reason: 'bad_id_token', detail: 'nbf' },
  },
  {
    title: 'for another client',
    spoil: withClaims({ aud: 'other' }),
    fails: { reason: 'bad_id_token', detail: 'aud' },
  },
  {
    title: 'for several audiences without azp',
    spoil: withClaims({ aud: ['app', 'other'] }),
    fails: { reason: 'bad_id_token', detail: 'aud' },
  },
  {
    title: 'for several audiences with another azp',
    spoil: withClaims({ aud: ['app', 'other'], azp: 'other' }),
    fails: { reason: 'bad_id_token', detail: 'azp' },
  },
  {
    title: 'for this audience with another azp',
    spoil: withClaims({ azp: 'other' }),
    fails: { reason: 'bad_id_token', detail: 'azp' },
  },
  {
    title: 'with another nonce',
    spoil: withClaims({ nonce: 'other' }),
    fails: { reason: 'bad_id_token', detail: 'nonce' },
  },
  {
    title: 'without a nonce',
    spoil: withClaims({ nonce: undefined }),
    fails: { reason: 'bad_id_token', step: 'id_token' },
  },
  {
    title: 'of another issuer',
    spoil: withClaims({ iss: 'https://evil.example' }),
    fails: { reason: 'bad_issuer', step: 'id_token' },
  },
  ...[undefined, null, 1, 0, true, {}, [], '', 'null', 'x'.repeat(256), 'a\u0000b', ' user-1'].map(
    (sub): Case => ({
      title: `with the subject ${JSON.stringify(sub)?.slice(0, 20)}`,
      spoil: withClaims({ sub }),
      fails: { reason: 'bad_subject', step: 'id_token' },
    }),
  ),
  {
    title: 'signed by a foreign key with the kid of a valid one',
    spoil: (provider) => {
      provider.makeToken = (claims) => idToken(claims, foreignKey.privateKey)
    },
    fails: { reason: 'bad_id_token', step: 'keys', detail: 'signature' },
  },
  {
    title: 'signed by an unknown key',
    spoil: (provider) => {
      provider.makeToken = (claims) => idToken(claims, foreignKey.privateKey, { kid: 'other' })
    },
    fails: { reason: 'bad_id_token', step: 'keys', detail: 'kid' },
  },
  {
    title: 'without a signature',
    spoil: (provider) => {
      provider.makeToken = (claims) =>
        `${idToken(claims, goodKey.privateKey, { alg: 'none' }).split('.').slice(0, 2).join('.')}.`
    },
    fails: { reason: 'bad_id_token', step: 'id_token' },
  },
  {
    title: 'with an HMAC keyed with the public key',
    spoil: (provider) => {
      provider.makeToken = (claims) => {
        const input = idToken(claims, goodKey.privateKey, { alg: 'HS256' })
          .split('.')
          .slice(0, 2)
          .join('.')
        const pem = goodKey.publicKey.export({ format: 'pem', type: 'spki' })
        return `${input}.${createHmac('sha256', pem).update(input).digest('base64url')}`
      }
    },
    fails: { reason: 'bad_id_token', step: 'id_token' },
  },
  {
    title: 'that is not a JWT',
    spoil: (provider) => {
      provider.makeToken = () => 'a.b.c'
    },
    fails: { reason: 'bad_id_token', step: 'id_token' },
  },
  {
    title: 'encrypted',
    spoil: (provider) => {
      provider.makeToken = () => 'a.b.c.d.e'
    },
    fails: { reason: 'bad_id_token', step: 'id_token' },
  },
]

for (const [kind, cases] of Object.entries({
  'a callback with': callbacks,
  'a response with': answers,
  'an ID token': tokens,
})) {
  for (const { title, fails, spoil, callback = {} } of cases) {
    test(`${kind} ${title} is refused as ${fails.reason}`, async (t) => {
      const provider = await startBadProvider(t)
      spoil?.(provider)
      await failsWith(signInAt(t, provider, { callback }), fails, secrets)
      if (kind === 'a callback with')
        assert.ok(!provider.requests.includes('POST /token'), 'the code was not sent')
    })
  }
}

const steps = { metadata: 'discovery', token: 'token', keys: 'keys', userinfo: 'userinfo' } as const
type Part = keyof typeof steps

for (const [how, answer] of Object.entries({
  'do not come': () => {},
  'stop in the middle': (response: ServerResponse) => {
    response.writeHead(200, { 'content-type': 'application/json' }).write('{')
  },
})) {
  test(`timeout: responses that ${how} fail every step with timeout`, async (t) => {
    const attempts = Object.entries(steps).map(async ([part, step]) => {
      const provider = await startBadProvider(t)
      provider.on[part as Part] = answer
      await failsWith(
        signInAt(t, provider, { timeoutMs: 1_500 }),
        { reason: 'timeout', step },
        secrets,
      )
    })
    await Promise.all(attempts)
  })
}

for (const [part, step] of Object.entries(steps)) {
  test(`SSRF: a redirect instead of ${part} is not followed`, async (t) => {
    const provider = await startBadProvider(t)
    const inside = await serve(t, (_, response) => json(response, {}))
    provider.on[part as Part] = (response) =>
      void response.writeHead(307, { location: inside.url }).end()
    await failsWith(signInAt(t, provider), { reason: 'redirected', step, status: 307 }, secrets)
    assert.deepEqual(inside.requests, [])
  })
}

test('timeout: limits all steps together, not each step', async (t) => {
  const provider = await startBadProvider(t)
  const slowly = (
    part: 'token' | 'keys' | 'userinfo',
    answer: (response: Parameters<NonNullable<BadProvider['on']['token']>>[0]) => void,
  ) => {
    provider.on[part] = (response) => void setTimeout(answer, 400, response)
  }
  slowly('token', (response) =>
    json(response, {
      access_token: accessToken,
      token_type: 'Bearer',
      id_token: provider.makeToken(provider.claims),
    }),
  )
  slowly('userinfo', (response) => json(response, provider.userinfo))
  await failsWith(signInAt(t, provider, { timeoutMs: 600 }), { reason: 'timeout' })
})

test('mapProfile: never resolving is a timeout; throwing or returning undefined is bad_profile', async (t) => {
  const provider = await startBadProvider(t)
  const mapping = (mapProfile: () => unknown) => ({ options: { mapProfile }, timeoutMs: 2_000 })
  await failsWith(
    signInAt(
      t,
      provider,
      mapping(() => new Promise(() => {})),
    ),
    { reason: 'timeout', step: 'profile' },
  )
  const mistake = new TypeError('of the app')
  const thrown = mapping(() => {
    throw mistake
  })
  const failure = await failsWith(signInAt(t, await startBadProvider(t), thrown), {
    reason: 'bad_profile',
    step: 'profile',
  })
  assert.equal(failure.cause, mistake)
  await failsWith(
    signInAt(
      t,
      await startBadProvider(t),
      mapping(() => undefined),
    ),
    { reason: 'bad_profile', step: 'profile' },
  )
})

test('discovery: metadata with another issuer or invalid endpoints is refused', async (t) => {
  for (const [change, reason] of [
    [{ issuer: 'https://evil.example' }, 'bad_issuer'],
    [{ issuer: undefined }, 'malformed'],
    [{ token_endpoint: undefined }, 'malformed'],
    [{ authorization_endpoint: 'javascript:alert(1)' }, 'insecure_url'],
    [{ jwks_uri: 7 }, 'malformed'],
    [{ token_endpoint: ['https://issuer.example/token'] }, 'malformed'],
  ] as const) {
    const provider = await startBadProvider(t)
    provider.on.metadata = (response) => json(response, { ...metadataAt(provider.url), ...change })
    await failsWith(signInAt(t, provider), { reason, step: 'discovery' })
  }
})

test('userinfo: email_verified does not apply to the email of the ID token', async (t) => {
  const provider = await startBadProvider(t)
  provider.claims = { email: 'victim@example.com' }
  provider.userinfo = { sub: 'user-1', email: 'own@example.com', email_verified: true }
  const { profile } = await signInAt(t, provider)
  assert.equal(profile.email, 'own@example.com')
  const other = await startBadProvider(t)
  other.claims = { email: 'victim@example.com' }
  other.userinfo = { sub: 'user-1', email_verified: true }
  const { profile: second } = await signInAt(t, other)
  assert.deepEqual([second.email, second.emailVerified], ['victim@example.com', false])
})

for (const emailVerified of ['false', 0, 'yes', null, {}]) {
  test(`userinfo: email_verified ${JSON.stringify(emailVerified)} counts as unverified`, async (t) => {
    const provider = await startBadProvider(t)
    provider.userinfo = { sub: 'user-1', email: 'u@example.com', email_verified: emailVerified }
    const { profile } = await signInAt(t, provider)
    assert.deepEqual([profile.email, profile.emailVerified], ['u@example.com', false])
  })
}

for (const email of [
  '',
  'none',
  'a@b@c',
  'a b@example.com',
  'a@example.com\r\nBcc: x',
  7,
  null,
  ['a@example.com'],
  `${'a'.repeat(320)}@x`,
]) {
  test(`userinfo: the invalid email ${JSON.stringify(email)?.slice(0, 30)} is ignored`, async (t) => {
    const provider = await startBadProvider(t)
    provider.userinfo = { sub: 'user-1', email, email_verified: true }
    const { profile } = await signInAt(t, provider)
    assert.deepEqual([profile.email, profile.emailVerified], [null, false])
  })
}

test('userinfo: names lose control characters and are cut between characters', async (t) => {
  const provider = await startBadProvider(t)
  provider.userinfo = {
    sub: 'user-1',
    name: `a\u0000\nb${'😀'.repeat(400)}`,
    preferred_username: { x: 1 },
  }
  const { profile } = await signInAt(t, provider)
  assert.equal(profile.name, `a b${'😀'.repeat(252)}`)
  assert.ok(!('username' in profile))
})

test('clientSecret function: throwing or returning "" fails the sign-in and leaks no message', async (t) => {
  for (const clientSecret of [
    () => {
      throw new Error('secret-of-the-client')
    },
    () => Promise.reject(new Error('secret-of-the-client')),
    () => '',
  ]) {
    const provider = await startBadProvider(t)
    const protocol = protocolOf(t, {
      ...oidc({ issuer: provider.url, clientId: 'app', clientSecret: 'x', allowInsecure: true }),
      clientAuthentication: { method: 'client_secret_post', clientSecret },
    })
    const begun = freshSecrets()
    const finished = protocol.finish(new URLSearchParams({ code, state: begun.state }), begun)
    await failsWith(finished, { reason: 'bad_client', step: 'token' }, secrets)
    assert.ok(!provider.requests.includes('POST /token'))
  }
})

for (const method of ['client_secret_basic', 'client_secret_post'] as const) {
  test(`${method}: the result of a clientSecret function is sent to the token endpoint`, async (t) => {
    const provider = await startBadProvider(t)
    const sent: unknown[] = []
    provider.on.token = async (response, request) => {
      let body = ''
      for await (const chunk of request.setEncoding('utf8')) body += chunk
      sent.push(request.headers.authorization ?? new URLSearchParams(body).get('client_secret'))
      json(response, { error: 'invalid_grant' }, 400)
    }
    const protocol = protocolOf(t, {
      ...oidc({ issuer: provider.url, clientId: 'app', clientSecret: 'x', allowInsecure: true }),
      clientAuthentication: { method, clientSecret: async () => 'made' },
    })
    const begun = freshSecrets()
    const finished = protocol.finish(new URLSearchParams({ code, state: begun.state }), begun)
    await failsWith(finished, { reason: 'provider_error', detail: 'invalid_grant' })
    const basic = `Basic ${Buffer.from('app:made').toString('base64')}`
    assert.deepEqual(sent, [method === 'client_secret_basic' ? basic : 'made'])
  })
}

test('discovery: an http endpoint in the metadata of an https issuer is refused', async () => {
  const issuer = 'https://issuer.example'
  for (const name of ['authorization_endpoint', 'token_endpoint', 'jwks_uri'] as const) {
    const found = { ...metadataAt(issuer), [name]: 'http://issuer.example/plain' }
    const http = { fetch: async () => Response.json(found), close: async () => {} }
    const metadata = createMetadata(
      oidc({ issuer, clientId: 'app', clientSecret: 'x' }),
      http,
      1000,
    )
    await failsWith(metadata.get(stepsUntil(AbortSignal.timeout(1000))), {
      reason: 'insecure_url',
      step: 'discovery',
    })
  }
})

test('timeout: a step that starts after the deadline fails with timeout', async () => {
  const takeStep = stepsUntil(AbortSignal.abort())
  await failsWith(
    takeStep('token', () => new Promise(() => {})),
    { reason: 'timeout', step: 'token' },
  )
})

test('OAuthFailure: the message names the reason and the step', () => {
  const { message } = new OAuthFailure('timeout', { step: 'token' })
  assert.equal(message, 'sign-in failed: timeout at token')
  assert.equal(new OAuthFailure('timeout').message, 'sign-in failed: timeout')
})
