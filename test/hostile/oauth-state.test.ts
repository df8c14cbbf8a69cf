import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Redis } from 'ioredis'
import { memoryUsers } from '../../src/index.js'
import { backends, serverUrl } from '../helpers/backends.js'
import { secret } from '../helpers/build.js'
import {
  ada,
  Browser,
  buildOAuth,
  codeOf,
  fields,
  landsFailed,
  landsOn,
  oauthCookie,
  refusesCallback,
} from '../helpers/oauth.js'

for (const backend of backends) {
  test(`${backend.name}: OAuth callback: an invalid state is rejected, the valid one still works afterwards`, async (t) => {
    const { app, acme, other, rows } = await buildOAuth(t, { auth: backend.options() })
    const browser = new Browser(app)
    const query = await browser.begin()
    const state = query.get('state') as string
    const code = codeOf({ nonce: query.get('nonce'), ...ada })
    for (const bad of [
      '',
      '?',
      `?code=${code}`,
      `?code=${code}&state=`,
      `?code=${code}&state=unknown`,
      `?code=${code}&state=${'a'.repeat(43)}`,
      `?code=${code}&state=${state}&state=${state}`,
      `?code=${code}&state=${state}&state=`,
      `?code=${code}&state[]=${state}`,
      `?code=${code}&State=${state}`,
      `?code=${code}&state=${state}%00`,
      `?code=${code}&state=${state}%20`,
      `?code=${code}&state=${state}=`,
      `?code=${code}&state=${state.toUpperCase()}`,
      `?code=${code}&state=${state.slice(0, -1)}`,
      `?code=${code};state=${state}`,
      `?code=${code}&state=__proto__`,
      `?code=${code}&state=%FF`,
      `?code=${code}&state=${'a'.repeat(8000)}`,
      `?error=access_denied`,
      `?error=access_denied&state=unknown`,
    ]) {
      refusesCallback(await browser.get(`/oauth/acme/callback${bad}`))
    }
    refusesCallback(await browser.finish(query, ada, 'other'))
    assert.deepEqual(
      [...acme.requests, ...other.requests].filter((line) => line.includes('/token')),
      [],
    )
    assert.deepEqual(await rows(), [])
    assert.equal(await browser.me(), null)
    landsOn(await browser.finish(query, ada), '/start')
    assert.equal((await browser.me()).username, 'ada')
  })

  test(`${backend.name}: OAuth state: another browser can neither use nor consume it`, async (t) => {
    const { app, acme, rows } = await buildOAuth(t, { auth: backend.options() })
    const browser = new Browser(app)
    const query = await browser.begin()
    const own = browser.cookies.get(oauthCookie) as string
    const foreign = new Browser(app)
    await foreign.begin()
    const foreignCookie = foreign.cookies.get(oauthCookie) as string
    assert.notEqual(foreignCookie, own)
    const url = `/oauth/acme/callback?${new URLSearchParams({ code: codeOf({ nonce: query.get('nonce'), ...ada }), state: query.get('state') ?? '' })}`
    for (const cookie of [
      undefined,
      '',
      `${oauthCookie}=`,
      `${oauthCookie}=x`,
      `${oauthCookie}=${foreignCookie}`,
      `${oauthCookie}=${own}; ${oauthCookie}=${own}`,
      `${oauthCookie}=${foreignCookie}; ${oauthCookie}=${own}`,
      `${oauthCookie}=${own}; ${oauthCookie}=`,
      `${oauthCookie}="${own}"`,
      `${oauthCookie}=${own}.`,
      `${oauthCookie}=${own.toLowerCase()}`,
      `crudauth_oauth=${own}`,
      `${oauthCookie.toLowerCase()}=${own}`,
      `${oauthCookie}=${own.slice(0, -1)}%${own.charCodeAt(42).toString(16)}`,
    ]) {
      const headers = cookie === undefined ? {} : { cookie }
      refusesCallback(await app.inject({ url, headers }))
    }
    // The browser's secret is not accepted as a parameter or header.
    refusesCallback(
      await app.inject({ url: `${url}&${oauthCookie}=${own}`, headers: { [oauthCookie]: own } }),
    )
    assert.ok(!acme.requests.includes('POST /token'))
    assert.deepEqual(await rows(), [])
    landsOn(await browser.finish(query, ada), '/start')
  })

  test(`${backend.name}: OAuth state: single use, whether the sign-in succeeds or fails`, async (t) => {
    const { app, acme } = await buildOAuth(t, { auth: backend.options() })
    const browser = new Browser(app)
    const query = await browser.begin()
    landsOn(await browser.finish(query, ada), '/start')
    refusesCallback(await browser.finish(query, ada))
    refusesCallback(await browser.finish(query, { ...ada, sub: 'another' }))
    assert.equal((await browser.me()).username, 'ada', 'the session is still valid')

    const failing = new Browser(app)
    const declined = await failing.begin()
    landsFailed(
      await failing.callback({ error: 'access_denied', state: declined.get('state') ?? '' }),
    )
    refusesCallback(await failing.finish(declined, ada))
    assert.equal(acme.grants.length, 1)
  })

  // The store kit covers how the values of a database expire.
  const skip = backend.name === 'sqlite' && 'a test cannot change the clock of a database'
  test(`${backend.name}: OAuth state: expires after ten minutes`, { skip }, async (t) => {
    const options = backend.options()
    const { app } = await buildOAuth(t, { auth: options })
    const browser = new Browser(app)
    const query = await browser.begin()
    const cookie = browser.cookies.get(oauthCookie) as string
    if (!options.redis) {
      t.mock.timers.enable({ apis: ['Date'], now: Date.now() + 599_000 })
      const late = await browser.begin()
      // The second attempt reuses the cookie of the first.
      assert.equal(browser.cookies.get(oauthCookie), cookie)
      t.mock.timers.setTime(Date.now() + 2_000)
      refusesCallback(await browser.finish(query, ada))
      landsOn(await browser.finish(late, ada), '/start')
      return
    }
    const client = new Redis(serverUrl('TEST_REDIS_URL') ?? '')
    t.after(() => client.disconnect())
    const keys = await client.keys(`${options.keyPrefix}*`)
    const lives = await Promise.all(keys.map((key) => client.pttl(key)))
    assert.equal(keys.length, 1)
    assert.ok((lives[0] as number) > 590_000 && (lives[0] as number) <= 600_000, String(lives))
    await client.pexpire(keys[0] as string, 0)
    refusesCallback(await browser.finish(query, ada))
  })
}

const shared = backends.filter(({ name }) => name === 'redis')
for (const backend of shared) {
  test(`${backend.name}: OAuth state: another process accepts it only with a shared secret, old ones included`, async (t) => {
    const options = backend.options()
    const users = memoryUsers({ fields })
    const first = await buildOAuth(t, { auth: { ...options, users } })
    const same = (more: object) =>
      buildOAuth(t, {
        auth: { ...options, users, ...more },
        oauth: { providers: { acme: first.acme.provider(), other: first.other.provider() } },
      })
    const second = await same({ secret: ['k9Zr4Tn1Vx7Qw2Lm8Bs5Hd3Jf6Pc0Gy-other', secret] })
    const third = await same({ secret: 'k9Zr4Tn1Vx7Qw2Lm8Bs5Hd3Jf6Pc0Gy-other' })
    const browser = new Browser(first.app)
    const query = await browser.begin()
    const carried = (app: typeof first.app) => {
      const copy = new Browser(app)
      for (const [name, value] of browser.cookies) copy.cookies.set(name, value)
      return copy
    }
    refusesCallback(await carried(third.app).finish(query, ada))
    landsOn(await carried(second.app).finish(query, ada), '/start')
    refusesCallback(await browser.finish(query, ada))
  })

  test(`${backend.name}: OAuth state: sealed data moved to another state is rejected`, async (t) => {
    const options = backend.options()
    const { app } = await buildOAuth(t, { auth: options })
    const client = new Redis(serverUrl('TEST_REDIS_URL') ?? '')
    t.after(() => client.disconnect())
    const browser = new Browser(app)
    const first = await browser.begin()
    const [firstKey] = await client.keys(`${options.keyPrefix}*`)
    const second = await browser.begin()
    const secondKey = (await client.keys(`${options.keyPrefix}*`)).find(
      (key) => key !== firstKey,
    ) as string
    await client.rename(firstKey as string, secondKey)
    refusesCallback(await browser.finish(second, { ...ada, nonce: first.get('nonce') }))
    refusesCallback(await browser.finish(first, ada))
  })
}

test('OAuth callback: HEAD and other methods get 404 and do not consume the state', async (t) => {
  const { app } = await buildOAuth(t)
  const browser = new Browser(app)
  const query = await browser.begin()
  const url = `/oauth/acme/callback?${new URLSearchParams({ code: codeOf(ada), state: query.get('state') ?? '' })}`
  const headers = { cookie: `${oauthCookie}=${browser.cookies.get(oauthCookie)}` }
  for (const method of ['HEAD', 'PUT', 'DELETE', 'PATCH', 'OPTIONS'] as const) {
    assert.equal((await app.inject({ method, url, headers })).statusCode, 404, method)
  }
  landsOn(await browser.finish(query, ada), '/start')
})
