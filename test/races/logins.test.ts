import assert from 'node:assert/strict'
import { test } from 'node:test'
import { sessionTransport } from '../../src/index.js'
import { build } from '../helpers/build.js'
import { Client, signedIn } from '../helpers/client.js'
import { noUnhandledRejections, sessionCookie, statuses, times } from '../helpers/hostile.js'
import { places } from '../helpers/races.js'
import { refuses } from '../helpers/refuses.js'

const transports = (maxSessionsPerUser: number) => [
  sessionTransport({ managementRoutes: true, maxSessionsPerUser }),
]

for (const { name, options } of places) {
  for (const cap of [1, 5]) {
    test(`${name}: POST /login: 100 parallel logins with a limit of ${cap} leave exactly ${cap} working`, async (t) => {
      noUnhandledRejections(t)
      const app = await build(t, {
        auth: { ...(await options(t)), lockout: false, transports: transports(cap) },
      })
      await new Client(app).register('ann')
      const clients = times(100, () => new Client(app))
      assert.deepEqual(statuses(await Promise.all(clients.map((client) => client.login('ann')))), {
        200: 100,
      })
      const me = await Promise.all(clients.map((client) => client.get('/me')))
      assert.deepEqual(statuses(me), { 200: cap, 401: 100 - cap })
      const alive = clients.filter((_, i) => me[i]?.statusCode === 200)
      const listed = (await (alive[0] as Client).get('/sessions')).json()
      assert.equal(listed.length, cap)
      // They work for unsafe methods as well, each with its own CSRF token.
      const out = await Promise.all(alive.map((client) => client.post('/logout')))
      assert.deepEqual(statuses(out), { 200: cap })
      const again = await Promise.all(clients.map((client) => client.get('/me')))
      assert.deepEqual(statuses(again), { 401: 100 })
    })
  }

  test(`${name}: POST /login: repeated logins from one device do not evict another device`, async (t) => {
    noUnhandledRejections(t)
    const app = await build(t, {
      auth: { ...(await options(t)), lockout: false, transports: transports(2) },
    })
    const phone = await signedIn(app, 'ann')
    const laptop = new Client(app)
    await laptop.login('ann')
    for (let i = 0; i < 15; i++) assert.equal((await laptop.login('ann')).statusCode, 200)
    assert.equal((await phone.get('/me')).statusCode, 200)
    assert.equal((await phone.get('/sessions')).json().length, 2)
  })

  test(`${name}: POST /login: 50 parallel logins with one session revoke it and respect the limit`, async (t) => {
    noUnhandledRejections(t)
    const app = await build(t, {
      auth: { ...(await options(t)), lockout: false, transports: transports(5) },
    })
    const first = await signedIn(app, 'ann')
    const cookie = `${sessionCookie}=${first.cookies.get(sessionCookie)}`
    const clients = times(50, () => {
      const client = new Client(app)
      client.cookies.set(sessionCookie, first.cookies.get(sessionCookie) ?? '')
      return client
    })
    assert.deepEqual(statuses(await Promise.all(clients.map((client) => client.login('ann')))), {
      200: 50,
    })
    refuses(
      await app.inject({ method: 'GET', url: '/me', headers: { cookie } }),
      'CRUDAUTH_UNAUTHENTICATED',
    )
    assert.equal(statuses(await Promise.all(clients.map((client) => client.get('/me'))))[200], 5)
  })

  test(`${name}: POST /logout-all: in parallel with logins it revokes every earlier session`, async (t) => {
    noUnhandledRejections(t)
    const app = await build(t, {
      auth: { ...(await options(t)), lockout: false, transports: transports(1000) },
    })
    const before = times(20, () => new Client(app))
    await new Client(app).register('ann')
    for (const client of before) await client.login('ann')
    const during = times(40, () => new Client(app))
    const work: Promise<{ statusCode: number }>[] = []
    during.forEach((client, i) => {
      work.push(client.login('ann'))
      if (i % 10 === 5) work.push((before[i % 20] as Client).post('/logout-all'))
    })
    const seen = statuses(await Promise.all(work))
    assert.equal((seen[200] ?? 0) + (seen[401] ?? 0), work.length, JSON.stringify(seen))
    assert.deepEqual(statuses(await Promise.all(before.map((client) => client.get('/me')))), {
      401: 20,
    })
    const live = statuses(await Promise.all(during.map((client) => client.get('/me'))))[200] ?? 0
    const last = new Client(app)
    await last.login('ann')
    assert.equal(
      (await last.get('/sessions')).json().length,
      live + 1,
      'the list has exactly the working sessions',
    )
  })

  test(`${name}: DELETE /sessions/:id: a session revoked amid 100 of its requests stays revoked`, async (t) => {
    noUnhandledRejections(t)
    // The idle timeout is so short that every request writes its activity back.
    const app = await build(t, {
      auth: {
        ...(await options(t)),
        transports: [sessionTransport({ managementRoutes: true, idleSeconds: 20 })],
      },
    })
    const victim = await signedIn(app, 'ann')
    const admin = new Client(app)
    await admin.login('ann')
    const sessions = (await admin.get('/sessions')).json() as {
      session_id: string
      current: boolean
    }[]
    const handle = sessions.find(({ current }) => !current)?.session_id ?? ''
    // Older than a thirtieth of the idle timeout.
    await new Promise((resolve) => setTimeout(resolve, 700))
    let revoked: Promise<{ statusCode: number }> | undefined
    const requests = times(100, (i) => {
      if (i === 40) revoked = admin.delete(`/sessions/${handle}`)
      return victim.get('/me')
    })
    const seen = statuses(await Promise.all(requests))
    assert.equal((await revoked)?.statusCode, 200)
    assert.equal((seen[200] ?? 0) + (seen[401] ?? 0), 100)
    for (let i = 0; i < 20; i++) refuses(await victim.get('/me'), 'CRUDAUTH_UNAUTHENTICATED')
    assert.equal((await admin.get('/sessions')).json().length, 1)
  })
}
