import assert from 'node:assert/strict'
import { test } from 'node:test'
import { memoryUsers, type UserStore } from '../../src/index.js'
import { setCookies } from '../helpers/answers.js'
import { backends } from '../helpers/backends.js'
import { build } from '../helpers/build.js'
import { Client, signedIn } from '../helpers/client.js'
import { csrfCookie, sessionCookie, times } from '../helpers/hostile.js'
import { refuses } from '../helpers/refuses.js'

/** Lets nobody on before `count` have come; 0 lets everybody on. */
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
  test(`${backend.name}: tabs of one session that lost the cookie and refresh together get one token, which works`, async (t) => {
    const { expect, come } = meeting()
    const inner = memoryUsers()
    // After the session was read, so that all have seen the same one.
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
      // The token of the sign-in is wrong too, once it has been replaced.
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
      // With the right cookie it stays.
      const [again] = tabs
      assert.deepEqual((await again?.post('/csrf/refresh'))?.json(), { csrf_token: tokens[0] })
    }
  })

  test(`${backend.name}: tokens of two sessions, and of one session after another, differ`, async (t) => {
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
