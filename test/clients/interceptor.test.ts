import assert from 'node:assert/strict'
import { test } from 'node:test'
import { bearerTransport, memoryUsers } from '../../src/index.js'
import { listenOn, times } from '../helpers/bearer.js'
import { build, password } from '../helpers/build.js'
import { Client } from '../helpers/client.js'

/**
 * A typical front-end client. On a 401 with `invalid_token`, it refreshes and retries.
 * Concurrent requests share one refresh.
 */
function frontEnd(base: string) {
  const jar = new Map<string, string>()
  let access = ''
  let refreshing: Promise<boolean> | null = null
  const counts = { refreshes: 0, signedOut: 0 }

  const send = async (path: string, init: RequestInit = {}) => {
    const cookie = [...jar].map(([name, value]) => `${name}=${value}`).join('; ')
    const headers = {
      ...(init.headers as Record<string, string>),
      ...(cookie && { cookie }),
      ...(access && { authorization: `Bearer ${access}` }),
    }
    const response = await fetch(base + path, { ...init, headers })
    for (const line of response.headers.getSetCookie()) {
      const [name = '', value = ''] = (line.split(';')[0] ?? '').split('=')
      if (value === '') jar.delete(name)
      else jar.set(name, value)
    }
    return response
  }
  const refresh = async () => {
    counts.refreshes++
    const response = await send('/auth/refresh', { method: 'POST' })
    if (!response.ok) counts.signedOut++
    access = response.ok ? ((await response.json()) as { access_token: string }).access_token : ''
    return response.ok
  }
  return {
    counts,
    jar,
    /** Another tab of the same browser. */
    adopt(token: string, cookies: ReadonlyMap<string, string>) {
      access = token
      for (const [name, value] of cookies) jar.set(name, value)
    },
    access: () => access,
    async signIn(username: string) {
      const response = await send('/auth/token', {
        method: 'POST',
        body: new URLSearchParams({ username, password }),
      })
      access = ((await response.json()) as { access_token: string }).access_token
    },
    async call(path: string, init: RequestInit = {}): Promise<Response> {
      const response = await send(path, init)
      if (
        response.status !== 401 ||
        !response.headers.get('www-authenticate')?.includes('invalid_token')
      )
        return response
      refreshing ??= refresh().finally(() => {
        refreshing = null
      })
      return (await refreshing) ? send(path, init) : response
    },
  }
}

async function start(t: Parameters<typeof build>[0], accessSeconds = 900) {
  const users = memoryUsers()
  const app = await build(t, {
    auth: { users, prefix: '/auth', transports: [bearerTransport({ accessSeconds })] },
  })
  await new Client(app, '/auth').register('ann')
  const client = frontEnd(`http://127.0.0.1:${await listenOn(app)}`)
  await client.signIn('ann')
  return { app, users, client }
}

test('interceptor: an expired token is refreshed once for all waiting requests', async (t) => {
  const { client } = await start(t, 3)
  assert.equal((await client.call('/auth/me')).status, 200)
  assert.equal(client.counts.refreshes, 0)
  await new Promise((resolve) => setTimeout(resolve, 3100))
  const responses = await Promise.all(times(20, () => client.call('/auth/me')))
  assert.deepEqual(new Set(responses.map(({ status }) => status)), new Set([200]))
  assert.equal(client.counts.refreshes, 1)
})

test('interceptor: tabs that share a cookie and refresh at the same time all stay signed in', async (t) => {
  const { app, client } = await start(t)
  const base = `http://127.0.0.1:${(app.server.address() as { port: number }).port}`
  const tabs = times(5, () => frontEnd(base))
  for (const tab of tabs) tab.adopt('forged', client.jar)
  const responses = await Promise.all(tabs.map((tab) => tab.call('/auth/me')))
  assert.deepEqual(
    responses.map(({ status }) => status),
    [200, 200, 200, 200, 200],
  )
  assert.equal(
    new Set(tabs.map(({ jar }) => [...jar.values()].join())).size,
    1,
    'one cookie for all',
  )
  assert.equal(new Set(tabs.map(({ access }) => access())).size, 5)
  tabs[0]?.adopt('forged', tabs[1]?.jar ?? new Map())
  assert.equal((await tabs[0]?.call('/auth/me'))?.status, 200)
})

test('interceptor: a wrong current password is returned to the caller without a refresh', async (t) => {
  const { client } = await start(t)
  const response = await client.call('/auth/change-password', {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ current_password: 'wrong password', new_password: 'another good one' }),
  })
  assert.equal(response.status, 401)
  assert.equal(((await response.json()) as { code: string }).code, 'CRUDAUTH_WRONG_PASSWORD')
  assert.equal(client.counts.refreshes, 0)
})

test('interceptor: after a raised token_version the client refreshes once and signs out', async (t) => {
  const { users, client } = await start(t)
  await users.update(1, { tokenVersion: 1 })
  for (let n = 0; n < 2; n++) assert.equal((await client.call('/auth/me')).status, 401)
  assert.deepEqual(client.counts, { refreshes: 1, signedOut: 1 })
})
