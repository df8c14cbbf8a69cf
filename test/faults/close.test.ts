import assert from 'node:assert/strict'
import { once } from 'node:events'
import { get } from 'node:http'
import { suite, test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { Redis } from 'ioredis'
import { freePorts } from '../../scripts/services/process.js'
import { build, password } from '../helpers/build.js'
import { Client, signedIn } from '../helpers/client.js'
import { serve, skip } from '../helpers/faults.js'
import { listen, noUnhandledRejections, sessionCookie, times } from '../helpers/hostile.js'

const timeouts = { redisMs: 1000 }

// The timeout is the bound of each test; closing takes a fraction of it.
suite('app.close() during outages of Redis', { skip, timeout: 20_000 }, () => {
  test('resolves while Redis is unreachable, up, paused or killed', async (t) => {
    noUnhandledRejections(t)
    const [nowhere = 0] = await freePorts(1)
    const never = await build(t, { auth: { redis: `redis://127.0.0.1:${nowhere}`, timeouts } })
    await never.close()
    const asked = await build(t, { auth: { redis: `redis://127.0.0.1:${nowhere}`, timeouts } })
    await new Client(asked).login('nobody')
    await asked.close()

    const server = await serve(t)
    const apps = await Promise.all(
      times(4, () => build(t, { auth: { redis: server.url, timeouts } })),
    )
    for (const app of apps) await signedIn(app, 'ann')
    await apps[0]?.close()
    server.pause()
    await apps[1]?.close()
    server.resume()
    await server.kill()
    await apps[2]?.close()
    await apps[3]?.close()
    await apps[3]?.close()
  })

  test('pending requests get 503 first while Redis is paused', async (t) => {
    noUnhandledRejections(t)
    const server = await serve(t)
    const app = await build(t, { auth: { redis: server.url, timeouts } })
    const client = await signedIn(app, 'ann')
    const port = await listen(app)
    server.pause()
    const answers = times(10, async () => {
      const request = get({
        port,
        host: '127.0.0.1',
        path: '/me',
        headers: {
          cookie: `${sessionCookie}=${client.cookies.get(sessionCookie)}`,
          connection: 'close',
        },
      })
      const [response] = await once(request, 'response')
      response.resume()
      return response.statusCode as number
    })
    // Wait until all requests have reached the app.
    while (
      (await new Promise<number>((resolve) =>
        app.server.getConnections((_, count) => resolve(count)),
      )) < 10
    ) {
      await new Promise((resolve) => setTimeout(resolve, 5))
    }
    await app.close()
    assert.deepEqual(await Promise.all(answers), new Array(10).fill(503))
    server.resume()
  })

  test('start-up: an invalid option rejects and leaves no connection to Redis', async (t) => {
    noUnhandledRejections(t)
    const server = await serve(t)
    const observer = new Redis(server.url)
    t.after(() => observer.disconnect())
    const connections = async () =>
      String(await observer.client('LIST'))
        .trim()
        .split('\n').length
    await assert.rejects(build(t, { auth: { redis: server.url, prefix: 'no path' } }), {
      code: 'CRUDAUTH_CONFIG',
    })
    // A connection that was being opened would be there by now.
    await delay(100)
    assert.equal(await connections(), 1, "only the test's own connection is open")
    const app = await build(t, { auth: { redis: server.url } })
    assert.equal((await new Client(app).register('ann', password)).statusCode, 201)
    assert.ok((await connections()) > 1, 'a working app does open one')
  })
})
