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
  ['an array as options', [] as object, /bearerTransport/],
  ['a lifetime of zero', { accessSeconds: 0 }, /accessSeconds/],
  ['a lifetime as text', { accessSeconds: '900' }, /accessSeconds/],
  ['a fractional lifetime', { accessSeconds: 1.5 }, /accessSeconds/],
  ['an access token lifetime of a week', { accessSeconds: 604_800 }, /accessSeconds/],
  ['a negative clock tolerance', { clockToleranceSeconds: -1 }, /clockToleranceSeconds/],
  [
    'an infinite clock tolerance',
    { clockToleranceSeconds: Number.POSITIVE_INFINITY },
    /clockToleranceSeconds/,
  ],
  ['a refreshDays of 0', { refreshDays: 0 }, /refreshDays/],
  ['a negative refreshDays', { refreshDays: -1 }, /refreshDays/],
  ['an infinite refreshDays', { refreshDays: Number.POSITIVE_INFINITY }, /refreshDays/],
  ['NaN as refreshDays', { refreshDays: Number.NaN }, /refreshDays/],
  ['an unknown value for refresh', { refresh: 'header' }, /"cookie" or "body"/],
  ['a negative grace period', { reuseGraceSeconds: -1 }, /reuseGraceSeconds/],
  ['a grace period of an hour', { reuseGraceSeconds: 3600 }, /reuseGraceSeconds/],
  ['rotation as text', { rotateRefresh: 'false' }, /rotateRefresh/],
  ['statelessUser as a number', { statelessUser: 1 }, /statelessUser/],
  ['scopes as text', { defaultScopes: 'read' }, /defaultScopes/],
  ['a scope with a space', { defaultScopes: ['read write'] }, /defaultScopes/],
  ['an empty scope', { grantableScopes: [''] }, /grantableScopes/],
  ['a scope with a quote', { grantableScopes: ['a"b'] }, /grantableScopes/],
  ['a scope with a backslash', { grantableScopes: ['a\\b'] }, /grantableScopes/],
  ['a scope with a line break', { grantableScopes: ['a\r\nb'] }, /grantableScopes/],
  ['a number as a scope', { grantableScopes: [1] }, /grantableScopes/],
  [
    'default scopes that are not grantable',
    { defaultScopes: ['a'], grantableScopes: ['b'] },
    /grantableScopes.*"a"/,
  ],
  [
    'default scopes of more than 4096 characters',
    { defaultScopes: manyScopes },
    /defaultScopes.*4096/,
  ],
  [
    'grantable scopes of more than 4096 characters',
    { grantableScopes: manyScopes },
    /grantableScopes.*4096/,
  ],
  [
    'an issuer of more than 512 characters',
    { issuer: `https://${'x'.repeat(600)}` },
    /issuer.*512/,
  ],
  ['an audience of more than 512 characters', { audience: 'x'.repeat(513) }, /audience.*512/],
  ['an empty issuer', { issuer: '' }, /issuer/],
  ['a regular expression as issuer', { issuer: /x/ }, /issuer/],
  ['audiences as a list', { audience: ['a', 'b'] }, /audience/],
  ['a cookie path with a semicolon', { refreshCookiePath: '/; domain=evil' }, /path/],
  ['a cookie path without a leading slash', { refreshCookiePath: 'auth' }, /path/],
  [
    'a cookie name with a line break',
    { cookies: { names: { refresh: 'a\r\nb' } } },
    /names.refresh/,
  ],
  ['SameSite=None without Secure', { cookies: { sameSite: 'none', secure: false } }, /secure/],
  ['an unknown cookie option', { cookies: { httpOnly: false } }, /httpOnly/],
  ['jwks without keys', { jwks: true }, /jwks.*keys/],
  ['jwks as text', { jwks: 'yes', ...key('EdDSA', { privateKey: ed.privateKey }) }, /jwks/],
  ['an empty list of keys', { keys: [] }, /keys/],
  ['an object as keys', { keys: { kid: 'k' } }, /keys/],
  ['null as keys', { keys: null }, /keys/],
  ['null as a key', { keys: [null] }, /keys\[0\]/],
  [
    'a key with an unknown member',
    key('EdDSA', { privateKey: ed.privateKey, secret: 'x' }),
    /secret/,
  ],
  ['a key without kid', { keys: [{ alg: 'EdDSA', privateKey: ed.privateKey }] }, /kid/],
  ['an empty kid', key('EdDSA', { privateKey: ed.privateKey }, ''), /kid/],
  ['a kid that is a path', key('EdDSA', { privateKey: ed.privateKey }, '../../etc/passwd'), /kid/],
  ['a kid with a quote', key('EdDSA', { privateKey: ed.privateKey }, 'a"b'), /kid/],
  ['a kid that is a number', key('EdDSA', { privateKey: ed.privateKey }, 7), /kid/],
  [
    'a duplicate kid',
    {
      keys: [
        { kid: 'k', alg: 'EdDSA', privateKey: ed.privateKey },
        { kid: 'k', alg: 'ES256', privateKey: ec.privateKey },
      ],
    },
    /kid.*twice/,
  ],
  ['a key without algorithm', key(undefined, { privateKey: ed.privateKey }), /alg/],
  ['HS256 as an asymmetric key', key('HS256', { privateKey: 'x'.repeat(32) }), /alg/],
  ['the algorithm none', key('none', { privateKey: ed.privateKey }), /alg/],
  ['a prototype property as algorithm', key('toString', { privateKey: ed.privateKey }), /alg/],
  ['a key without privateKey and publicKey', key('EdDSA', {}), /privateKey/],
  ['malformed text as the private key', key('EdDSA', { privateKey: 'nonsense' }), /privateKey/],
  ['an empty private key', key('EdDSA', { privateKey: '' }), /privateKey/],
  [
    'a public PEM as the private key',
    key('EdDSA', { privateKey: pem(ed.publicKey) }),
    /privateKey/,
  ],
  [
    'a public KeyObject as the private key',
    key('EdDSA', { privateKey: ed.publicKey }),
    /privateKey/,
  ],
  [
    'a private KeyObject as the public key',
    key('EdDSA', { publicKey: ed.privateKey }),
    /publicKey/,
  ],
  [
    'a secret KeyObject as the private key',
    key('EdDSA', { privateKey: createSecretKey(Buffer.alloc(32)) }),
    /privateKey/,
  ],
  [
    'a secret KeyObject as the public key',
    key('EdDSA', { publicKey: createSecretKey(Buffer.alloc(32)) }),
    /publicKey/,
  ],
  ['a number as the private key', key('EdDSA', { privateKey: 7 }), /privateKey/],
  ['null as the private key', key('EdDSA', { privateKey: null }), /privateKey/],
  ['null as the public key', key('EdDSA', { publicKey: null }), /publicKey/],
  [
    'a number as the private key next to a public key',
    key('EdDSA', { privateKey: 7, publicKey: ed.publicKey }),
    /privateKey/,
  ],
  [
    'a public key of another pair',
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
  test(`bearerTransport: refuses ${what} at start-up, without key material in the error`, async (t) => {
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

test('bearerTransport: two of them, or bearer routes without one, fail at start-up', async (t) => {
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

test('bearerTransport: authenticate() outside the plugin throws CRUDAUTH_CONFIG', async () => {
  await assert.rejects(async () => bearerTransport().authenticate({} as never, {} as never), {
    code: 'CRUDAUTH_CONFIG',
  })
})

test('start-up: one warning that state in memory is not shared between processes', async (t) => {
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

test('start-up: a bearer-only app with an insecure refresh cookie gets one warning', async (t) => {
  const { lines, logger } = captureLogs('warn')
  const fastify = { logger: { level: logger.level, stream: logger.stream } }
  await bearerApp(t, null, { refresh: 'cookie', cookies: { secure: false } }, {}, { fastify })
  assert.equal(lines.filter((line) => line.includes('cookies.secure')).length, 1)
})
