import assert from 'node:assert/strict'
import { test } from 'node:test'
import { backends } from '../helpers/backends.js'
import { build, password, secret } from '../helpers/build.js'
import { Client, signedIn } from '../helpers/client.js'
import { deviceCookie } from '../helpers/hostile.js'
import { Mailbox } from '../helpers/mailbox.js'
import { refuses } from '../helpers/refuses.js'

const wrong = 'not the password'

for (const backend of backends) {
  test(`${backend.name}: lockout: the owner's known device can still sign in to a locked account`, async (t) => {
    const app = await build(t, { auth: backend.options() })
    const owner = await signedIn(app, 'ann')
    const stranger = new Client(app)
    for (let i = 0; i < 5; i++)
      refuses(await stranger.login('ann', wrong), 'CRUDAUTH_BAD_CREDENTIALS')
    refuses(await stranger.login('ann'), 'CRUDAUTH_LOCKED_OUT')
    for (const name of ['ann', 'ann@example.com'])
      assert.equal((await owner.login(name)).statusCode, 200)
    refuses(await stranger.login('ann'), 'CRUDAUTH_LOCKED_OUT')
  })

  test(`${backend.name}: lockout: a known device has its own counter with the same limit`, async (t) => {
    const app = await build(t, { auth: backend.options() })
    const owner = await signedIn(app, 'ann')
    for (let i = 0; i < 5; i++)
      refuses(
        await owner.login(i % 2 ? 'ann' : 'ann@example.com', wrong),
        'CRUDAUTH_BAD_CREDENTIALS',
      )
    refuses(await owner.login('ann'), 'CRUDAUTH_LOCKED_OUT')
    assert.equal(
      (await new Client(app).login('ann')).statusCode,
      200,
      'other devices are not locked out',
    )
  })

  test(`${backend.name}: lockout: the device cookie of another account gives no extra attempts`, async (t) => {
    const app = await build(t, { auth: backend.options() })
    await new Client(app).register('ann')
    const mallory = await signedIn(app, 'mallory')
    for (let i = 0; i < 5; i++)
      refuses(await mallory.login('ann', wrong), 'CRUDAUTH_BAD_CREDENTIALS')
    refuses(await mallory.login('ann'), 'CRUDAUTH_LOCKED_OUT')
    refuses(await new Client(app).login('ann'), 'CRUDAUTH_LOCKED_OUT')
  })
}

test('device cookie: altered, truncated, spliced, foreign and duplicate cookies are ignored', async (t) => {
  const app = await build(t)
  const owner = await signedIn(app, 'ann')
  const mallory = await signedIn(app, 'mallory')
  const elsewhere = await signedIn(
    await build(t, { auth: { secret: `${secret}-of-another-app` } }),
    'ann',
  )
  const value = owner.cookies.get(deviceCookie) ?? ''
  const [id = '', signature = ''] = value.split('.')
  const [otherId = '', otherSignature = ''] = (mallory.cookies.get(deviceCookie) ?? '').split('.')
  for (let i = 0; i < 6; i++) await new Client(app).login('ann', wrong)

  const forged = [
    elsewhere.cookies.get(deviceCookie) ?? '',
    mallory.cookies.get(deviceCookie) ?? '',
    `${otherId}.${signature}`,
    `${id}.${otherSignature}`,
    `${id}.`,
    id,
    `.${signature}`,
    `${id}..${signature}`,
    `${id}.${id}.${signature}`,
    `${value}.`,
    `${value}.${signature}`,
    `${signature}.${id}`,
    value.toLowerCase(),
    `${value}=`,
    '.',
    '..',
    'a'.repeat(5000),
  ]
  for (const cookie of forged) {
    assert.notEqual(cookie, value)
    const client = new Client(app)
    client.cookies.set(deviceCookie, cookie)
    refuses(await client.login('ann'), 'CRUDAUTH_LOCKED_OUT')
  }
  const doubled = new Client(app, '', {
    headers: { cookie: `${deviceCookie}=${value}; ${deviceCookie}=${value}` },
  })
  refuses(await doubled.login('ann'), 'CRUDAUTH_LOCKED_OUT')
  const known = new Client(app)
  known.cookies.set(deviceCookie, value)
  assert.equal((await known.login('ann')).statusCode, 200, 'the genuine cookie is accepted')
})

test('device cookie: a shared device is known to each of its users', async (t) => {
  const app = await build(t)
  const shared = new Client(app)
  for (let i = 0; i < 7; i++) {
    await shared.register(`user${i}`)
    assert.equal((await shared.login(`user${i}`)).statusCode, 200)
  }
  assert.ok((shared.cookies.get(deviceCookie) ?? '').length <= 64)
  for (let i = 0; i < 7; i++)
    for (let n = 0; n < 6; n++)
      await new Client(app, '', { remoteAddress: `10.0.${i}.${n}` }).login(`user${i}`, wrong)
  for (let i = 0; i < 7; i++) {
    const client = new Client(app, '', { remoteAddress: '192.0.2.9' })
    client.cookies.set(deviceCookie, shared.cookies.get(deviceCookie) ?? '')
    assert.equal((await client.login(`user${i}`)).statusCode, 200)
  }
})

for (const backend of backends) {
  /** A client that has only the device cookie of another client. */
  const deviceOf = (client: Client, app = client.app, remoteAddress = '192.0.2.66') => {
    const copy = new Client(app, '', { remoteAddress })
    copy.cookies.set(deviceCookie, client.cookies.get(deviceCookie) ?? '')
    return copy
  }
  const lockAccount = async (app: Client['app']) => {
    for (let n = 0; n < 6; n++)
      await new Client(app, '', { remoteAddress: `10.1.0.${n}` }).login('ann', wrong)
    refuses(
      await new Client(app, '', { remoteAddress: '10.1.0.99' }).login('ann'),
      'CRUDAUTH_LOCKED_OUT',
    )
  }

  test(`${backend.name}: known devices: at most 20 per user, the least recently used is evicted`, async (t) => {
    const app = await build(t, { auth: backend.options() })
    await new Client(app).register('ann')
    const devices: Client[] = []
    for (let n = 0; n < 25; n++) {
      const client = new Client(app, '', { remoteAddress: `10.0.0.${n}` })
      assert.equal((await client.login('ann')).statusCode, 200)
      devices.push(client)
      // The first stays in use.
      if (n === 15)
        assert.equal((await deviceOf(devices[0] as Client).login('ann')).statusCode, 200)
    }
    await lockAccount(app)
    const known = []
    for (const [n, device] of devices.entries())
      if ((await deviceOf(device, app, `10.2.0.${n}`).login('ann')).statusCode === 200)
        known.push(n)
    assert.deepEqual(known, [0, ...Array.from({ length: 19 }, (_, n) => n + 6)])
  })

  test(`${backend.name}: known devices: 100 parallel sign-ins leave 20`, async (t) => {
    const app = await build(t, {
      auth: { ...backend.options(), lockout: { maxAttempts: 100, maxAttemptsPerIp: 1000 } },
    })
    await new Client(app).register('ann')
    const devices = await Promise.all(
      Array.from({ length: 100 }, async () => {
        const client = new Client(app)
        assert.equal((await client.login('ann')).statusCode, 200)
        return client
      }),
    )
    await Promise.all(Array.from({ length: 110 }, () => new Client(app).login('ann', wrong)))
    const again = await Promise.all(
      devices.map(async (client) => (await deviceOf(client).login('ann')).statusCode),
    )
    assert.equal(again.filter((status) => status === 200).length, 20)
  })

  test(`${backend.name}: known devices: stolen cookies share the IP limit and are void after a password reset`, async (t) => {
    const mailbox = new Mailbox()
    const app = await build(t, {
      auth: { ...backend.options(), email: mailbox.options() },
    })
    await new Client(app).register('ann')
    const thief: Client[] = []
    for (let n = 0; n < 20; n++) {
      const client = new Client(app)
      assert.equal((await client.login('ann')).statusCode, 200)
      thief.push(client)
    }
    let judged = 0
    for (const device of thief)
      for (let n = 0; n < 5; n++)
        if ((await deviceOf(device).login('ann', wrong)).statusCode === 401) judged++
    assert.equal(judged, 30, 'the limit for the IP address')

    await new Client(app).post('/password/reset-request', { email: 'ann@example.com' })
    const token = await mailbox.token('ann@example.com', 'reset_password')
    const reset = { token, new_password: 'a new good password' }
    assert.equal((await new Client(app).post('/password/reset-confirm', reset)).statusCode, 200)
    let after = 0
    for (const device of thief)
      for (let n = 0; n < 5; n++)
        if ((await deviceOf(device, app, `10.3.${n}.1`).login('ann', wrong)).statusCode === 401)
          after++
    assert.equal(after, 5, 'the limit for unknown devices')
  })

  test(`${backend.name}: known devices: a password change makes every device unknown`, async (t) => {
    const app = await build(t, { auth: backend.options() })
    const owner = await signedIn(app, 'ann')
    const devices = [owner]
    for (let n = 0; n < 4; n++) {
      const other = new Client(app)
      assert.equal((await other.login('ann')).statusCode, 200)
      devices.push(other)
    }
    const change = { current_password: password, new_password: 'a new good password' }
    assert.equal((await owner.post('/change-password', change)).statusCode, 200)
    await lockAccount(app)
    for (const device of devices)
      refuses(await deviceOf(device).login('ann', 'a new good password'), 'CRUDAUTH_LOCKED_OUT')
  })

  test(`${backend.name}: password reset: lifts the lockout under every identifier of the account`, async (t) => {
    const mailbox = new Mailbox()
    const app = await build(t, { auth: { ...backend.options(), email: mailbox.options() } })
    await new Client(app).register('ann')
    await lockAccount(app)
    for (let n = 0; n < 6; n++)
      await new Client(app, '', { remoteAddress: `10.4.0.${n}` }).login('ann@example.com', wrong)
    await new Client(app).post('/password/reset-request', { email: 'ann@example.com' })
    const token = await mailbox.token('ann@example.com', 'reset_password')
    const new_password = 'a new good password'
    const confirm = await new Client(app).post('/password/reset-confirm', { token, new_password })
    assert.equal(confirm.statusCode, 200)
    for (const name of ['ann', 'ann@example.com'])
      assert.equal((await new Client(app).login(name, new_password)).statusCode, 200)
  })

  test(`${backend.name}: POST /change-password: all sessions of a user share ten times the limit of one`, async (t) => {
    const rateLimits = {
      register: false,
      change_password: { max: 1, windowSeconds: 3600 },
    } as const
    const app = await build(t, { auth: { ...backend.options(), rateLimits } })
    await new Client(app).register('ann')
    const attempt = { current_password: wrong, new_password: 'a new good password' }
    for (let session = 0; session <= 10; session++) {
      const client = new Client(app)
      assert.equal((await client.login('ann')).statusCode, 200)
      const answer = await client.post('/change-password', attempt)
      refuses(answer, session < 10 ? 'CRUDAUTH_WRONG_PASSWORD' : 'CRUDAUTH_RATE_LIMITED')
      assert.equal(answer.headers['x-ratelimit-limit'], '1')
    }
  })

  test(`${backend.name}: POST /change-password: a stolen session can't exhaust the owner's rate limit`, async (t) => {
    const app = await build(t, { auth: { ...backend.options(), rateLimits: { register: false } } })
    const thief = await signedIn(app, 'ann')
    const owner = new Client(app)
    assert.equal((await owner.login('ann')).statusCode, 200)
    for (let n = 0; n < 10; n++)
      await thief.post('/change-password', { current_password: wrong, new_password: wrong })
    refuses(
      await thief.post('/change-password', { current_password: wrong, new_password: wrong }),
      'CRUDAUTH_RATE_LIMITED',
    )
    const change = { current_password: password, new_password: 'a new good password' }
    assert.equal((await owner.post('/change-password', change)).statusCode, 200)
    refuses(await thief.get('/me'), 'CRUDAUTH_UNAUTHENTICATED')
  })
}

test('device cookie: it does not authenticate and is not accepted as a session cookie', async (t) => {
  const app = await build(t)
  const owner = await signedIn(app, 'ann')
  const thief = new Client(app)
  const device = owner.cookies.get(deviceCookie) ?? ''
  thief.cookies.set(deviceCookie, device)
  refuses(await thief.get('/me'), 'CRUDAUTH_UNAUTHENTICATED')
  for (const value of [device, ...device.split('.')]) {
    thief.cookies.set('__Host-crudauth_session', value)
    refuses(await thief.get('/me'), 'CRUDAUTH_UNAUTHENTICATED')
  }
})

test('device cookie: still valid after eleven months without a sign-in', async (t) => {
  const app = await build(t)
  const owner = await signedIn(app, 'ann')
  t.mock.timers.enable({ apis: ['Date'], now: Date.now() + 330 * 86_400_000 })
  const stranger = new Client(app)
  for (let i = 0; i < 5; i++) await stranger.login('ann', wrong)
  refuses(await stranger.login('ann'), 'CRUDAUTH_LOCKED_OUT')
  assert.equal((await owner.login('ann')).statusCode, 200)
})
