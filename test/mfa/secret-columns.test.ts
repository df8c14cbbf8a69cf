import assert from 'node:assert/strict'
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { describe, test } from 'node:test'
import { memoryUsers } from '../../src/index.js'
import { answers } from '../helpers/answers.js'
import { build, password } from '../helpers/build.js'
import { Client, signedIn } from '../helpers/client.js'
import {
  codeAt,
  enroll,
  enrolledUser,
  mfaOptions,
  signInWithCode,
  verify,
  wrongCode,
} from '../helpers/mfa.js'
import { refuses } from '../helpers/refuses.js'

const hidden = ['totpSecretEncrypted', 'totpLastStep', 'mfaRecoveryCodes', 'hashedPassword']
const columns = [...hidden.slice(0, 3), 'totpConfirmedAt']
const events = [
  'onAfterLogin',
  'onAfterLogout',
  'onAfterSudo',
  'onAfterPasswordChanged',
  'onMfaEnabled',
  'onMfaDisabled',
  'onMfaFailed',
  'onRecoveryCodeUsed',
] as const

describe('the columns of the second factor', () => {
  test('neither principal.user nor hooks, events and /me contain them', async (t) => {
    const seen: [string, Record<string, unknown>][] = []
    const note = (name: string, user: unknown) => {
      seen.push([name, user as Record<string, unknown>])
    }
    for (const name of events) {
      const listen = (message: unknown) =>
        note(`channel ${name}`, (message as { user: unknown }).user)
      subscribe(`crudauth:${name}`, listen)
      t.after(() => void unsubscribe(`crudauth:${name}`, listen))
    }
    const hooks = Object.fromEntries(
      [...events, 'onBeforeLogin'].map((name) => [name, (user: unknown) => note(name, user)]),
    )
    const required = (user: object) => {
      note('required', user)
      return false
    }
    const app = await build(t, {
      auth: { mfa: { ...mfaOptions, required }, hooks },
      routes(app) {
        app.post('/sudo', { onRequest: app.currentUser() }, async (request) => {
          note('principal', request.principal.user)
          return app.crudAuth.sudo.elevate(request, request.body as { code: string })
        })
      },
    })
    const client = await signedIn(app, 'ada')
    const { secret, recoveryCodes } = await enroll(client)
    const login = answers(await client.login('ada'), 200)
    await verify(client, login.challenge, wrongCode(secret))
    answers(await verify(client, login.challenge, recoveryCodes[0] ?? ''), 200)
    const me = await client.get('/me')
    answers(me, 200)
    for (const column of [...columns, 'totp', 'mfa', 'recovery'])
      assert.ok(!me.body.includes(column), column)
    assert.equal((await client.post('/sudo', { code: codeAt(secret) })).statusCode, 200)
    const change = { current_password: password, new_password: 'another good one' }
    answers(await client.post('/change-password', change), 200)
    answers(await client.get('/mfa'), 200)
    const code = recoveryCodes[1]
    answers(await client.post('/mfa/totp/disable', { code }), 200)
    answers(await client.post('/logout'), 200)
    const names = new Set(seen.map(([name]) => name))
    for (const name of events) {
      assert.ok(names.has(name), `${name} was not called`)
      assert.ok(names.has(`channel ${name}`), `${name} was not published`)
    }
    for (const [name, user] of seen) {
      assert.equal(user.username, 'ada', name)
      for (const column of hidden) assert.ok(!(column in user), `${column} in ${name}`)
    }
    const confirmed = seen.find(([name]) => name === 'onMfaEnabled')?.[1]
    assert.ok(confirmed?.totpConfirmedAt instanceof Date)
  })

  test('POST /register never takes them', async (t) => {
    const app = await build(t, { auth: { mfa: mfaOptions } })
    const client = new Client(app)
    const body = { email: 'ada@example.com', username: 'ada', password }
    const forged = Object.fromEntries(
      columns.flatMap((name) => [
        [name, '1'],
        [name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`), '1'],
      ]),
    )
    answers(await client.post('/register', { ...body, ...forged }), 201)
    const row = (await app.crudAuth.users.findById(1)) as unknown as Record<string, unknown>
    for (const column of columns) assert.equal(row[column], null)
    answers(await client.login('ada'), 200)
  })

  for (const mfa of [mfaOptions, undefined]) {
    for (const field of columns) {
      test(`registration cannot set ${field}, with mfa ${mfa ? 'on' : 'off'}`, async (t) => {
        for (const registration of [{ extraFields: [field] }, { defaults: { [field]: 'x' } }])
          await assert.rejects(
            build(t, { auth: { mfa, users: memoryUsers(), registration } }),
            (error: Error & { code?: string }) =>
              error.code === 'CRUDAUTH_CONFIG' && error.message.includes(field),
          )
      })
    }
  }

  test('a partial row of the app does not pass for an account without a second factor', async (t) => {
    const app = await build(t, {
      auth: { mfa: mfaOptions },
      routes(app) {
        app.post('/by-hand', async (request, reply) => {
          const user = await app.crudAuth.users.findBy('username', 'ada')
          const { id, hashedPassword, isActive } = user as unknown as Record<string, unknown>
          const partial = { id, hashedPassword, isActive } as never
          return app.crudAuth.completeLogin(request, reply, partial, { amr: ['pwd'] })
        })
      },
    })
    const { secret } = await enrolledUser(app, 'ada')
    const client = new Client(app)
    const { challenge } = (await client.post('/by-hand')).json()
    assert.equal(typeof challenge, 'string', 'a challenge')
    refuses(await client.get('/me'), 'CRUDAUTH_UNAUTHENTICATED')
    answers(await verify(client, challenge, codeAt(secret)), 200)
    await signInWithCode(new Client(app), 'ada', codeAt(secret, Date.now() + 30_000))
  })
})
