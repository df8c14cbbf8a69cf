import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { FastifyInstance, InjectOptions } from 'fastify'
import { backends } from '../helpers/backends.js'
import { build, captureLogs, password } from '../helpers/build.js'
import { Client, signedIn } from '../helpers/client.js'
import {
  csrfCookie,
  deviceCookie,
  form,
  noUnhandledRejections,
  openUsers,
  sessionCookie,
} from '../helpers/hostile.js'
import { countingUsers } from '../helpers/users.js'

const routes = [
  ['POST', '/register'],
  ['GET', '/me'],
  ['POST', '/set-password'],
  ['POST', '/change-password'],
  ['POST', '/login'],
  ['POST', '/logout'],
  ['GET', '/sessions'],
  ['DELETE', '/sessions/x'],
  ['POST', '/logout-all'],
  ['POST', '/csrf/refresh'],
  ['POST', '/sudo'],
  ['GET', '/own'],
] as const

/** Characters that a header may contain. Like Node, inject rejects all others before sending. */
const headerText = fc
  .oneof(
    fc.string({ maxLength: 60 }),
    fc.string({ unit: 'binary', maxLength: 60 }),
    fc.constantFrom('', 'null', '__proto__', '%', '%zz', '[]', '1e999'),
  )
  .map((text) => text.replace(/[^\t\x20-\x7e\x80-\xff]/g, ''))

const anything = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc.string({ unit: 'grapheme' }),
  fc.constantFrom(
    '',
    'ann',
    'ann@example.com',
    password,
    '\0',
    '\ud800',
    '__proto__',
    "' or 1=1 --",
    'true',
    'a'.repeat(2000),
  ),
  fc.anything({ withNullPrototype: true, maxDepth: 3 }).filter((value) => value !== undefined),
)

const members = fc.constantFrom(
  'email',
  'username',
  'password',
  'new_password',
  'current_password',
  'remember_me',
  'plan',
  'id',
  'is_superuser',
  'hashedPassword',
  'constructor',
  'toString',
  'x',
)

const json = fc
  .oneof(
    { weight: 4, arbitrary: fc.dictionary(members, anything) },
    { weight: 1, arbitrary: anything },
  )
  .map((value) => {
    try {
      return JSON.stringify(value) ?? 'null'
    } catch {
      return '{}'
    }
  })

const body = fc.oneof(
  json.map((payload) => ({ type: 'application/json', payload: Buffer.from(payload) })),
  fc
    .array(fc.tuple(members, fc.string({ unit: 'binary', maxLength: 30 })), { maxLength: 6 })
    .map((pairs) => ({
      type: form,
      payload: Buffer.from(pairs.map((pair) => pair.join('=')).join('&')),
    })),
  fc.record({
    type: fc.oneof(
      headerText,
      fc.constantFrom(
        'application/json',
        form,
        'application/json; charset=utf-16',
        'multipart/form-data',
      ),
    ),
    payload: fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes)),
  }),
  fc.constant({ type: '', payload: Buffer.alloc(0) }),
)

const headers = fc.dictionary(
  fc.constantFrom(
    'cookie',
    'x-csrf-token',
    'origin',
    'host',
    'sec-fetch-site',
    'user-agent',
    'authorization',
    'x-forwarded-for',
    'x-forwarded-host',
    'accept',
    'accept-version',
    'content-encoding',
    'x-http-method-override',
    'if-none-match',
    'range',
  ),
  headerText,
  { maxKeys: 5 },
)

const cookies = fc.array(
  fc.tuple(
    fc.constantFrom(sessionCookie, csrfCookie, deviceCookie, '__proto__', ''),
    fc.oneof(
      headerText,
      fc.constantFrom('SESSION', 'HALF', 'CSRF', 'DEVICE', `${'A'.repeat(43)}.${'B'.repeat(22)}`),
    ),
  ),
  { maxLength: 4 },
)

const query = fc.oneof(
  fc.constant(''),
  fc.constantFrom(
    '?keep_current=1',
    '?keep_current=maybe',
    '?keep_current=1&keep_current=1',
    '?keep_current[]=1',
    '?%',
    '?__proto__=1',
    '?=&=',
    ';a=b',
  ),
  fc.string({ maxLength: 20 }).map((text) => `?${encodeURIComponent(text)}`),
)

async function fuzzed(app: FastifyInstance, client: Client, seed: readonly unknown[]) {
  const [[method, url], suffix, { type, payload }, plain, pairs, withToken] = seed as [
    (typeof routes)[number],
    string,
    { type: string; payload: Buffer },
    Record<string, string>,
    [string, string][],
    boolean,
  ]
  const session = client.cookies.get(sessionCookie) ?? ''
  const known: Record<string, string> = {
    SESSION: session,
    HALF: session.slice(0, 43),
    CSRF: client.csrf ?? '',
    DEVICE: client.cookies.get(deviceCookie) ?? '',
  }
  const cookie = pairs.map(([name, value]) => `${name}=${known[value] ?? value}`).join('; ')
  const options: InjectOptions = {
    method,
    url: `${url}${suffix}`,
    headers: {
      ...plain,
      ...(cookie && { cookie }),
      ...(type && { 'content-type': type }),
      ...(withToken && client.csrf !== null && { 'x-csrf-token': client.csrf }),
    },
    ...(method !== 'GET' && payload.length > 0 && { payload }),
  }
  return app.inject(options)
}

for (const backend of backends) {
  test(`${backend.name}: fuzz: no input causes a 5xx, rejected requests do not write users`, async (t) => {
    noUnhandledRejections(t)
    const opened = openUsers()
    const users = countingUsers(opened.store)
    const { lines, logger } = captureLogs('error')
    const app = await build(t, {
      fastify: { logger: { level: logger.level, stream: logger.stream } },
      auth: {
        ...backend.options(),
        users: users.store,
        lockout: false,
        registration: { extraFields: ['plan'] },
      },
      routes(app) {
        app.get('/own', { onRequest: app.currentUser({ optional: true }) }, async (request) => ({
          who: request.maybePrincipal?.userId ?? null,
        }))
        app.post('/sudo', { onRequest: app.currentUser() }, async (request) => {
          await app.crudAuth.sudo.elevate(request, {
            password: (request.body as { password: string })?.password,
          })
          return {}
        })
      },
    })
    let client = await signedIn(app, 'ann')
    let duplicates = 0
    const taken = JSON.stringify({ email: 'ann@example.com', username: 'ann', password })
    const takenBody = { type: 'application/json', payload: Buffer.from(taken) }
    await fc.assert(
      fc.asyncProperty(
        fc.tuple(fc.constantFrom(...routes), query, body, headers, cookies, fc.boolean()),
        async (seed) => {
          const writes = users.writes()
          const rows = await opened.rows()
          const response = await fuzzed(app, client, seed)
          const told = `${JSON.stringify(seed)} ${response.body}`
          assert.ok(response.statusCode < 500, told)
          // Only the unique index finds a duplicate, so a 409 includes one failed write.
          if (response.statusCode === 409) duplicates++
          else if (response.statusCode >= 400) assert.equal(users.writes(), writes, told)
          if (response.statusCode >= 400) assert.deepEqual(await opened.rows(), rows, told)
          if (response.statusCode >= 400) {
            assert.ok([400, 401, 403, 404, 409, 413, 415, 429].includes(response.statusCode), told)
            if (response.statusCode !== 404)
              assert.match(String(response.json().code), /^(CRUDAUTH|FST)_/, told)
          }
          // This input ended the session: continue with a new one.
          if ((await client.get('/me')).statusCode !== 200) {
            client = new Client(app)
            await client.login('ann')
          }
        },
      ),
      { numRuns: 1500, examples: [[[['POST', '/register'], '', takenBody, {}, [], false]]] },
    )
    assert.ok(duplicates > 0)
    assert.deepEqual(lines, [])
    assert.equal((await signedIn(app, 'zoe')).cookies.size, 3, 'the app still works')
  })
}
