import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { password } from '../helpers/build.js'
import { Client, signedIn } from '../helpers/client.js'
import { appOn, recovers, serve, skip } from '../helpers/faults.js'
import { refuses } from '../helpers/refuses.js'

const change = { current_password: password, new_password: 'another good one' }

suite('Redis fails during a request', { skip }, () => {
  test('POST /login: 503 without a cookie if the session cannot be stored', async (t) => {
    const server = await serve(t)
    const { app } = await appOn(t, server.url, { hooks: { onBeforeLogin: () => server.pause() } })
    await new Client(app).register('ann')
    const client = new Client(app)
    const response = await client.login('ann')
    refuses(response, 'CRUDAUTH_UNAVAILABLE', [password])
    assert.equal(response.headers['set-cookie'], undefined)
    server.resume()
  })

  test('POST /change-password: 503 without a change if Redis fails before the write', async (t) => {
    const server = await serve(t)
    let pausing = false
    const check = () => {
      if (pausing) server.pause()
      return true
    }
    const { app } = await appOn(t, server.url, {
      passwords: { cost: { memoryKiB: 64, iterations: 1 }, check },
    })
    const client = await signedIn(app, 'ann')
    pausing = true
    refuses(await client.post('/change-password', change), 'CRUDAUTH_UNAVAILABLE', [
      password,
      change.new_password,
    ])
    server.resume()
    assert.equal((await recovers(() => client.get('/me'))).statusCode, 200)
    refuses(await new Client(app).login('ann', change.new_password), 'CRUDAUTH_BAD_CREDENTIALS')
    assert.equal((await new Client(app).login('ann')).statusCode, 200)
  })

  test('POST /change-password: succeeds if Redis fails after the write; only other sessions end', async (t) => {
    const server = await serve(t)
    const { app: plain } = await appOn(t, server.url)
    const inner = plain.crudAuth.users
    const users = {
      ...inner,
      async compareAndSet(...args: Parameters<typeof inner.compareAndSet>) {
        const done = await inner.compareAndSet(...args)
        server.pause()
        return done
      },
    }
    const { app } = await appOn(t, server.url, { users })
    const client = await signedIn(app, 'ann')
    const other = new Client(app)
    await other.login('ann')
    assert.equal((await client.post('/change-password', change)).statusCode, 200)
    server.resume()
    assert.equal((await recovers(() => client.get('/me'))).statusCode, 200)
    refuses(await recovers(() => other.get('/me')), 'CRUDAUTH_UNAUTHENTICATED')
    assert.equal((await new Client(app).login('ann', change.new_password)).statusCode, 200)
  })
})
