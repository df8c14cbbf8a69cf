import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import type { FastifyInstance } from 'fastify'
import { sql } from 'kysely'
import type { PasskeyStore } from '../../src/index.js'
import { drizzlePasskeys } from '../../src/passkey-stores/drizzle.js'
import { answers } from '../helpers/answers.js'
import { serverUrl, uniquePrefix } from '../helpers/backends.js'
import { build, captureLogs, limitsOff } from '../helpers/build.js'
import { Client, signedIn } from '../helpers/client.js'
import { redisTexts } from '../helpers/hostile.js'
import { challengeOf, enroll, mfaOptions } from '../helpers/mfa.js'
import { openDrizzle } from '../helpers/open-drizzle.js'
import { ormDatabases } from '../helpers/orm-databases.js'
import { passkeyPlaces } from '../helpers/passkey-places.js'
import {
  assertionOf,
  buildPasskeys,
  device,
  passkeyOptions,
  register,
  registrationOf,
} from '../helpers/passkeys.js'
import {
  createPasskeysTable,
  drizzlePasskeysOf,
  passkeyColumns,
} from '../helpers/passkeys-table.js'
import { createState } from '../helpers/state.js'
import { openSqlite } from '../helpers/tables.js'

const redis = serverUrl('TEST_REDIS_URL')
const verifyUrl = '/passkeys/login/verify'

interface Registration {
  readonly challenge_id: string
  readonly response: { readonly id: string; readonly response: object }
}

/** Uses passkeys in every way, rightly and wrongly. Returns everything that is nobody's business. */
async function fullFlow(app: FastifyInstance): Promise<string[]> {
  const secrets: string[] = []
  const note = <T extends Registration>(proof: T): T => {
    const members = Object.values(proof.response.response).filter((one) => typeof one === 'string')
    const client = Buffer.from(
      String((proof.response.response as { clientDataJSON?: string }).clientDataJSON),
      'base64url',
    )
    secrets.push(
      proof.challenge_id,
      proof.response.id,
      ...members,
      JSON.parse(`${client}`).challenge,
    )
    return proof
  }
  const client = await signedIn(app, 'ada')
  const authenticator = device()
  const evil = { origin: 'https://evil.example' }
  await register(client, note(await registrationOf(client, authenticator, evil)))
  const right = await registrationOf(client, authenticator)
  const { id } = answers(await register(client, note(right)), 201)
  await register(client, right)
  const [, credential] = authenticator.credentials
  secrets.push(credential?.userHandle ?? '', credential?.key.cose.toString('base64url') ?? '')
  for (const forged of [{}, evil, { signature: Buffer.alloc(64, 7) }, { userHandle: undefined }]) {
    const proof = note(await assertionOf(client, authenticator, forged))
    await new Client(app).post(verifyUrl, proof)
    await new Client(app).post(verifyUrl, proof)
  }
  // A copy.
  await new Client(app).post(
    verifyUrl,
    note(await assertionOf(client, authenticator, { counter: 1 })),
  )
  await enroll(client)
  const browser = new Client(app)
  const challenge = await challengeOf(browser, 'ada')
  for (const forged of [evil, {}]) {
    const begun = answers(await browser.post('/mfa/passkey/options', { challenge }), 200)
    const { challenge_id } = begun
    const response = authenticator.get(begun.options, forged)
    await browser.post('/mfa/verify', { challenge, ...note({ challenge_id, response }) })
  }
  const { challenge_id, options } = (await client.post('/sudo/options', {})).json()
  const passkey = note({ challenge_id, response: authenticator.get(options) })
  await client.post('/sudo', { passkey })
  await client.request('PATCH', `/passkeys/${id}`, { payload: { name: 'Phone' } })
  // Challenges that stay open.
  note(await assertionOf(client, authenticator))
  note(await registrationOf(client, device()))
  await client.delete(`/passkeys/${id}`)
  assert.ok(secrets.length > 30 && secrets.every((secret) => secret.length > 20))
  return secrets
}

/** A text that must not occur, in the forms in which it could. */
const formsOf = (secret: string) => [
  secret,
  Buffer.from(secret, 'base64url').toString('hex'),
  Buffer.from(secret, 'base64url').toString('base64').replace(/=+$/, ''),
  Buffer.from(secret).toString('base64url'),
]

function isClean(text: string, secrets: readonly string[]) {
  assert.ok(text.length > 1000)
  for (const secret of secrets)
    for (const form of formsOf(secret)) assert.ok(!text.includes(form), form)
}

const auth = { lockout: false, mfa: mfaOptions, sudo: { maxAttempts: 99 } } as const

test('Redis dump: nothing of an open or a used challenge', { skip: !redis }, async (t) => {
  const keyPrefix = uniquePrefix()
  const app = await buildPasskeys(t, { ...auth, redis, keyPrefix })
  const secrets = await fullFlow(app)
  const text = (await redisTexts(keyPrefix)).join('\n')
  isClean(text, secrets)
  assert.doesNotMatch(text, /"purpose"|second-factor|evil\.example/)
})

test('SQL dump: nothing of an open or a used challenge', async (t) => {
  const db = openSqlite()
  const { state, tables, drop } = await createState(db, 'sqlite')
  t.after(async () => {
    await drop()
    await db.destroy()
  })
  const app = await buildPasskeys(t, { ...auth, state })
  const secrets = await fullFlow(app)
  const rows = await Promise.all(
    Object.values(tables).map((name) => sql`select * from ${sql.table(name)}`.execute(db)),
  )
  isClean(JSON.stringify(rows), secrets)
})

/** The same app, whose log the test reads. */
async function logged(t: TestContext, options: object, store: PasskeyStore) {
  const { lines, logger } = captureLogs('trace')
  const app = await build(t, {
    fastify: { logger },
    auth: {
      ...auth,
      ...options,
      passkeys: passkeyOptions({ store }),
      rateLimits: { ...limitsOff, passkey_options: false },
    },
    routes(app) {
      app.post('/sudo/options', { onRequest: app.currentUser() }, (request) =>
        app.crudAuth.passkeys.sudoOptions(request),
      )
      app.post('/sudo', { onRequest: app.currentUser() }, async (request) => {
        await app.crudAuth.sudo.elevate(request, request.body as { password: string })
        return {}
      })
    },
  })
  return { app, text: () => lines.join('\n') }
}

for (const place of passkeyPlaces) {
  test(`${place.name}: logs at trace contain nothing of passkeys`, async (t) => {
    const opened = await place.open(t)
    const { app, text } = await logged(t, opened.auth, opened.store)
    const secrets = await fullFlow(app)
    assert.ok(text().includes(verifyUrl))
    isClean(text(), secrets)
  })
}

for (const { name, dialect, skip } of ormDatabases) {
  test(`${name}: a failed statement puts no values into the log or the response`, {
    skip,
  }, async (t) => {
    const { orm, db } = openDrizzle(dialect)
    const table = await createPasskeysTable(db, passkeyColumns(dialect))
    t.after(() => db.destroy())
    const store = drizzlePasskeys(orm, drizzlePasskeysOf(dialect, table.name))
    const { app, text } = await logged(t, {}, store)
    const client = await signedIn(app, 'ada')
    const authenticator = device()
    answers(await register(client, await registrationOf(client, authenticator)), 201)
    const registration = await registrationOf(client, device())
    const login = await assertionOf(client, authenticator)
    await table.drop()
    const responses = [
      await register(client, registration),
      await new Client(app).post(verifyUrl, login),
    ]
    for (const response of responses) assert.equal(response.statusCode, 503, response.body)
    const seen = text() + responses.map(({ body }) => body).join('\n')
    isClean(seen, [registration.response.id, login.response.id, login.challenge_id])
  })
}

test('the principal and the hooks say nothing of credentials', async (t) => {
  const told: object[] = []
  const tell = (...args: object[]) => void told.push(...args.map((arg) => ({ ...arg, request: 0 })))
  const app = await buildPasskeys(t, {
    hooks: {
      onPasskeyAdded: tell,
      onPasskeyRemoved: tell,
      onPasskeySuspicious: tell,
      onAfterLogin: tell,
      onBeforeLogin: tell,
    } as never,
  })
  const client = await signedIn(app, 'ada')
  const authenticator = device()
  const { id } = answers(await register(client, await registrationOf(client, authenticator)), 201)
  answers(await new Client(app).post(verifyUrl, await assertionOf(client, authenticator)), 200)
  const copied = await assertionOf(client, authenticator, { counter: 1 })
  await new Client(app).post(verifyUrl, copied)
  const me = (await client.get('/me')).body
  answers(await client.delete(`/passkeys/${id}`), 200)
  const [credential] = authenticator.credentials
  const secrets = [credential?.id ?? '', credential?.userHandle ?? '']
  const text = me + JSON.stringify(told)
  assert.ok(text.includes(id), 'the app is told which passkey it was')
  for (const secret of secrets) assert.ok(!text.includes(secret))
  assert.doesNotMatch(text, /publicKey|credentialId|userHandle|hashedPassword/)
})
