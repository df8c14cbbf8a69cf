import assert from 'node:assert/strict'
import { createHmac, createSecretKey, type KeyObject } from 'node:crypto'
import { describe, type TestContext, test } from 'node:test'
import type { FastifyInstance } from 'fastify'
import { bearerTransport, memoryUsers, sessionTransport, type TokenKey } from '../../src/index.js'
import {
  asBearer,
  askToken,
  authorization,
  bearerApp,
  claimsOf,
  encode,
  forge,
  forgeWith,
  headerOf,
  hs,
  type Issued,
  pairFor,
  pem,
  purposeKey,
  signedInBearer,
  tokensOf,
} from '../helpers/bearer.js'
import { build, secret } from '../helpers/build.js'
import { Client } from '../helpers/client.js'
import { refuses } from '../helpers/refuses.js'

const claimed = { issuer: 'https://auth.example.com', audience: 'api' }

/** Every gate that asks for a bearer token. */
const guarded = [
  '/me',
  '/own',
  '/narrow',
  '/scoped',
  '/super',
  '/verified',
  '/checked',
  '/sudo',
  '/fresh',
  '/optional',
  '/optional-narrow',
]

function mountGates(app: FastifyInstance): void {
  const answer = async (request: { maybePrincipal: { userId: unknown } | null }) => ({
    who: request.maybePrincipal?.userId ?? null,
  })
  app.get('/own', { preHandler: app.currentUser() }, answer)
  app.get('/narrow', { onRequest: app.currentUser({ transport: 'bearer' }) }, answer)
  app.get('/scoped', { onRequest: app.currentUser({ scopes: ['read'] }) }, answer)
  app.get('/super', { preValidation: app.currentUser({ superuser: true }) }, answer)
  app.get('/verified', { onRequest: app.currentUser({ verified: true }) }, answer)
  app.get('/checked', { onRequest: app.currentUser({ check: () => true }) }, answer)
  app.get('/sudo', { onRequest: app.requireSudo }, answer)
  app.get('/fresh', { onRequest: app.requireFresh }, answer)
  app.get('/optional', { onRequest: app.currentUser({ optional: true }) }, answer)
  app.get(
    '/optional-narrow',
    { onRequest: app.currentUser({ optional: true, transport: 'bearer' }) },
    answer,
  )
  app.get('/session', { onRequest: app.currentUser({ transport: 'session' }) }, answer)
  app.get(
    '/optional-session',
    { onRequest: app.currentUser({ optional: true, transport: 'session' }) },
    answer,
  )
}

async function start(t: TestContext, options: Parameters<typeof bearerTransport>[0] = {}) {
  const users = memoryUsers()
  const app = await build(t, {
    auth: {
      users,
      transports: [
        sessionTransport(),
        bearerTransport({ refresh: 'body', defaultScopes: ['read'], ...claimed, ...options }),
      ],
    },
    routes: mountGates,
  })
  const tokens = await signedInBearer(app)
  await users.update(1, { isSuperuser: true, emailVerified: true })
  return {
    app,
    users,
    tokens,
    header: headerOf(tokens.access_token),
    claims: claimsOf(tokens.access_token),
  }
}

/** Asserts that every gate refuses the token, optional ones too, and again when it is resent. */
async function refusedEverywhere(app: FastifyInstance, token: string, what: string): Promise<void> {
  for (const url of [...guarded, ...guarded.slice(0, 2)]) {
    const response = await asBearer(app, token, url)
    assert.equal(response.statusCode, 401, `${what} at ${url}: ${response.body}`)
    refuses(response, 'CRUDAUTH_INVALID_TOKEN', [secret])
    assert.equal(response.headers['www-authenticate'], 'Bearer error="invalid_token"', what)
  }
  // Routes for the session transport ignore bearer tokens.
  const session = await asBearer(app, token, '/session')
  refuses(session, 'CRUDAUTH_UNAUTHENTICATED')
  assert.equal(session.headers['www-authenticate'], 'Bearer')
  assert.deepEqual((await asBearer(app, token, '/optional-session')).json(), { who: null })
}

/** Asserts that no gate authenticates the token: 401, or anonymous on optional routes. */
async function endedEverywhere(app: FastifyInstance, token: string): Promise<void> {
  for (const url of [...guarded, ...guarded]) {
    const response = await asBearer(app, token, url)
    if (url.startsWith('/optional')) {
      assert.deepEqual([response.statusCode, response.json()], [200, { who: null }])
    } else {
      refuses(response, 'CRUDAUTH_UNAUTHENTICATED')
      assert.equal(response.headers['www-authenticate'], 'Bearer error="invalid_token"')
    }
  }
}

/** Replaces the text of a JSON payload before it is signed. */
const respell = (claims: object, from: string, to: string) => {
  const text = JSON.stringify(claims)
  assert.ok(text.includes(from))
  return text.replace(from, to)
}

describe('access token with a valid signature', () => {
  test('missing, malformed and foreign claims are rejected', async (t) => {
    const { app, tokens, header, claims } = await start(t)
    const { exp, iat } = claims as { exp: number; iat: number }
    const without = (name: string) =>
      Object.fromEntries(Object.entries(claims).filter(([key]) => key !== name))
    const table: [string, unknown][] = [
      ...['sub', 'ver', 'iat', 'exp', 'jti', 'typ', 'scope', 'eph', 'auth_time', 'iss', 'aud'].map(
        (name) => [`without ${name}`, without(name)] as [string, unknown],
      ),
      ...[String(exp), exp + 0.5, -exp, null, true, [exp], { valueOf: exp }, '', 'never'].map(
        (value) => [`exp ${JSON.stringify(value)}`, { ...claims, exp: value }] as [string, unknown],
      ),
      ['exp beyond any number', respell(claims, `"exp":${exp}`, '"exp":1e999')],
      ['exp beyond any safe number', respell(claims, `"exp":${exp}`, '"exp":9007199254740993')],
      ['exp in another spelling', respell(claims, `"exp":${exp}`, `"exp":${exp}.0`)],
      ['iat as text', { ...claims, iat: String(iat) }],
      ['auth_time as text', { ...claims, auth_time: String(iat) }],
      ['auth_time of the far future as a float', { ...claims, auth_time: 1e300 }],
      ...[7, null, '', ['1'], { id: 1 }, true].map(
        (sub) => [`sub ${JSON.stringify(sub)}`, { ...claims, sub }] as [string, unknown],
      ),
      ...['0', 'x', 'nn', 1].map((idt) => [`idt ${idt}`, { ...claims, idt }] as [string, unknown]),
      ['sub of text as a number', { ...claims, sub: 'one' }],
      ...['0', null, -1, 0.5, [0]].map(
        (ver) => [`ver ${JSON.stringify(ver)}`, { ...claims, ver }] as [string, unknown],
      ),
      ...[['read'], null, 7].map(
        (scope) => [`scope ${JSON.stringify(scope)}`, { ...claims, scope }] as [string, unknown],
      ),
      ...['refresh', 'Access', '', null, ['access'], 1].map(
        (typ) => [`typ ${JSON.stringify(typ)}`, { ...claims, typ }] as [string, unknown],
      ),
      ...[null, 7, ''].map(
        (eph) =>
          [`eph ${JSON.stringify(eph)}`, { ...claims, eph: eph === '' ? 0 : eph }] as [
            string,
            unknown,
          ],
      ),
      ...[
        'https://auth.example.com/',
        'https://auth.example.co',
        'https://evil.example',
        '',
        null,
        ['https://auth.example.com'],
        ['https://evil.example', 'https://auth.example.com'],
      ].map((iss) => [`iss ${JSON.stringify(iss)}`, { ...claims, iss }] as [string, unknown]),
      ...['web', 'API', 'api ', '', null, ['web'], 7].map(
        (aud) => [`aud ${JSON.stringify(aud)}`, { ...claims, aud }] as [string, unknown],
      ),
      ['sub twice', respell(claims, '"sub":"1"', '"sub":"2","sub":"1"')],
      ['exp twice', respell(claims, `"exp":${exp}`, `"exp":1,"exp":${exp}`)],
      ['typ twice', respell(claims, '"typ":"access"', '"typ":"refresh","typ":"access"')],
      ['sub with an escape', respell(claims, '"sub"', '"s\\u0075b"')],
      ['spaces', respell(claims, '{', '{ ')],
      ['an array', [claims]],
      ['an array of pairs', Object.entries(claims)],
      ['text', JSON.stringify(JSON.stringify(claims))],
      ['null', 'null'],
      ['a number', '7'],
      ['true', 'true'],
      ['an empty object', {}],
      ['nothing', ''],
      ['no JSON', '{'],
      ['JSON and more', `${JSON.stringify(claims)}{}`],
      ['a byte order mark', `\ufeff${JSON.stringify(claims)}`],
      ['claims in the prototype', `{"__proto__":${JSON.stringify(claims)}}`],
      ['not yet valid', { ...claims, nbf: exp }],
    ]
    for (const [what, payload] of table) await refusedEverywhere(app, forge(header, payload), what)
    assert.equal((await asBearer(app, tokens.access_token)).statusCode, 200)
    assert.equal(
      (await asBearer(app, forge(header, claims))).statusCode,
      200,
      'a correctly signed token is accepted',
    )
  })

  test('missing, altered and additional header parameters are rejected', async (t) => {
    const { app, tokens, header, claims } = await start(t)
    const { kid } = header
    const table: [string, unknown][] = [
      ['no typ', { alg: 'HS256', kid }],
      ['typ JWT', { ...header, typ: 'JWT' }],
      ['typ in capitals', { ...header, typ: 'AT+JWT' }],
      ['typ as a media type', { ...header, typ: 'application/at+jwt' }],
      ['typ refresh', { ...header, typ: 'rt+jwt' }],
      ['no kid', { alg: 'HS256', typ: 'at+jwt' }],
      ...[
        '',
        '../../../../dev/null',
        '/dev/null',
        "' OR 1=1 --",
        `${kid}\0`,
        '__proto__',
        'constructor',
        null,
        0,
        [kid],
        { kid },
      ].map(
        (other) => [`kid ${JSON.stringify(other)}`, { ...header, kid: other }] as [string, unknown],
      ),
      ['jku', { ...header, jku: 'https://evil.example/jwks.json' }],
      ['x5u', { ...header, x5u: 'https://evil.example/cert.pem' }],
      [
        'jwk',
        { ...header, jwk: { kty: 'oct', k: purposeKey('access-token').toString('base64url') } },
      ],
      ['crit', { ...header, crit: ['exp'] }],
      ['crit of an unknown extension', { ...header, crit: ['x-mfa'], 'x-mfa': true }],
      ['crit that is empty', { ...header, crit: [] }],
      ['b64 false', { ...header, b64: false, crit: ['b64'] }],
      ['zip', { ...header, zip: 'DEF' }],
      ['cty', { ...header, cty: 'JWT' }],
      ...[
        'HS384',
        'HS512',
        'hs256',
        'RS256',
        'ES256',
        'EdDSA',
        'none',
        'None',
        'nOnE',
        '',
        null,
        ['HS256'],
        256,
      ].map((alg) => [`alg ${JSON.stringify(alg)}`, { ...header, alg }] as [string, unknown]),
      ['another order', { kid, typ: 'at+jwt', alg: 'HS256' }],
      ['alg twice', JSON.stringify(header).replace('{', '{"alg":"none",')],
      ['a space', JSON.stringify(header).replace('{', '{ ')],
      ['an array', [header]],
      ['null', 'null'],
      ['text', '"HS256"'],
      ['nothing', ''],
    ]
    for (const [what, forged] of table) await refusedEverywhere(app, forge(forged, claims), what)
    assert.equal((await asBearer(app, tokens.access_token)).statusCode, 200)
  })
})

test('access token: missing, altered and foreign signatures are rejected', async (t) => {
  const { app, tokens, header, claims } = await start(t)
  const { access_token } = tokens
  const key = purposeKey('access-token')
  const [head = '', payload = '', signature = ''] = access_token.split('.')
  const input = `${head}.${payload}`
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
  const last = alphabet.indexOf(signature.at(-1) ?? '')
  // 43 characters carry 258 bits for 256: a lenient decoder reads the same bytes from three other
  // last characters.
  const respelled = [1, 2, 3].map(
    (bit) => `${input}.${signature.slice(0, -1)}${alphabet[last ^ bit]}`,
  )
  for (const token of respelled) {
    assert.ok(
      Buffer.from(token.split('.')[2] ?? '', 'base64url').equals(
        Buffer.from(signature, 'base64url'),
      ),
    )
  }
  const table: [string, string][] = [
    ...respelled.map((token, index) => [`respelled ${index}`, token] as [string, string]),
    ['padded', `${access_token}=`],
    ['in base64', `${input}.${Buffer.from(signature, 'base64url').toString('base64')}`],
    ['payload padded', `${head}.${payload}=.${signature}`],
    ['header padded', `${head}=.${payload}.${signature}`],
    ['none', `${input}.`],
    ['none and no dot', input],
    ['alg none without a signature', `${encode({ ...header, alg: 'none' })}.${payload}.`],
    ['alg none with one', `${encode({ alg: 'none', typ: 'at+jwt' })}.${payload}.${signature}`],
    ['cut', `${input}.${signature.slice(0, 42)}`],
    ['cut to two characters', `${input}.${signature.slice(0, 2)}`],
    ['longer', `${input}.${signature}AA`],
    ['of zeros', `${input}.${'A'.repeat(43)}`],
    ['by SHA-512', `${input}.${hs(input, key, 'sha512')}`],
    ['by an empty key', `${input}.${hs(input, '')}`],
    ['by the secret itself', `${input}.${hs(input, secret)}`],
    ['by "null"', `${input}.${hs(input, 'null')}`],
    ['by the kid', `${input}.${hs(input, String(header.kid))}`],
    ['by the header', `${input}.${hs(input, head)}`],
    ['of the payload alone', `${input}.${hs(payload, key)}`],
    ...[
      'refresh',
      'csrf',
      'slot',
      'family',
      'device',
      'counters',
      'lineage',
      'access',
      'access-token ',
      '',
    ].map(
      (purpose) =>
        [`by the key of "${purpose}"`, forge(header, claims, purposeKey(purpose))] as [
          string,
          string,
        ],
    ),
    [
      'by another app’s secret',
      forge(header, claims, purposeKey('access-token', 'another secret of thirty-two bytes!!')),
    ],
    ['of another payload', `${head}.${encode({ ...claims, sub: '2' })}.${signature}`],
    [
      'with a later exp',
      `${head}.${encode({ ...claims, exp: (claims.exp as number) + 1 })}.${signature}`,
    ],
    ['with more scopes', `${head}.${encode({ ...claims, scope: 'read admin' })}.${signature}`],
    ['four parts', `${access_token}.${signature}`],
    ['five parts', `${access_token}.a.b`],
    ['an encrypted form', `${head}..${payload}.${signature}.x`],
    ['twice', `${access_token}${access_token}`],
    ['refresh token', tokens.refresh_token],
    ['no dots', 'abc'],
    ['dots alone', '..'],
    ['only a header', `${head}..`],
  ]
  for (const [what, token] of table) await refusedEverywhere(app, token, what)
  assert.equal((await asBearer(app, access_token)).statusCode, 200)
  for (const [what, token] of table.slice(0, 6))
    await refusedEverywhere(app, token, `${what}, with the valid token cached`)
})

for (const alg of ['EdDSA', 'ES256', 'RS256'] as const) {
  test(`${alg}: algorithm confusion: the published public key is not accepted as an HMAC secret`, async (t) => {
    const { privateKey, publicKey } = pairFor(alg)
    const kid = 'k1'
    const { app, tokens, claims, header } = await start(t, {
      keys: [{ kid, alg, privateKey }],
      jwks: true,
    })
    const published = (await app.inject({ method: 'GET', url: '/.well-known/jwks.json' })).json()
      .keys[0]
    const spki = pem(publicKey)
    const forms: (string | Buffer)[] = [
      spki,
      spki.trim(),
      `\n${spki}`,
      ` ${spki}`,
      spki.replaceAll('\n', '\r\n'),
      spki.split('\n').slice(1, -2).join(''),
      publicKey.export({ format: 'der', type: 'spki' }),
      ...(alg === 'RS256'
        ? [
            publicKey.export({ format: 'pem', type: 'pkcs1' }),
            publicKey.export({ format: 'der', type: 'pkcs1' }),
            Buffer.from(published.n, 'base64url'),
          ]
        : [Buffer.from(published.x, 'base64url')]),
      JSON.stringify(published),
      JSON.stringify({ keys: [published] }),
      kid,
      '',
    ]
    for (const key of forms) {
      for (const forged of [
        { ...header, alg: 'HS256' },
        header,
        { alg: 'HS256', typ: 'at+jwt', kid },
        { alg: 'HS512', typ: 'at+jwt', kid },
      ]) {
        await refusedEverywhere(
          app,
          forge(forged, claims, key as Buffer),
          `${String(key).slice(0, 30)} ${JSON.stringify(forged)}`,
        )
      }
    }
    const foreign = pairFor(alg)
    const jwk = foreign.publicKey.export({ format: 'jwk' })
    for (const forged of [
      header,
      { ...header, jwk },
      { ...header, jku: 'http://127.0.0.1:1/jwks.json' },
      { ...header, kid: 'k2' },
    ]) {
      await refusedEverywhere(
        app,
        forgeWith(alg, foreign.privateKey, forged, claims),
        'of another pair',
      )
    }
    // A key of another type never verifies, whatever the header says.
    for (const other of (['EdDSA', 'ES256', 'RS256'] as const).filter((name) => name !== alg)) {
      const pair = pairFor(other)
      for (const name of [alg, other])
        await refusedEverywhere(
          app,
          forgeWith(other, pair.privateKey, { ...header, alg: name }, claims),
          other,
        )
    }
    const [head, payload, signature = ''] = tokens.access_token.split('.')
    await refusedEverywhere(
      app,
      `${head}.${payload}.${'A'.repeat(signature.length)}`,
      'a signature of zeros',
    )
    await refusedEverywhere(app, `${encode({ ...header, alg: 'none' })}.${payload}.`, 'alg none')
    if (alg === 'ES256') {
      const zeros = Buffer.alloc(64).toString('base64url')
      const der = forgeWithDer(privateKey, `${head}.${payload}`)
      await refusedEverywhere(app, `${head}.${payload}.${zeros}`, 'r and s of zero')
      await refusedEverywhere(app, `${head}.${payload}.${der}`, 'a signature in DER')
    }
    assert.equal(
      (await asBearer(app, forgeWith(alg, privateKey, header, claims))).statusCode,
      200,
      'a correctly signed token is accepted',
    )
    await refusedEverywhere(
      app,
      forgeWith(alg, privateKey, header, { ...claims, typ: 'id' }),
      'another use of the pair',
    )
    await refusedEverywhere(
      app,
      forgeWith(alg, privateKey, { ...header, typ: 'JWT' }, claims),
      'another type',
    )
  })
}

function forgeWithDer(key: KeyObject, input: string): string {
  const [head = '', payload = ''] = input.split('.')
  const token = forgeWith('ES256', key, headerOf(`${head}.x`), claimsOf(`x.${payload}`))
  const raw = Buffer.from(token.split('.')[2] ?? '', 'base64url')
  const integer = (part: Buffer) => {
    const trimmed =
      part[0] !== undefined && part[0] >= 128 ? Buffer.concat([Buffer.from([0]), part]) : part
    return Buffer.concat([Buffer.from([2, trimmed.length]), trimmed])
  }
  const body = Buffer.concat([integer(raw.subarray(0, 32)), integer(raw.subarray(32))])
  return Buffer.concat([Buffer.from([0x30, body.length]), body]).toString('base64url')
}

test('access token: apps with the same key reject tokens of another issuer or audience', async (t) => {
  const keys: TokenKey[] = [{ kid: 'k', alg: 'ES256', privateKey: pairFor('ES256').privateKey }]
  const users = memoryUsers()
  const one = await bearerApp(t, null, { keys, ...claimed }, { users })
  const two = await bearerApp(
    t,
    null,
    { keys, issuer: claimed.issuer, audience: 'billing' },
    { users },
  )
  const three = await bearerApp(t, null, { keys }, { users })
  const first = await signedInBearer(one)
  refuses(await asBearer(two, first.access_token), 'CRUDAUTH_INVALID_TOKEN')
  refuses(await asBearer(one, tokensOf(await askToken(two)).access_token), 'CRUDAUTH_INVALID_TOKEN')
  refuses(
    await asBearer(one, tokensOf(await askToken(three)).access_token),
    'CRUDAUTH_INVALID_TOKEN',
  )
})

test('access token: an ID token is rejected, even if the same key has signed it', async (t) => {
  const { privateKey } = pairFor('RS256')
  const keys: TokenKey[] = [{ kid: 'k', alg: 'RS256', privateKey }]
  const { app, header, claims } = await start(t, { keys })
  const { iss, aud, sub, iat, exp, auth_time } = claims
  const idClaims = {
    ...{ iss, aud, sub, iat, exp, auth_time, nonce: 'n-0S6_WzA2Mj', azp: aud, amr: ['pwd'] },
    ...{ email: 'ann@example.com', email_verified: true, name: 'Ann', preferred_username: 'ann' },
  }
  const foreign = pairFor('RS256').privateKey
  for (const typ of ['JWT', undefined, 'at+jwt']) {
    const idHeader = { alg: 'RS256', kid: 'k', ...(typ && { typ }) }
    for (const [whose, key] of [
      ['a foreign key', foreign],
      ['the own key', privateKey],
    ] as const) {
      const token = forgeWith('RS256', key, idHeader, idClaims)
      await refusedEverywhere(app, token, `ID token, typ ${typ}, by ${whose}`)
      const both = forgeWith('RS256', key, idHeader, { ...claims, ...idClaims, typ: 'ID' })
      await refusedEverywhere(app, both, `ID token with every claim, typ ${typ}, by ${whose}`)
    }
  }
  await refusedEverywhere(app, forgeWith('RS256', foreign, header, claims), 'a foreign key')
  const more = { ...claims, ...idClaims }
  assert.equal((await asBearer(app, forgeWith('RS256', privateKey, header, more))).statusCode, 200)
})

test('access token: expires at exp although it was verified before', async (t) => {
  const { app, tokens } = await start(t, { accessSeconds: 2 })
  for (let n = 0; n < 3; n++)
    assert.equal((await asBearer(app, tokens.access_token)).statusCode, 200)
  const { now } = Date
  const expMs = (claimsOf(tokens.access_token).exp as number) * 1000
  // One mock: a second one of the same method would restore the first.
  let clock = () => expMs - 1
  t.mock.method(Date, 'now', () => clock())
  assert.equal((await asBearer(app, tokens.access_token)).statusCode, 200)
  clock = () => Math.max(now(), expMs + 60_000)
  await endedEverywhere(app, tokens.access_token)
})

test('clockToleranceSeconds: accepts an expired token for that long, no longer', async (t) => {
  const { app, tokens, claims } = await start(t, { clockToleranceSeconds: 5 })
  const expMs = (claims.exp as number) * 1000
  let nowMs = expMs + 4999
  t.mock.method(Date, 'now', () => nowMs)
  assert.equal((await asBearer(app, tokens.access_token)).statusCode, 200)
  nowMs = expMs + 5000
  await endedEverywhere(app, tokens.access_token)
})

test('access token: expired and revoked ones are anonymous on optional routes, 401 elsewhere', async (t) => {
  const { app, users, tokens, header, claims } = await start(t)
  await endedEverywhere(app, forge(header, { ...claims, exp: 1 }))
  await endedEverywhere(app, forge(header, { ...claims, exp: 0 }))
  await endedEverywhere(app, forge(header, { ...claims, ver: 1 }))
  await endedEverywhere(app, forge(header, { ...claims, sub: '99' }))
  await endedEverywhere(app, forge(header, { ...claims, eph: 'AAAAAAAAAAA' }))
  assert.equal((await asBearer(app, tokens.access_token)).statusCode, 200)
  await users.update(1, { isActive: false })
  await endedEverywhere(app, tokens.access_token)
  await users.update(1, { isActive: true, tokenVersion: 1 })
  await endedEverywhere(app, tokens.access_token)
})

test('access token: privilege claims are ignored, the user row decides', async (t) => {
  const { app, users, header, claims } = await start(t)
  await users.update(1, { isSuperuser: false, emailVerified: false })
  const token = forge(header, { ...claims, sup: true, emv: true, rev: true, isSuperuser: true })
  refuses(await asBearer(app, token, '/super'), 'CRUDAUTH_FORBIDDEN')
  refuses(await asBearer(app, token, '/verified'), 'CRUDAUTH_NOT_VERIFIED')
  assert.equal((await asBearer(app, token)).json().is_superuser, false)
})

test('access token: user ids and tokens in the URL, body and cookies are ignored', async (t) => {
  const { app, tokens } = await start(t)
  await new Client(app).register('bob')
  const bob = tokensOf(await askToken(app, 'bob'))
  for (const [token, id] of [
    [tokens, 1],
    [bob, 2],
  ] as [Issued, number][]) {
    for (const url of ['/own', '/own?user_id=2&sub=2', '/own?access_token=x']) {
      const response = await asBearer(app, token.access_token, url, {
        headers: { 'x-user-id': '2', cookie: `access_token=${bob.access_token}` },
      })
      assert.deepEqual(response.json(), { who: id })
    }
  }
  for (const url of [
    `/own?access_token=${tokens.access_token}`,
    `/own?token=${tokens.access_token}`,
  ]) {
    assert.equal(
      (await app.inject({ method: 'GET', url })).statusCode,
      401,
      'tokens in the URL are ignored',
    )
  }
  const body = { access_token: tokens.access_token }
  assert.equal(
    (await app.inject({ method: 'POST', url: '/change-password', payload: body })).statusCode,
    401,
  )
})

test('access token: one longer than 8 KiB is rejected', async (t) => {
  const { app, header, claims } = await start(t)
  const padded = (length: number) => forge(header, { ...claims, pad: 'x'.repeat(length) })
  assert.equal((await asBearer(app, padded(4000), '/own')).statusCode, 200)
  for (const length of [8192, 12_000]) {
    const token = padded(length)
    assert.ok(token.length > 8192)
    await refusedEverywhere(app, token, `${length} bytes`)
  }
  await refusedEverywhere(app, 'a'.repeat(16_384), 'no token at all')
  await refusedEverywhere(app, `${'a.'.repeat(4000)}a`, 'dots')
})

test('access token: 1100 forged tokens do not affect a valid one', async (t) => {
  const { app, tokens } = await start(t)
  assert.equal((await asBearer(app, tokens.access_token, '/own')).statusCode, 200)
  const [head, payload] = tokens.access_token.split('.')
  for (let n = 0; n < 1100; n++) {
    const signature = createHmac('sha256', createSecretKey(Buffer.from(`k${n}`)))
      .update('x')
      .digest('base64url')
    const response = await asBearer(app, `${head}.${payload}.${signature}`, '/optional')
    assert.equal(response.statusCode, 401)
  }
  assert.equal((await asBearer(app, tokens.access_token, '/own')).statusCode, 200)
})

test('Authorization: Bearer in any case is accepted, other schemes are ignored', async (t) => {
  const { app, tokens } = await start(t)
  const { access_token: token } = tokens
  const ask = (value: string, url = '/optional') =>
    app.inject({ method: 'GET', url, headers: { authorization: value } })
  for (const value of [
    `Bearer ${token}`,
    `bearer ${token}`,
    `BEARER ${token}`,
    `bEaReR   ${token}`,
    `Bearer ${token} `,
  ]) {
    assert.deepEqual((await ask(value)).json(), { who: 1 }, value)
  }
  for (const value of [
    '',
    'Basic YW5uOnB3',
    'Bearers x',
    `Token ${token}`,
    token,
    `"Bearer ${token}"`,
    'Negotiate',
    `Basic Bearer ${token}`,
    `DPoP ${token}`,
  ]) {
    const response = await ask(value)
    assert.deepEqual([response.statusCode, response.json()], [200, { who: null }], value)
    const refused = await ask(value, '/own')
    refuses(refused, 'CRUDAUTH_UNAUTHENTICATED')
    assert.equal(refused.headers['www-authenticate'], 'Bearer')
  }
  for (const value of [
    'Bearer',
    'Bearer ',
    'bearer    ',
    `Bearer ${token}, Bearer ${token}`,
    `Bearer ${token},`,
    `Bearer ,${token}`,
    `Bearer ${token} ${token}`,
    `Bearer ${token}, Basic YW5uOnB3`,
    `Bearer Basic ${token}`,
    `Bearer "${token}"`,
    `Bearer token=${token}`,
    `Bearer %${token}`,
    `Bearer ${token.replace('.', '%2E')}`,
    `Bearer ${token}%`,
    `Bearer ${token}%zz`,
    `Bearer ${token}\u00e9`,
    `Bearer ${token};`,
    'Bearer null',
    'Bearer undefined',
    'Bearer [object Object]',
    'Bearer =',
  ]) {
    for (const url of ['/optional', '/own', '/me']) {
      const response = await ask(value, url)
      refuses(response, 'CRUDAUTH_INVALID_TOKEN', [token])
      assert.equal(response.headers['www-authenticate'], 'Bearer error="invalid_token"', value)
    }
  }
})

test('POST /token, /login, /register: the Authorization header is ignored', async (t) => {
  const { app } = await start(t)
  for (const url of ['/token', '/login']) {
    const response = await app.inject({
      method: 'POST',
      url,
      headers: authorization('forged'),
      payload: { username: 'ann', password: 'wrong password' },
    })
    refuses(response, 'CRUDAUTH_BAD_CREDENTIALS')
    assert.equal(response.headers['www-authenticate'], 'Bearer')
  }
  const signUp = { email: 'bob@example.com', username: 'bob', password: 'correct horse battery' }
  assert.equal(
    (
      await app.inject({
        method: 'POST',
        url: '/register',
        headers: authorization('forged'),
        payload: signUp,
      })
    ).statusCode,
    201,
  )
})
