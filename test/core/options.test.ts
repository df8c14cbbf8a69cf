import assert from 'node:assert/strict'
import { EventEmitter } from 'node:events'
import net, { type AddressInfo } from 'node:net'
import { describe, test } from 'node:test'
import { setTimeout as wait } from 'node:timers/promises'
import Fastify from 'fastify'
import crudAuth, {
  type CrudAuthOptions,
  memoryUsers,
  type SessionTransportOptions,
  sessionTransport,
  type Transport,
} from '../../src/index.js'
import { captureLogs, cheap, secret, startAndClose } from '../helpers/build.js'

type Mistake = [what: string, options: object, message: RegExp]

const key: Transport = { name: 'key', authenticate: async () => null }
const session = (options: object) => ({
  transports: [sessionTransport(options as SessionTransportOptions)],
})
const bareUsers = (fields: string[]) => memoryUsers({ fields })

/** The start-up error of an app with these options, or null. */
const boot = (options: object): Promise<(Error & { code?: string; statusCode?: number }) | null> =>
  startAndClose(options).then(
    () => null,
    (error) => error,
  )

const openssl = /"secret.*openssl rand -base64 48/

const mistakes: Record<string, Mistake[]> = {
  secret: [
    ['absent', { secret: undefined }, openssl],
    ['null', { secret: null }, openssl],
    ['a number', { secret: 5 }, openssl],
    ['an object', { secret: {} }, openssl],
    ['empty', { secret: '' }, /"secret" must be at least 32 bytes, got 0/],
    [
      '31 bytes',
      { secret: 'hunter2-hunter3-hunter4-hunter5' },
      /"secret" must be at least 32 bytes, got 31/,
    ],
    ['one repeated letter', { secret: 'a'.repeat(64) }, openssl],
    ['a repeated word', { secret: 'secret'.repeat(10) }, openssl],
    [
      'the letters of the alphabet',
      { secret: 'abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ' },
      openssl,
    ],
    [
      'only seven distinct letters',
      { secret: 'aeimquyaiqymeuqimyeaquimyeauqiymeauiqmyu' },
      openssl,
    ],
    ['a Buffer of zeros', { secret: Buffer.alloc(64) }, openssl],
    ['an empty list', { secret: [] }, openssl],
    [
      'a list with a short secret',
      { secret: [secret, 'short'] },
      /"secret\[1\]" must be at least 32 bytes, got 5/,
    ],
    [
      'a list with undefined',
      { secret: [secret, undefined] },
      /"secret\[1\]" must be a string or a Buffer/,
    ],
  ],
  users: [
    ['absent', { users: undefined }, /"users" must be a UserStore.*memoryUsers\(\) or kyselyUsers/],
    ['a function', { users: memoryUsers }, /"users" must be a UserStore, got function/],
    [
      'a store without a method',
      { users: { ...memoryUsers(), compareAndSet: undefined } },
      /"users" lacks the method "compareAndSet"/,
    ],
    [
      'a store without fields',
      { users: { ...memoryUsers(), fields: undefined } },
      /"users\.fields" must be \{ columns, unique \}/,
    ],
    [
      'a store without a password column',
      { users: bareUsers(['email', 'username']) },
      /lacks "hashedPassword"/,
    ],
  ],
  identity: [
    [
      'no login field',
      { identity: { login: [] } },
      /"identity\.login" must name at least one field/,
    ],
    [
      'login that is not an array',
      { identity: { login: 'email' } },
      /"identity\.login" must be an array/,
    ],
    [
      'a duplicate login field',
      { identity: { login: ['email', 'email'] } },
      /"identity\.login" contains a duplicate/,
    ],
    [
      'a login field that the model lacks',
      { identity: { login: ['phone'] } },
      /"identity\.login" names "phone", which the user model lacks/,
    ],
    [
      'a login field that is not unique',
      { users: bareUsers(['email', 'nick', 'hashedPassword']), identity: { login: ['nick'] } },
      /"identity\.login" names "nick", which is not unique.*unique constraint/,
    ],
    [
      'a recovery field that the model lacks',
      { identity: { recovery: 'phone' } },
      /"identity\.recovery" names "phone", which the user model lacks; map its column or set null/,
    ],
    [
      'recovery: true',
      { identity: { recovery: true } },
      /"identity\.recovery" must be a field name or null, got true/,
    ],
    [
      'no email in the model and no recovery option',
      { users: bareUsers(['username', 'hashedPassword']), identity: { login: ['username'] } },
      /"identity\.recovery".*set it to another field, or to null/,
    ],
    [
      'an unknown option',
      { identity: { logins: [] } },
      /"identity" has no option "logins"; it takes login, recovery/,
    ],
  ],
  registration: [
    [
      'a schema that is not an object',
      { registration: { schema: 'x' } },
      /"registration\.schema" must be an object schema/,
    ],
    [
      'a schema for arrays',
      { registration: { schema: { type: 'array' } } },
      /"registration\.schema" must be an object schema/,
    ],
    [
      'a schema that describes the password',
      { registration: { schema: { type: 'object', properties: { password: { minLength: 1 } } } } },
      /"registration\.schema" may not describe "password"; use "passwords\.minLength"/,
    ],
    [
      'extraFields that are not an array',
      { registration: { extraFields: 'plan' } },
      /"registration\.extraFields" must be an array/,
    ],
    [
      'fields that are not a function',
      { registration: { fields: {} } },
      /"registration\.fields" must be a function, got object/,
    ],
    [
      'defaults that are an array',
      { registration: { defaults: [] } },
      /"registration\.defaults" must be an object, got an array/,
    ],
    [
      'enabled as a string',
      { registration: { enabled: 'yes' } },
      /"registration\.enabled" must be true or false, got string/,
    ],
    [
      'a privileged extra field',
      { registration: { extraFields: ['is_superuser'] } },
      /"is_superuser" is a privileged field/,
    ],
    [
      'a privileged default',
      { registration: { defaults: { isActive: true } } },
      /"registration\.defaults".*"isActive"/,
    ],
  ],
  passwords: [
    ['an unknown option', { passwords: { minlength: 8 } }, /"passwords" has no option "minlength"/],
    [
      'a minLength of 0',
      { passwords: { minLength: 0 } },
      /"passwords\.minLength" must be a whole number from 1 to 64, got 0/,
    ],
    ['a minLength above 64', { passwords: { minLength: 65 } }, /"passwords\.minLength"/],
    [
      'an unknown cost option',
      { passwords: { cost: { memory: 1 } } },
      /"passwords\.cost" has no option "memory"/,
    ],
    [
      'too little memory',
      { passwords: { cost: { memoryKiB: 7 } } },
      /"passwords\.cost\.memoryKiB" must be a whole number from 8/,
    ],
    ['no iterations', { passwords: { cost: { iterations: 0 } } }, /"passwords\.cost\.iterations"/],
    [
      'a fractional parallelism',
      { passwords: { cost: { parallelism: 0.5 } } },
      /"passwords\.cost\.parallelism"/,
    ],
    ['a maxConcurrent of 0', { passwords: { maxConcurrent: 0 } }, /"passwords\.maxConcurrent"/],
    ['a negative maxQueued', { passwords: { maxQueued: -1 } }, /"passwords\.maxQueued"/],
    [
      'a check that is not a function',
      { passwords: { check: true } },
      /"passwords\.check" must be a function, got true/,
    ],
    [
      'a legacy verifier without verify',
      { passwords: { legacy: [{ matches: () => true }] } },
      /"passwords\.legacy" must be an array of \{ matches/,
    ],
    [
      'a maxBytes of 0',
      { passwords: { legacy: [{ matches: () => true, verify: () => true, maxBytes: 0 }] } },
      /"passwords\.legacy\[0\]\.maxBytes" must be a whole number of at least 1, got 0/,
    ],
    [
      'a cost that is not a function',
      { passwords: { legacy: [{ matches: () => true, verify: () => true, cost: 12 }] } },
      /"passwords\.legacy\[0\]\.cost" must be a function, got 12/,
    ],
    [
      'legacy that is not an array',
      { passwords: { legacy: {} } },
      /"passwords\.legacy" must be an array/,
    ],
  ],
  transports: [
    [
      'an empty list',
      { transports: [] },
      /"transports" must be an array of at least one transport.*\[sessionTransport\(\)\]/,
    ],
    [
      'a transport that is not in an array',
      { transports: sessionTransport() },
      /"transports" must be an array/,
    ],
    [
      'sessionTransport that is not called',
      { transports: [sessionTransport] },
      /"transports".*call sessionTransport\(\) with parentheses/,
    ],
    [
      'a transport without authenticate',
      { transports: [{ name: 'x' }] },
      /"transports" takes objects with a "name" and an "authenticate"/,
    ],
    [
      'a transport with an empty name',
      { transports: [{ ...key, name: '' }] },
      /"transports" takes objects with a "name"/,
    ],
    [
      'two transports with one name',
      { transports: [key, { ...key }] },
      /"transports" has two of the name "key"; give each its own/,
    ],
    [
      'two session transports',
      { transports: [sessionTransport(), sessionTransport()] },
      /"transports" has two of the name "session"/,
    ],
  ],
  sessionTransport: [
    [
      'an unknown option',
      session({ maxSessions: 5 }),
      /"sessionTransport" has no option "maxSessions"; it takes csrf/,
    ],
    [
      'csrf as a string',
      session({ csrf: 'off' }),
      /"sessionTransport\.csrf" must be true or false, got string/,
    ],
    [
      'a maxSessionsPerUser of 0',
      session({ maxSessionsPerUser: 0 }),
      /"sessionTransport\.maxSessionsPerUser"/,
    ],
    [
      'a fractional maxSessionsPerUser',
      session({ maxSessionsPerUser: 1.5 }),
      /"sessionTransport\.maxSessionsPerUser"/,
    ],
    [
      'an idleSeconds of 0',
      session({ idleSeconds: 0 }),
      /"sessionTransport\.idleSeconds" must be a number above 0, got 0/,
    ],
    [
      'an infinite idleSeconds',
      session({ idleSeconds: Number.POSITIVE_INFINITY }),
      /"sessionTransport\.idleSeconds"/,
    ],
    [
      'rememberMeDays as a string',
      session({ rememberMeDays: '30' }),
      /"sessionTransport\.rememberMeDays" must be a number above 0, got string/,
    ],
    ['a negative absoluteDays', session({ absoluteDays: -1 }), /"sessionTransport\.absoluteDays"/],
    [
      'a scope that is not a string',
      session({ scopes: [5] }),
      /"sessionTransport\.scopes" must be an array of non-empty strings/,
    ],
    [
      'managementRoutes as a number',
      session({ managementRoutes: 1 }),
      /"sessionTransport\.managementRoutes" must be true or false/,
    ],
    [
      'SameSite=None',
      session({ cookies: { sameSite: 'none' } }),
      /"cookies\.sameSite" must be "lax" or "strict" for sessions/,
    ],
    [
      'a cookie path with ";"',
      session({ cookies: { path: '/;x' } }),
      /"sessionTransport\.cookies\.path"/,
    ],
  ],
  cookies: [
    [
      'SameSite=None',
      { cookies: { sameSite: 'none' } },
      /"cookies\.sameSite" must be "lax" or "strict" for sessions/,
    ],
    [
      'SameSite in capitals',
      { cookies: { sameSite: 'Lax' } },
      /"cookies\.sameSite" must be "lax" or "strict"/,
    ],
    [
      'secure as a string',
      { cookies: { secure: 'true' } },
      /"cookies\.secure" must be true or false/,
    ],
    [
      'a path without a leading slash',
      { cookies: { path: 'app' } },
      /"cookies\.path" must be like "\/"/,
    ],
    ['a path with ";"', { cookies: { path: '/; Domain=evil.example' } }, /"cookies\.path"/],
    ['a path with a line break', { cookies: { path: '/\r\nSet-Cookie: a=b' } }, /"cookies\.path"/],
    [
      'a domain with ";"',
      { cookies: { domain: 'example.com; Secure' } },
      /"cookies\.domain" must be like "example\.com"/,
    ],
    ['a domain with a scheme', { cookies: { domain: 'https://example.com' } }, /"cookies\.domain"/],
    ['a name with "="', { cookies: { names: { session: 'a=b' } } }, /"cookies\.names\.session"/],
    ['a name with a space', { cookies: { names: { csrf: 'a b' } } }, /"cookies\.names\.csrf"/],
    [
      'a name with the __Host- prefix',
      { cookies: { names: { device: '__Host-x' } } },
      /"cookies\.names\.device" gets its prefix automatically; remove "__Host-"/,
    ],
    [
      'one name for two cookies',
      { cookies: { names: { session: 'x', csrf: 'x' } } },
      /"cookies\.names" must differ/,
    ],
    [
      'a name for an unknown cookie',
      { cookies: { names: { login: 'x' } } },
      /"cookies\.names" has no option "login"/,
    ],
    ['an unknown option', { cookies: { httpOnly: false } }, /"cookies" has no option "httpOnly"/],
  ],
  routes: [
    [
      'an unknown group',
      { routes: ['acount'] },
      /"routes" has no group "acount"; the groups are account, session, management/,
    ],
    ['a group as a string', { routes: 'account' }, /"routes" must be an array/],
    ['a duplicate group', { routes: ['account', 'account'] }, /"routes" contains a duplicate/],
    [
      'session without its transport',
      { transports: [key], routes: ['session'] },
      /"routes" names "session", which needs sessionTransport\(\)/,
    ],
    [
      'management without its transport',
      { transports: [key], routes: ['management'] },
      /"routes" names "management"/,
    ],
  ],
  prefix: [
    [
      'a path without a leading slash',
      { prefix: 'auth' },
      /"prefix" must be a path such as "\/auth", got "auth"/,
    ],
    ['a URL', { prefix: 'https://example.com/auth' }, /"prefix" must be a path/],
    ['a path with a query', { prefix: '/auth?x' }, /"prefix" must be a path/],
    ['a path with an empty segment', { prefix: '/a//b' }, /"prefix" must be a path/],
    ['a path with a wildcard', { prefix: '/auth/*' }, /"prefix" must be a path/],
    ['a number', { prefix: 5 }, /"prefix" must be a path such as "\/auth", got 5/],
  ],
  trustedOrigins: [
    [
      'a host name',
      { trustedOrigins: ['app.example.com'] },
      /"trustedOrigins" takes origins such as "https:\/\/app\.example\.com"/,
    ],
    [
      'an origin with a path',
      { trustedOrigins: ['https://app.example.com/login'] },
      /"trustedOrigins"/,
    ],
    ['a wildcard', { trustedOrigins: ['*'] }, /"trustedOrigins"/],
    ['null', { trustedOrigins: ['null'] }, /"trustedOrigins"/],
    [
      'an origin that is not in an array',
      { trustedOrigins: 'https://app.example.com' },
      /"trustedOrigins" must be an array/,
    ],
  ],
  lockout: [
    ['true', { lockout: true }, /"lockout" must be an object, got true/],
    ['an unknown option', { lockout: { max: 5 } }, /"lockout" has no option "max"/],
    ['a maxAttempts of 0', { lockout: { maxAttempts: 0 } }, /"lockout\.maxAttempts"/],
    [
      'a maxAttemptsPerIp of 0',
      { lockout: { maxAttemptsPerIp: 0 } },
      /"lockout\.maxAttemptsPerIp"/,
    ],
    ['a windowSeconds of 0', { lockout: { windowSeconds: 0 } }, /"lockout\.windowSeconds"/],
    ['a fractional lockSeconds', { lockout: { lockSeconds: 0.5 } }, /"lockout\.lockSeconds"/],
    [
      'a maxLockSeconds below lockSeconds',
      { lockout: { lockSeconds: 60, maxLockSeconds: 30 } },
      /"lockout\.maxLockSeconds"/,
    ],
  ],
  rateLimits: [
    [
      'a number',
      { rateLimits: { register: 5 } },
      /"rateLimits\.register" must be an object, got 5/,
    ],
    [
      'true',
      { rateLimits: { register: true } },
      /"rateLimits\.register" must be an object, got true/,
    ],
    [
      'a limit without a window',
      { rateLimits: { logout_all: { max: 5 } } },
      /"rateLimits\.logout_all\.windowSeconds"/,
    ],
    [
      'a limit of 0',
      { rateLimits: { register: { max: 0, windowSeconds: 60 } } },
      /"rateLimits\.register\.max"/,
    ],
    [
      'an unknown option',
      { rateLimits: { register: { max: 5, windowMs: 60 } } },
      /"rateLimits\.register" has no option "windowMs"/,
    ],
    ['an array', { rateLimits: [] }, /"rateLimits" must be an object, got an array/],
  ],
  sudo: [
    ['true', { sudo: true }, /"sudo" must be an object, got true/],
    ['an unknown option', { sudo: { window: 5 } }, /"sudo" has no option "window"/],
    ['a windowSeconds of 0', { sudo: { windowSeconds: 0 } }, /"sudo\.windowSeconds"/],
    ['a maxAttempts of 0', { sudo: { maxAttempts: 0 } }, /"sudo\.maxAttempts"/],
    ['a lockoutSeconds of 0', { sudo: { lockoutSeconds: 0 } }, /"sudo\.lockoutSeconds"/],
  ],
  timeouts: [
    ['a redisMs of 0', { timeouts: { redisMs: 0 } }, /"timeouts\.redisMs"/],
    ['a stateMs of 0', { timeouts: { stateMs: 0 } }, /"timeouts\.stateMs"/],
    [
      'usersMs as a string',
      { timeouts: { usersMs: '5s' } },
      /"timeouts\.usersMs" must be a whole number from 1 to \d+, got string/,
    ],
    [
      'an unknown option',
      { timeouts: { redis: 1 } },
      /"timeouts" has no option "redis"; it takes redisMs, stateMs, usersMs/,
    ],
  ],
  hooks: [
    [
      'an unknown hook',
      { hooks: { afterLogin() {} } },
      /"hooks" has no option "afterLogin"; it takes .*onAfterLogin/,
    ],
    [
      'a hook that is not a function',
      { hooks: { onAfterLogin: true } },
      /"hooks\.onAfterLogin" must be a function, got true/,
    ],
    ['an array', { hooks: [] }, /"hooks" must be an object, got an array/],
  ],
  redis: [
    [
      'an empty string, as from an unset variable',
      { redis: '' },
      /"redis" must be .*got an empty string/,
    ],
    ['null', { redis: null }, /"redis" must be .*got null/],
    ['true', { redis: true }, /"redis" must be .*got true/],
    ['a port', { redis: 6379 }, /"redis" must be .*got 6379/],
    ['an array', { redis: [] }, /"redis" must be .*got an array/],
    [
      'a URL with another scheme',
      { redis: 'https://:hunter2-password@cache.example' },
      /"redis" must be .*"redis:\/\/127\.0\.0\.1:6379"/,
    ],
    [
      'a URL with a space',
      { redis: 'redis://:hunter2-password@cache.example 6379' },
      /"redis" must be/,
    ],
    [
      'a client that is not from ioredis',
      { redis: Object.assign(new EventEmitter(), { sendCommand() {}, isOpen: true }) },
      /"redis" must be .*ioredis/,
    ],
  ],
  others: [
    [
      'an unknown option',
      { secrets: 'x' },
      /"options" has no option "secrets"; it takes secret, users/,
    ],
    ['a misspelled option', { trustedOrigin: [] }, /"trustedOrigin"/],
    [
      'a freshSeconds of 0',
      { freshSeconds: 0 },
      /"freshSeconds" must be a whole number of at least 1, got 0/,
    ],
    ['freshSeconds as a string', { freshSeconds: '600' }, /"freshSeconds"/],
    [
      'a keyPrefix with a space',
      { keyPrefix: 'my app:' },
      /"keyPrefix" must be at most 64 letters/,
    ],
    ['a keyPrefix with a hash tag', { keyPrefix: '{app}:' }, /"keyPrefix"/],
    ['keyPrefix as a number', { keyPrefix: 5 }, /"keyPrefix"/],
  ],
}

for (const [option, cases] of Object.entries(mistakes)) {
  describe(`invalid options: ${option}`, () => {
    for (const [what, options, message] of cases) {
      test(`${what}: start-up fails with CRUDAUTH_CONFIG and says what to change`, async () => {
        const error = await boot(options)
        assert.ok(error, 'the options were accepted')
        assert.equal(error.code, 'CRUDAUTH_CONFIG', error.message)
        assert.match(error.message, message)
        for (const value of [secret, 'hunter2'])
          assert.ok(
            !`${error.message} ${error.stack}`.includes(value),
            'the error reveals a secret',
          )
      })
    }
  })
}

describe('valid options', () => {
  const fine: [what: string, options: object][] = [
    ['only the required options', {}],
    [
      'undefined for everything optional',
      Object.fromEntries(
        [
          'redis',
          'keyPrefix',
          'prefix',
          'routes',
          'transports',
          'identity',
          'registration',
          'passwords',
          'sudo',
          'freshSeconds',
          'cookies',
          'trustedOrigins',
          'lockout',
          'rateLimits',
          'timeouts',
          'hooks',
        ].map((name) => [name, undefined]),
      ),
    ],
    [
      'undefined within groups',
      {
        cookies: { secure: undefined, domain: undefined },
        sudo: { windowSeconds: undefined },
        lockout: { maxAttempts: undefined },
        ...session({ csrf: undefined, cookies: undefined }),
        rateLimits: { register: undefined },
      },
    ],
    ['a Buffer as secret', { secret: Buffer.from(secret) }],
    ['two secrets', { secret: [secret, 'q8Zt3Lm7Xc1Vb5Nn9Kj2Hg6Fd4Sa0Pw-other'] }],
    [
      '32 bytes as hex',
      { secret: '9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08' },
    ],
    ['the root as prefix', { prefix: '/' }],
    ['an empty key prefix', { keyPrefix: '' }],
    ['an absoluteDays of 0.5', session({ absoluteDays: 0.5 })],
    ['a rate limit of the app', { rateLimits: { export: { max: 1, windowSeconds: 1 } } }],
    [
      'origins with a port and a trailing slash',
      { trustedOrigins: ['http://localhost:5173', 'https://app.example.com/'] },
    ],
  ]
  for (const [what, options] of fine) {
    test(`${what}: the app starts`, async () => assert.equal(await boot(options), null))
  }

  test('are copied: frozen objects work and later changes have no effect', async (t) => {
    const trustedOrigins = ['https://app.example.com']
    const options: CrudAuthOptions = {
      secret,
      users: memoryUsers(),
      passwords: { cost: cheap },
      trustedOrigins,
    }
    const app = Fastify()
    t.after(() => app.close())
    await app.register(
      crudAuth,
      Object.freeze({ ...options, cookies: Object.freeze({}), hooks: Object.freeze({}) }),
    )
    await app.ready()
    trustedOrigins.push('https://evil.example')
    const response = await app.inject({
      method: 'POST',
      url: '/login',
      headers: { origin: 'https://evil.example' },
      payload: { username: 'x', password: 'x' },
    })
    assert.equal(response.json().code, 'CRUDAUTH_CROSS_SITE')
  })
})

describe('invalid options with Redis configured', () => {
  for (const [what, options] of [
    ['in the options', { freshSeconds: 0 }],
    ['in a privileged extra field', { registration: { extraFields: ['isSuperuser'] } }],
    ['in a privileged default', { registration: { defaults: { isSuperuser: true } } }],
    [
      'in the routes of a transport',
      { transports: [{ ...key, routes: async () => Promise.reject(new Error('no')) }] },
    ],
  ] as const) {
    test(`an error ${what} opens no connection`, async (t) => {
      let connections = 0
      const server = net.createServer((socket) => {
        connections++
        socket.destroy()
      })
      server.listen(0, '127.0.0.1')
      await new Promise((resolve) => server.once('listening', resolve))
      t.after(() => server.close())
      const redis = `redis://:hunter2@127.0.0.1:${(server.address() as AddressInfo).port}`
      const error = await boot({ ...options, redis })
      assert.ok(error, 'the options were accepted')
      assert.ok(!error.message.includes('hunter2'))
      await wait(150)
      assert.equal(connections, 0)
    })
  }
})

describe('warnings at start-up', () => {
  const warningsOf = async (options: Partial<CrudAuthOptions>) => {
    const { lines, logger } = captureLogs('warn')
    const app = Fastify({ logger })
    await app.register(crudAuth, { secret, users: memoryUsers(), ...options })
    await app.ready()
    await app.close()
    return lines.map((line) => JSON.parse(line).msg as string)
  }
  const has = (lines: string[], word: string) => lines.filter((line) => line.includes(word)).length

  test('the only warning by default is about state in memory', async () => {
    const lines = await warningsOf({})
    assert.equal(lines.length, 1)
    assert.equal(has(lines, 'memory of this process'), 1)
  })

  test('cheap hashing, no lockout, insecure cookies and no tokenVersion field each warn once', async () => {
    const lines = await warningsOf({
      users: bareUsers(['email', 'username', 'hashedPassword']),
      passwords: { cost: cheap },
      lockout: false,
      cookies: { secure: false },
    })
    for (const word of ['passwords.cost', '"lockout"', '"cookies.secure"', '"tokenVersion"'])
      assert.equal(has(lines, word), 1, word)
    assert.equal(lines.length, 5)
  })

  test('passwords.cost warns only below the OWASP minimum', async () => {
    for (const [memoryKiB, iterations] of [
      [19_456, 2],
      [12_288, 3],
      [7_168, 5],
    ] as const) {
      assert.equal(
        has(await warningsOf({ passwords: { cost: { memoryKiB, iterations } } }), 'passwords.cost'),
        0,
      )
    }
    for (const [memoryKiB, iterations] of [
      [19_456, 1],
      [7_168, 4],
    ] as const) {
      assert.equal(
        has(await warningsOf({ passwords: { cost: { memoryKiB, iterations } } }), 'passwords.cost'),
        1,
      )
    }
  })
})
