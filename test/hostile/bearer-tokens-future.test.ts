import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { answers } from '../helpers/answers.js'
import {
  asBearer,
  bearerApp,
  claimsOf,
  forge,
  headerOf,
  signedInBearer,
} from '../helpers/bearer.js'
import { refuses } from '../helpers/refuses.js'

for (const [what, options, aheadSeconds] of [
  ['by default', {}, 5],
  ['with a small tolerance', { clockToleranceSeconds: 2 }, 5],
  ['with a large tolerance', { clockToleranceSeconds: 60 }, 60],
] as const) {
  for (const statelessUser of [false, true]) {
    describe(`clock skew ${what}${statelessUser ? ', with statelessUser' : ''}`, () => {
      test(`iat and auth_time are accepted up to ${aheadSeconds} seconds ahead, no further`, async (t) => {
        const app = await bearerApp(
          t,
          null,
          { ...options, statelessUser },
          {},
          {
            routes: (app) =>
              void app.get(
                '/optional',
                { onRequest: app.currentUser({ optional: true }) },
                async () => ({}),
              ),
          },
        )
        const { access_token } = await signedInBearer(app)
        const [header, claims] = [headerOf(access_token), claimsOf(access_token)]
        const now = Math.floor(Date.now() / 1000)
        // The clock is stopped half-way into a second, so the test can't run into the next one.
        t.mock.method(Date, 'now', () => now * 1000 + 500)
        const ask = (changes: object, url: string) =>
          asBearer(app, forge(header, { ...claims, exp: now + 9000, ...changes }), url)
        for (const url of ['/me', '/optional']) {
          for (const ahead of [0, 1, aheadSeconds])
            assert.equal(
              (await ask({ iat: now + ahead, auth_time: now + ahead }, url)).statusCode,
              200,
            )
          for (const ahead of [aheadSeconds + 1, aheadSeconds + 3600, 1e9]) {
            refuses(await ask({ iat: now + ahead }, url), 'CRUDAUTH_INVALID_TOKEN')
            refuses(await ask({ auth_time: now + ahead }, url), 'CRUDAUTH_INVALID_TOKEN')
          }
        }
      })
    })
  }
}

test('clock skew: a future token is accepted 5 seconds before iat, exp is exact', async (t) => {
  const app = await bearerApp(t, null)
  const { access_token } = await signedInBearer(app)
  const now = Math.floor(Date.now() / 1000)
  let atMs = now * 1000
  t.mock.method(Date, 'now', () => atMs)
  const token = forge(headerOf(access_token), {
    ...claimsOf(access_token),
    iat: now + 100,
    exp: now + 200,
  })
  refuses(await asBearer(app, token), 'CRUDAUTH_INVALID_TOKEN')
  atMs = (now + 95) * 1000
  answers(await asBearer(app, token), 200)
  atMs = (now + 200) * 1000 - 1
  answers(await asBearer(app, token), 200)
  atMs = (now + 200) * 1000
  refuses(await asBearer(app, token), 'CRUDAUTH_UNAUTHENTICATED')
})
