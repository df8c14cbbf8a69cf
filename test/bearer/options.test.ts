import assert from 'node:assert/strict'
import { createSecretKey, generateKeyPairSync } from 'node:crypto'
import { test } from 'node:test'
import Fastify from 'fastify'
import {
  bearerRoutes,
  bearerTransport,
  crudAuth,
  memoryUsers,
  sessionTransport,
} from '../../src/index.js'
import { bearerApp, pairFor, pem, times } from '../helpers/bearer.js'
import { build, captureLogs, cheap, secret } from '../helpers/build.js'

const ed = pairFor('EdDSA')
const ec = pairFor('ES256')
const rsa = pairFor('RS256')
const weakRsa = generateKeyPairSync('rsa', { modulusLength: 1024 })
const p384 = generateKeyPairSync('ec', { namedCurve: 'P-384' })
const secp256k1 = generateKeyPairSync('ec', { namedCurve: 'secp256k1' })
const ed448 = generateKeyPairSync('ed448')
const x25519 = generateKeyPairSync('x25519')
const pss = generateKeyPairSync('rsa-pss', { modulusLength: 2048 })

const key = (alg: unknown, halves: object, kid: unknown = 'k') => ({
  keys: [{ kid, alg, ...halves }],
})

const manyScopes = times(600, (n) => `resource-${n}:read`)

const mistakes: [string, object, RegExp][] = [
  ['an unknown option', { acessSeconds: 900 }, /acessSeconds/],
  ['options that are none', [] as object, /bearerTransport/],
  ['a lifetime of zero', { accessSeconds: 0 }, /accessSeconds/],
  ['a lifetime that is text', { accessSeconds: '900' }, /accessSeconds/],
  ['a fractional lifetime', { accessSeconds: 1.5 }, /accessSeconds/],
  ['an access token for a week', { accessSeconds: 604_800 }, /accessSeconds/],
  ['a negative tolerance', { clockToleranceSeconds: -1 }, /clockToleranceSeconds/],
  [
    'a tolerance without an end',
    { clockToleranceSeconds: Number.POSITIVE_INFINITY },
    /clockToleranceSeconds/,
  ],
  ['no days', { refreshDays: 0 }, /refreshDays/],
  ['negative days', { refreshDays: -1 }, /refreshDays/],
  ['endless days', { refreshDays: Number.POSITIVE_INFINITY }, /refreshDays/],
  ['NaN days', { refreshDays: Number.NaN }, /refreshDays/],
  ['another way to carry', { refresh: 'header' }, /"cookie" or "body"/],
  ['a grace that is none', { reuseGraceSeconds: -1 }, /reuseGraceSeconds/],
  ['a grace of an hour', { reuseGraceSeconds: 3600 }, /reuseGraceSeconds/],
  ['rotation as text', { rotateRefresh: 'false' }, /rotateRefresh/],
  ['statelessUser as a number', { statelessUser: 1 }, /statelessUser/],
  ['scopes as text', { defaultScopes: 'read' }, /defaultScopes/],
  ['a scope with a space', { defaultScopes: ['read write'] }, /defaultScopes/],
  ['an empty scope', { grantableScopes: [''] }, /grantableScopes/],
  ['a scope with a quote', { grantableScopes: ['a"b'] }, /grantableScopes/],
  ['a scope with a backslash', { grantableScopes: ['a\\b'] }, /grantableScopes/],
  ['a scope with a line break', { grantableScopes: ['a\r\nb'] }, /grantableScopes/],
  ['a scope that is none', { grantableScopes: [1] }, /grantableScopes/],
  [
    'default scopes that may not be granted',
    { defaultScopes: ['a'], grantableScopes: ['b'] },
    /grantableScopes.*"a"/,
  ],
  [
    'more default scopes than a token can hold',
    { defaultScopes: manyScopes },
    /defaultScopes.*4096/,
  ],
  [
    'more scopes to grant than a token can hold',
    { grantableScopes: manyScopes },
    /grantableScopes.*4096/,
  ],
  ['an issuer that fills the token', { issuer: `https://${'x'.repeat(600)}` }, /issuer.*512/],
  ['an audience that fills the token', { audience: 'x'.repeat(513) }, /audience.*512/],
  ['an empty issuer', { issuer: '' }, /issuer/],
  ['an issuer that is a pattern', { issuer: /x/ }, /issuer/],
  ['audiences as a list', { audience: ['a', 'b'] }, /audience/],
  ['a cookie path with a semicolon', { refreshCookiePath: '/; domain=evil' }, /path/],
  ['a cookie path that is none', { refreshCookiePath: 'auth' }, /path/],
  [
    'a cookie name with a line break',
    { cookies: { names: { refresh: 'a\r\nb' } } },
    /names.refresh/,
  ],
  ['SameSite=None without Secure', { cookies: { sameSite: 'none', secure: false } }, /secure/],
  ['an unknown cookie option', { cookies: { httpOnly: false } }, /httpOnly/],
  ['jwks without keys', { jwks: true }, /jwks.*keys/],
  ['jwks as text', { jwks: 'yes', ...key('EdDSA', { privateKey: ed.privateKey }) }, /jwks/],
  ['no keys in the list', { keys: [] }, /keys/],
  ['keys that are no list', { keys: { kid: 'k' } }, /keys/],
  ['keys of null', { keys: null }, /keys/],
  ['a key of null', { keys: [null] }, /keys\[0\]/],
  [
    'a key with an unknown member',
    key('EdDSA', { privateKey: ed.privateKey, secret: 'x' }),
    /secret/,
  ],
  ['no kid', { keys: [{ alg: 'EdDSA', privateKey: ed.privateKey }] }, /kid/],
  ['an empty kid', key('EdDSA', { privateKey: ed.privateKey }, ''), /kid/],
  ['a kid that is a path', key('EdDSA', { privateKey: ed.privateKey }, '../../etc/passwd'), /kid/],
  ['a kid with a quote', key('EdDSA', { privateKey: ed.privateKey }, 'a"b'), /kid/],
  ['a kid that is a number', key('EdDSA', { privateKey: ed.privateKey }, 7), /kid/],
  [
    'a kid that is used twice',
    {
      keys: [
        { kid: 'k', alg: 'EdDSA', privateKey: ed.privateKey },
        { kid: 'k', alg: 'ES256', privateKey: ec.privateKey },
      ],
    },
    /kid.*twice/,
  ],
  ['no algorithm', key(undefined, { privateKey: ed.privateKey }), /alg/],
  ['HS256 as an asymmetric key', key('HS256', { privateKey: 'x'.repeat(32) }), /alg/],
  ['none as algorithm', key('none', { privateKey: ed.privateKey }), /alg/],
  ['an algorithm from the prototype', key('toString', { privateKey: ed.privateKey }), /alg/],
  ['a key with neither half', key('EdDSA', {}), /privateKey/],
  ['text that is no key', key('EdDSA', { privateKey: 'nonsense' }), /privateKey/],
  ['an empty text', key('EdDSA', { privateKey: '' }), /privateKey/],
  ['a public text as private', key('EdDSA', { privateKey: pem(ed.publicKey) }), /privateKey/],
  ['a public object as private', key('EdDSA', { privateKey: ed.publicKey }), /privateKey/],
  ['a private object as public', key('EdDSA', { publicKey: ed.privateKey }), /publicKey/],
  [
    'a secret as private',
    key('EdDSA', { privateKey: createSecretKey(Buffer.alloc(32)) }),
    /privateKey/,
  ],
  [
    'a secret as public',
    key('EdDSA', { publicKey: createSecretKey(Buffer.alloc(32)) }),
    /publicKey/,
  ],
  ['a number as private', key('EdDSA', { privateKey: 7 }), /privateKey/],
  ['null as private', key('EdDSA', { privateKey: null }), /privateKey/],
  ['null as public', key('EdDSA', { publicKey: null }), /publicKey/],
  [
    'a number as private beside a public one',
    key('EdDSA', { privateKey: 7, publicKey: ed.publicKey }),
    /privateKey/,
  ],
  [
    'halves of two pairs',
    key('EdDSA', { privateKey: ed.privateKey, publicKey: pairFor('EdDSA').publicKey }),
    /do not belong together/,
  ],
  ['P-384 as ES256', key('ES256', { privateKey: p384.privateKey }), /ES256/],
  ['secp256k1 as ES256', key('ES256', { privateKey: secp256k1.privateKey }), /ES256/],
  ['Ed448 as EdDSA', key('EdDSA', { privateKey: ed448.privateKey }), /EdDSA/],
  ['X25519 as EdDSA', key('EdDSA', { privateKey: x25519.privateKey }), /EdDSA/],
  ['RSA of 1024 bits', key('RS256', { privateKey: weakRsa.privateKey }), /2048/],
  ['RSA-PSS as RS256', key('RS256', { privateKey: pss.privateKey }), /RS256/],
  ['EC as RS256', key('RS256', { privateKey: ec.privateKey }), /RS256/],
  ['RSA as ES256', key('ES256', { privateKey: rsa.privateKey }), /ES256/],
  ['RSA as EdDSA', key('EdDSA', { publicKey: rsa.publicKey }), /EdDSA/],
]

for (const [what, options, message] of mistakes) {
  test(`${what} stops the start, and no key stands in the message`, async (t) => {
    const app = Fastify()
    t.after(() => app.close())
    const transports = [bearerTransport(options as never)]
    const registered = async () => {
      await app.register(crudAuth, {
        secret,
        users: memoryUsers(),
        transports,
        passwords: { cost: cheap },
      })
    }
    await assert.rejects(registered, (error: Error & { code?: string }) => {
      assert.equal(error.code, 'CRUDAUTH_CONFIG', String(error.stack))
      assert.match(error.message, message)
      assert.doesNotMatch(error.message, /PRIVATE|BEGIN|nonsense|MC4C/)
      return true
    })
  })
}

test('two bearer transports, or bearer routes without one, stop the start', async (t) => {
  const twice = Fastify()
  const without = Fastify()
  t.after(() => Promise.all([twice.close(), without.close()]))
  await assert.rejects(
    async () => {
      await twice.register(crudAuth, {
        secret,
        users: memoryUsers(),
        transports: [bearerTransport(), bearerTransport()],
      })
    },
    { code: 'CRUDAUTH_CONFIG' },
  )
  for (const routes of [['bearer'], ['account', 'bearer']] as const) {
    await assert.rejects(
      async () => {
        const app = Fastify()
        t.after(() => app.close())
        await app.register(crudAuth, {
          secret,
          users: memoryUsers(),
          transports: [sessionTransport()],
          routes: [...routes],
        })
      },
      { code: 'CRUDAUTH_CONFIG', message: /bearerTransport/ },
    )
  }
  await assert.rejects(
    () =>
      build(t, {
        routes: async (app) => void (await app.register(bearerRoutes, { prefix: '/x' })),
      }),
    {
      code: 'CRUDAUTH_CONFIG',
      message: /bearerTransport/,
    },
  )
})

test('a transport that is not the plugin’s to bind says so', async () => {
  await assert.rejects(async () => bearerTransport().authenticate({} as never, {} as never), {
    code: 'CRUDAUTH_CONFIG',
  })
})

test('memory says once at start that it is shared with no other process', async (t) => {
  const { lines, logger } = captureLogs('warn')
  await bearerApp(
    t,
    null,
    {},
    {},
    { fastify: { logger: { level: logger.level, stream: logger.stream } } },
  )
  const said = lines.filter((line) => line.includes('memory of this process'))
  assert.equal(said.length, 1)
})

test('a bearer-only app over plain http says that its cookie travels in the clear', async (t) => {
  const { lines, logger } = captureLogs('warn')
  const fastify = { logger: { level: logger.level, stream: logger.stream } }
  await bearerApp(t, null, { refresh: 'cookie', cookies: { secure: false } }, {}, { fastify })
  assert.equal(lines.filter((line) => line.includes('cookies.secure')).length, 1)
})
