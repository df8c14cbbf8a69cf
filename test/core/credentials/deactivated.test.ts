import assert from 'node:assert/strict'
import { describe, type TestContext, test } from 'node:test'
import type { FastifyRequest } from 'fastify'
import { bearerTransport, memoryUsers, sessionTransport } from '../../../src/index.js'
import { answers } from '../../helpers/answers.js'
import { backends } from '../../helpers/backends.js'
import { asBearer, askRefresh, askToken, tokensOf } from '../../helpers/bearer.js'
import { build } from '../../helpers/build.js'
import { Client, signedIn } from '../../helpers/client.js'
import { refuses } from '../../helpers/refuses.js'

const request = { headers: {}, ip: '192.0.2.1' } as unknown as FastifyRequest

for (const backend of backends) {
  describe(`${backend.name}: disabled or deleted accounts`, () => {
    /** Starts an app where ann has two sessions and two refresh tokens, and bob one of each. */
    const start = async (t: TestContext) => {
      const users = memoryUsers()
      const transports = [sessionTransport(), bearerTransport({ refresh: 'body' })]
      const app = await build(t, { auth: { ...backend.options(), users, transports } })
      const sessions = [await signedIn(app, 'ann'), new Client(app)]
      answers(await (sessions[1] as Client).login('ann'), 200)
      const lines = [
        tokensOf(await askToken(app)).refresh_token,
        tokensOf(await askToken(app)).refresh_token,
      ]
      await signedIn(app, 'bob')
      await askToken(app, 'bob')
      assert.equal((await app.crudAuth.sessions.list(1)).length, 4)
      return {
        app,
        users,
        sessions: sessions as [Client, Client],
        lines: lines as [string, string],
      }
    }
    type Started = Awaited<ReturnType<typeof start>>

    const meetings: [string, (started: Started) => Promise<unknown>][] = [
      [
        'a session',
        async ({ sessions }) => refuses(await sessions[0].get('/me'), 'CRUDAUTH_UNAUTHENTICATED'),
      ],
      [
        'a refresh token',
        async ({ app, lines }) =>
          refuses(await askRefresh(app, lines[0]), 'CRUDAUTH_INVALID_TOKEN'),
      ],
    ]
    for (const [what, meet] of meetings) {
      test(`presenting ${what} while disabled revokes all credentials of that account only`, async (t) => {
        const started = await start(t)
        const { app, users, sessions, lines } = started
        await users.update(1, { isActive: false })
        await meet(started)
        await users.update(1, { isActive: true })
        for (const client of sessions) refuses(await client.get('/me'), 'CRUDAUTH_UNAUTHENTICATED')
        for (const line of lines) refuses(await askRefresh(app, line), 'CRUDAUTH_INVALID_TOKEN')
        assert.deepEqual(await app.crudAuth.sessions.list(1), [])
        assert.equal((await app.crudAuth.sessions.list(2)).length, 2)
        answers(await new Client(app).login('ann'), 200)
      })

      test(`presenting ${what} of a deleted account revokes all credentials of that account only`, async (t) => {
        const started = await start(t)
        const { app, users } = started
        const { findById } = users
        users.findById = async () => null
        await meet(started)
        users.findById = findById
        assert.deepEqual(await app.crudAuth.sessions.list(1), [])
        assert.equal((await app.crudAuth.sessions.list(2)).length, 2)
      })
    }

    test('re-enabling restores credentials not presented meanwhile, unless token_version was raised', async (t) => {
      const { app, users, sessions, lines } = await start(t)
      await users.update(1, { isActive: false })
      await users.update(1, { isActive: true })
      answers(await sessions[0].get('/me'), 200)
      await users.update(1, { isActive: false, tokenVersion: 1 })
      await users.update(1, { isActive: true })
      for (const client of sessions) refuses(await client.get('/me'), 'CRUDAUTH_UNAUTHENTICATED')
      for (const line of lines) refuses(await askRefresh(app, line), 'CRUDAUTH_INVALID_TOKEN')
    })

    test('issueTokens and sessions.create refuse a disabled account and store nothing', async (t) => {
      const { app, users } = await start(t)
      await users.update(1, { isActive: false })
      const row = (await users.findById(1)) as Record<string, unknown>
      for (const sign of [
        () => app.crudAuth.issueTokens(row),
        () => app.crudAuth.sessions.create(request, row),
      ])
        await assert.rejects(sign, { code: 'CRUDAUTH_FORBIDDEN', statusCode: 403 })
      assert.equal((await app.crudAuth.sessions.list(1)).length, 4)
    })
  })
}

test('issueTokens and sessions.create: a user row without a valid id is refused', async (t) => {
  const app = await build(t, {
    auth: {
      transports: [sessionTransport(), bearerTransport({ refresh: 'body', statelessUser: true })],
    },
  })
  for (const id of [
    undefined,
    null,
    {},
    [],
    true,
    '',
    Number.NaN,
    Number.POSITIVE_INFINITY,
    Symbol('id'),
  ]) {
    const row = { id, hashedPassword: 'x', isActive: true }
    for (const sign of [
      () => app.crudAuth.issueTokens(row),
      () => app.crudAuth.sessions.create(request, row),
    ])
      await assert.rejects(sign, { code: 'CRUDAUTH_INTERNAL', message: /id/ })
  }
  for (const row of [undefined, null, 'ann', 1] as never[]) {
    for (const sign of [
      () => app.crudAuth.issueTokens(row),
      () => app.crudAuth.sessions.create(request, row),
    ])
      await assert.rejects(sign, { code: 'CRUDAUTH_INTERNAL' })
  }
  for (const id of ['x', 7, -1, 2n ** 70n]) {
    const { accessToken } = await app.crudAuth.issueTokens({
      id,
      hashedPassword: 'x',
      isActive: true,
    })
    assert.equal((await asBearer(app, accessToken, '/nowhere')).statusCode, 404)
    assert.ok(
      await app.crudAuth.sessions.create(request, { id, hashedPassword: 'x', isActive: true }),
    )
  }
})
