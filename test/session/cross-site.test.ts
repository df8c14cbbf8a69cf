import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { answers, refusesOwn } from '../helpers/answers.js'
import { build, password } from '../helpers/build.js'
import { Client } from '../helpers/client.js'

type Headers = Record<string, string>

const post = async (app: Awaited<ReturnType<typeof build>>, headers: Headers) =>
  new Client(app).form(
    '/login',
    { username: 'ann', password },
    { headers: { host: 'auth.example.com', ...headers } },
  )

async function withAnn(t: Parameters<typeof build>[0], trustedOrigins: string[] = []) {
  const app = await build(t, { auth: { trustedOrigins } })
  await new Client(app).register('ann')
  return app
}

describe('POST /login from a browser', () => {
  const passes: [what: string, headers: Headers][] = [
    ['without Origin and Sec-Fetch-Site', {}],
    ['of the same origin', { origin: 'https://auth.example.com' }],
    ['of the same origin over http, as the request', { origin: 'http://auth.example.com' }],
    ['of the same origin in other letters', { origin: 'HTTPS://AUTH.example.com' }],
    ['of the same origin with its default port', { origin: 'https://auth.example.com:443' }],
    [
      'of the same origin, told twice',
      { origin: 'https://auth.example.com', 'sec-fetch-site': 'same-origin' },
    ],
    ['without Origin, same-origin', { 'sec-fetch-site': 'same-origin' }],
    [
      'of another Origin that the browser calls its own',
      { origin: 'https://proxy.example', 'sec-fetch-site': 'same-origin' },
    ],
    ['of null that the browser calls its own', { origin: 'null', 'sec-fetch-site': 'same-origin' }],
    ['of null, by the user’s own hand', { origin: 'null', 'sec-fetch-site': 'none' }],
    ['without Origin, by the user’s own hand', { 'sec-fetch-site': 'none' }],
  ]
  for (const [what, headers] of passes) {
    test(`passes ${what}`, async (t) => {
      answers(await post(await withAnn(t), headers), 200)
    })
  }

  const refused: [what: string, headers: Headers][] = [
    ['of another site', { origin: 'https://evil.example' }],
    ['of a sibling', { origin: 'https://www.example.com' }],
    ['of a name that begins like ours', { origin: 'https://auth.example.com.evil.example' }],
    ['of a name that ends like ours', { origin: 'https://evil-auth.example.com' }],
    ['of another port', { origin: 'https://auth.example.com:8443' }],
    ['of null', { origin: 'null' }],
    ['that is empty', { origin: '' }],
    ['that is garbage', { origin: '%%%' }],
    ['of a file', { origin: 'file://' }],
    ['of an extension', { origin: 'chrome-extension://abc' }],
    ['of two', { origin: 'https://auth.example.com, https://evil.example' }],
    ['of our name as user name', { origin: 'https://auth.example.com@evil.example' }],
    [
      'of our own that the browser calls another site’s',
      { origin: 'https://auth.example.com', 'sec-fetch-site': 'cross-site' },
    ],
    [
      'of our own that the browser calls a sibling’s',
      { origin: 'https://auth.example.com', 'sec-fetch-site': 'same-site' },
    ],
    [
      'that a browser of another kind calls its own',
      { origin: 'https://evil.example', 'sec-fetch-site': 'Same-Origin' },
    ],
  ]
  for (const [what, headers] of refused) {
    test(`refuses an Origin ${what}`, async (t) => {
      const app = await withAnn(t)
      const response = await post(app, headers)
      refusesOwn(response, 'CRUDAUTH_CROSS_SITE', [password])
      assert.equal(response.headers['set-cookie'], undefined)
    })
  }

  test('refuses Sec-Fetch-Site: same-site without an Origin', async (t) => {
    refusesOwn(
      await post(await withAnn(t), { 'sec-fetch-site': 'same-site' }),
      'CRUDAUTH_CROSS_SITE',
    )
  })

  for (const origin of [
    'https://app.example.com',
    'http://app.example.com:8080',
    'capacitor://localhost',
    'tauri://localhost',
    'chrome-extension://abcdefghijklmnop',
  ]) {
    test(`passes ${origin} where it is trusted, whatever the browser calls it`, async (t) => {
      const app = await withAnn(t, [origin])
      for (const site of ['same-site', 'cross-site', undefined])
        answers(await post(app, { origin, ...(site && { 'sec-fetch-site': site }) }), 200)
      for (const other of [`${origin}x`, `x${origin}`, origin.replace(/^\w+/, 'other')])
        refusesOwn(await post(app, { origin: other }), 'CRUDAUTH_CROSS_SITE')
    })
  }

  test('refuses Sec-Fetch-Site: cross-site without an Origin', async (t) => {
    refusesOwn(
      await post(await withAnn(t), { 'sec-fetch-site': 'cross-site' }),
      'CRUDAUTH_CROSS_SITE',
    )
  })

  test('lets a trusted origin pass whatever Sec-Fetch-Site says, and that one alone', async (t) => {
    const app = await withAnn(t, ['https://app.example.com', 'http://localhost:5173'])
    for (const site of ['cross-site', 'same-site', 'same-origin']) {
      answers(await post(app, { origin: 'https://app.example.com', 'sec-fetch-site': site }), 200)
    }
    answers(await post(app, { origin: 'http://localhost:5173' }), 200)
    for (const origin of [
      'http://app.example.com',
      'https://app.example.com:444',
      'http://localhost:5174',
    ]) {
      refusesOwn(await post(app, { origin }), 'CRUDAUTH_CROSS_SITE')
    }
  })

  test('refuses before the body is read and counts no attempt', async (t) => {
    const app = await build(t, { auth: { lockout: { maxAttempts: 1 } } })
    await new Client(app).register('ann')
    for (let n = 0; n < 3; n++)
      refusesOwn(await post(app, { origin: 'https://evil.example' }), 'CRUDAUTH_CROSS_SITE')
    const response = await app.inject({
      method: 'POST',
      url: '/login',
      headers: { origin: 'https://evil.example', 'content-type': 'text/plain' },
      payload: 'x',
    })
    refusesOwn(response, 'CRUDAUTH_CROSS_SITE')
    answers(await new Client(app).login('ann'), 200)
  })
})
