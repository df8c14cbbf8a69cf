import assert from 'node:assert/strict'
import { test } from 'node:test'
import { memoryUsers, type UserStore } from '../../src/index.js'
import { setCookies } from '../helpers/answers.js'
import { backends } from '../helpers/backends.js'
import { build } from '../helpers/build.js'
import { Client, signedIn } from '../helpers/client.js'
import { csrfCookie, sessionCookie, times } from '../helpers/hostile.js'
import { refuses } from '../helpers/refuses.js'

/** A barrier: calls of `come` wait until `count` of them have arrived. With 0 they never wait. */
function meeting() {
  let count = 0
  let waiting: (() => void)[] = []
  return {
    expect(people: number) {
      count = people
    },
    async come() {
      if (count === 0) return
      await new Promise<void>((resolve) => {
        waiting.push(resolve)
        if (waiting.length < count) return
        for (const go of waiting) go()
        waiting = []
        count = 0
      })
    },
  }
}

for (const backend of backends) {
  test(`${backend.name}: POST /csrf/refresh: parallel calls of one session get the same valid token`, async (t) => {
    const { expect, come } = meeting()
    const inner = memoryUsers()
    // Waits after the session is read, so that every request has seen the same one.
    const users: UserStore = {
      ...inner,
      async findById(id) {
        await come()
        return inner.findById(id)
      },
    }
    const app = await build(t, {
      auth: { ...backend.options(), users },
      routes: (app) => void app.post('/own', { onRequest: app.currentUser() }, async () => 'done'),
    })
    const signed = await signedIn(app, 'ann')
    const tab = (cookie?: string) => {
      const client = new Client(app)
      client.cookies.set(sessionCookie, signed.cookies.get(sessionCookie) ?? '')
      if (cookie !== undefined) client.cookies.set(csrfCookie, cookie)
      return client
    }
    for (const wrong of [undefined, 'forged', signed.csrf as string]) {
      // The token from the sign-in is invalid too, once it has been replaced.
      const tabs = times(20, () => tab(wrong))
      expect(tabs.length)
      const responses = await Promise.all(tabs.map((client) => client.post('/csrf/refresh')))
      const tokens = responses.map((response) => {
        assert.equal(response.statusCode, 200, response.body)
        assert.equal(setCookies(response)[csrfCookie]?.value, response.json().csrf_token)
        return response.json().csrf_token as string
      })
      assert.equal(new Set(tokens).size, 1)
      assert.notEqual(tokens[0], signed.csrf)
      for (const client of tabs) {
        client.csrf = tokens[0] as string
        assert.equal((await client.post('/own')).statusCode, 200)
      }
      const old = tab()
      old.csrf = signed.csrf
      refuses(await old.post('/own'), 'CRUDAUTH_CSRF')
      // With the valid cookie the token stays the same.
      const [again] = tabs
      assert.deepEqual((await again?.post('/csrf/refresh'))?.json(), { csrf_token: tokens[0] })
    }
  })

  test(`${backend.name}: POST /csrf/refresh: each session and each renewal gets a different token`, async (t) => {
    const app = await build(t, { auth: backend.options() })
    const clients = [await signedIn(app, 'ann'), new Client(app)] as const
    await clients[1].login('ann')
    const tokens = new Set<string>()
    for (const client of clients) {
      for (let round = 0; round < 3; round++) {
        client.cookies.delete(csrfCookie)
        tokens.add((await client.post('/csrf/refresh')).json().csrf_token)
      }
    }
    assert.equal(tokens.size, 6)
  })
}
