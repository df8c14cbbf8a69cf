import assert from 'node:assert/strict'
import { test } from 'node:test'
import { build } from '../../helpers/build.js'
import { Client } from '../../helpers/client.js'
import { refuses } from '../../helpers/refuses.js'

const wrong = 'not the password'

test('POST /login: slow brute force gets at most 100 guesses a day against an account', async (t) => {
  t.mock.timers.enable({ apis: ['Date'], now: Date.now() })
  const app = await build(t)
  await new Client(app).register('ann')
  let judged = 0
  for (let n = 0; n < 110; n++) {
    t.mock.timers.tick(30_000)
    const remoteAddress = `10.${n}.0.1`
    const { statusCode } = await new Client(app, '', { remoteAddress }).login('ann', wrong)
    if (statusCode === 401) judged++
    else assert.equal(statusCode, 429)
  }
  assert.equal(judged, 100)
  t.mock.timers.tick(3_700_000)
  refuses(
    await new Client(app, '', { remoteAddress: '10.200.0.1' }).login('ann'),
    'CRUDAUTH_LOCKED_OUT',
  )
  t.mock.timers.tick(25 * 3_600_000)
  assert.equal((await new Client(app).login('ann')).statusCode, 200)
})

test('POST /login: a known device and unknown devices have separate attempt counters', async (t) => {
  t.mock.timers.enable({ apis: ['Date'], now: Date.now() })
  const app = await build(t)
  await new Client(app).register('ann')
  const owner = new Client(app, '', { remoteAddress: '10.9.0.1' })
  assert.equal((await owner.login('ann')).statusCode, 200)
  for (let n = 0; n < 5; n++) refuses(await owner.login('ann', wrong), 'CRUDAUTH_BAD_CREDENTIALS')
  refuses(await owner.login('ann'), 'CRUDAUTH_LOCKED_OUT')
  for (let n = 0; n < 5; n++) {
    const stranger = new Client(app, '', { remoteAddress: `10.8.${n}.1` })
    refuses(await stranger.login('ann', wrong), 'CRUDAUTH_BAD_CREDENTIALS')
  }
  const sixth = new Client(app, '', { remoteAddress: '10.8.9.1' })
  refuses(await sixth.login('ann', wrong), 'CRUDAUTH_LOCKED_OUT')
})

test('POST /login: a known device gets at most 100 guesses a day, apart from other devices', async (t) => {
  t.mock.timers.enable({ apis: ['Date'], now: Date.now() })
  const app = await build(t)
  await new Client(app).register('ann')
  const device = new Client(app, '', { remoteAddress: '10.9.0.1' })
  assert.equal((await device.login('ann')).statusCode, 200)
  for (let n = 0; n < 100; n++) {
    t.mock.timers.tick(30_000)
    refuses(await device.login('ann', wrong), 'CRUDAUTH_BAD_CREDENTIALS')
  }
  t.mock.timers.tick(30_000)
  refuses(await device.login('ann', wrong), 'CRUDAUTH_LOCKED_OUT')
  t.mock.timers.tick(3_700_000)
  refuses(await device.login('ann'), 'CRUDAUTH_LOCKED_OUT')
  const other = new Client(app, '', { remoteAddress: '10.8.0.1' })
  assert.equal((await other.login('ann')).statusCode, 200)
  refuses(await device.login('ann'), 'CRUDAUTH_LOCKED_OUT')
  t.mock.timers.tick(25 * 3_600_000)
  assert.equal((await device.login('ann')).statusCode, 200)
})
