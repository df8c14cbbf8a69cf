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

describe('POST /login: cross-site check (login CSRF)', () => {
  const passes: [what: string, headers: Headers][] = [
    ['no Origin and no Sec-Fetch-Site', {}],
    ['the same origin', { origin: 'https://auth.example.com' }],
    ['the same origin over http', { origin: 'http://auth.example.com' }],
    ['the same origin in another letter case', { origin: 'HTTPS://AUTH.example.com' }],
    ['the same origin with its default port', { origin: 'https://auth.example.com:443' }],
    [
      'the same origin with Sec-Fetch-Site: same-origin',
      { origin: 'https://auth.example.com', 'sec-fetch-site': 'same-origin' },
    ],
    ['no Origin with Sec-Fetch-Site: same-origin', { 'sec-fetch-site': 'same-origin' }],
    [
      'another origin with Sec-Fetch-Site: same-origin',
      { origin: 'https://proxy.example', 'sec-fetch-site': 'same-origin' },
    ],
    [
      'Origin: null with Sec-Fetch-Site: same-origin',
      { origin: 'null', 'sec-fetch-site': 'same-origin' },
    ],
    ['Origin: null with Sec-Fetch-Site: none', { origin: 'null', 'sec-fetch-site': 'none' }],
    ['no Origin with Sec-Fetch-Site: none', { 'sec-fetch-site': 'none' }],
  ]
  for (const [what, headers] of passes) {
    test(`${what} passes`, async (t) => {
      answers(await post(await withAnn(t), headers), 200)
    })
  }

  const refused: [what: string, headers: Headers][] = [
    ['another site', { origin: 'https://evil.example' }],
    ['a sibling domain', { origin: 'https://www.example.com' }],
    [
      'a host that starts with the host of the app',
      { origin: 'https://auth.example.com.evil.example' },
    ],
    ['a host that ends with the host of the app', { origin: 'https://evil-auth.example.com' }],
    ['another port', { origin: 'https://auth.example.com:8443' }],
    ['Origin: null', { origin: 'null' }],
    ['an empty Origin', { origin: '' }],
    ['an Origin that is not a URL', { origin: '%%%' }],
    ['a file origin', { origin: 'file://' }],
    ['a browser extension', { origin: 'chrome-extension://abc' }],
    ['two origins in one header', { origin: 'https://auth.example.com, https://evil.example' }],
    [
      'the host of the app in the userinfo of the URL',
      { origin: 'https://auth.example.com@evil.example' },
    ],
    [
      'the same origin with Sec-Fetch-Site: cross-site',
      { origin: 'https://auth.example.com', 'sec-fetch-site': 'cross-site' },
    ],
    [
      'the same origin with Sec-Fetch-Site: same-site',
      { origin: 'https://auth.example.com', 'sec-fetch-site': 'same-site' },
    ],
    [
      'another origin with Sec-Fetch-Site in another letter case',
      { origin: 'https://evil.example', 'sec-fetch-site': 'Same-Origin' },
    ],
  ]
  for (const [what, headers] of refused) {
    test(`${what} is refused`, async (t) => {
      const app = await withAnn(t)
      const response = await post(app, headers)
      refusesOwn(response, 'CRUDAUTH_CROSS_SITE', [password])
      assert.equal(response.headers['set-cookie'], undefined)
    })
  }

  test('Sec-Fetch-Site: same-site without an Origin is refused', async (t) => {
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
    test(`trusted origin ${origin} passes, similar ones are refused`, async (t) => {
      const app = await withAnn(t, [origin])
      for (const site of ['same-site', 'cross-site', undefined])
        answers(await post(app, { origin, ...(site && { 'sec-fetch-site': site }) }), 200)
      for (const other of [`${origin}x`, `x${origin}`, origin.replace(/^\w+/, 'other')])
        refusesOwn(await post(app, { origin: other }), 'CRUDAUTH_CROSS_SITE')
    })
  }

  test('Sec-Fetch-Site: cross-site without an Origin is refused', async (t) => {
    refusesOwn(
      await post(await withAnn(t), { 'sec-fetch-site': 'cross-site' }),
      'CRUDAUTH_CROSS_SITE',
    )
  })

  test('a trusted origin passes with any Sec-Fetch-Site, other schemes and ports are refused', async (t) => {
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

  test('requests are refused before the body is read, and count no attempt', async (t) => {
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
