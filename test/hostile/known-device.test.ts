import assert from 'node:assert/strict'
import { test } from 'node:test'
import { backends } from '../helpers/backends.js'
import { build, secret } from '../helpers/build.js'
import { Client, signedIn } from '../helpers/client.js'
import { deviceCookie } from '../helpers/hostile.js'
import { refuses } from '../helpers/refuses.js'

const wrong = 'not the password'

for (const backend of backends) {
  test(`${backend.name}: a stranger who locks an account does not keep its owner's device out, under any of its names`, async (t) => {
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

  test(`${backend.name}: a known device has a budget of its own and no more`, async (t) => {
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
      'and others are not kept out by it',
    )
  })

  test(`${backend.name}: somebody else's device cookie gives no budget for an account`, async (t) => {
    const app = await build(t, { auth: backend.options() })
    await new Client(app).register('ann')
    const mallory = await signedIn(app, 'mallory')
    for (let i = 0; i < 5; i++)
      refuses(await mallory.login('ann', wrong), 'CRUDAUTH_BAD_CREDENTIALS')
    refuses(await mallory.login('ann'), 'CRUDAUTH_LOCKED_OUT')
    refuses(await new Client(app).login('ann'), 'CRUDAUTH_LOCKED_OUT')
  })
}

test('a device cookie that was altered, cut, spliced or signed by another secret is none', async (t) => {
  const app = await build(t)
  const owner = await signedIn(app, 'ann')
  const mallory = await signedIn(app, 'mallory')
  const elsewhere = await signedIn(
    await build(t, { auth: { secret: `${secret}-of-another-app` } }),
    'ann',
  )
  const value = owner.cookies.get(deviceCookie) ?? ''
  const [id = '', tag = '', signature = ''] = value.split('.')
  const [otherId = '', otherTag = '', otherSignature = ''] = (
    mallory.cookies.get(deviceCookie) ?? ''
  ).split('.')
  for (let i = 0; i < 6; i++) await new Client(app).login('ann', wrong)

  const forged = [
    elsewhere.cookies.get(deviceCookie) ?? '',
    `${otherId}.${tag}.${signature}`,
    `${otherId}.${otherTag}.${tag}.${otherSignature}`,
    `${id}.${tag}.${otherSignature}`,
    `${id}.${tag}.`,
    `${id}.${tag}`,
    `.${tag}.${signature}`,
    `${id}..${tag}.${signature}`,
    `${id}.${tag}.${tag}.${signature}`,
    `${value}.`,
    `${value}.${signature}`,
    `${tag}.${id}.${signature}`,
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
  assert.equal((await known.login('ann')).statusCode, 200, 'the true one counts')
})

test('a device remembers five users and its cookie stays small', async (t) => {
  const app = await build(t)
  const shared = new Client(app)
  for (let i = 0; i < 7; i++) {
    await shared.register(`user${i}`)
    assert.equal((await shared.login(`user${i}`)).statusCode, 200)
  }
  assert.ok((shared.cookies.get(deviceCookie) ?? '').length <= 512)
  for (let i = 0; i < 7; i++)
    for (let n = 0; n < 6; n++)
      await new Client(app, '', { remoteAddress: `10.0.${i}.${n}` }).login(`user${i}`, wrong)
  const seen = []
  for (let i = 0; i < 7; i++) {
    const client = new Client(app, '', { remoteAddress: '192.0.2.9' })
    client.cookies.set(deviceCookie, shared.cookies.get(deviceCookie) ?? '')
    seen.push((await client.login(`user${i}`)).statusCode)
  }
  assert.deepEqual(seen, [429, 429, 200, 200, 200, 200, 200])
})

test('a device cookie signs nobody in and stands in for no session', async (t) => {
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
