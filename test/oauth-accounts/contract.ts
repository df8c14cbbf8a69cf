import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { OAuthAccount, OAuthAccountStore, UserId } from '../../src/index.js'

interface LinksUnderTest {
  readonly store: OAuthAccountStore
  /** A user id in the type that the store returns. */
  id(number: number): UserId
  close?(): unknown
}

/** Declares the tests that every store of links must pass. `open` returns an empty store. */
export function linkTests(
  name: string,
  skip: string | false,
  open: () => Promise<LinksUnderTest>,
): void {
  const declare = (
    sentence: string,
    run: (
      store: OAuthAccountStore,
      link: (user: number, provider: string, subject?: string, at?: number) => OAuthAccount,
      id: LinksUnderTest['id'],
    ) => Promise<void>,
  ) =>
    test(`${name}: ${sentence}`, { skip }, async () => {
      const { store, id, close } = await open()
      const link = (user: number, provider: string, subject = `${provider}-${user}`, at = 0) => ({
        provider,
        subject,
        userId: id(user),
        email: `${user}@example.com`,
        linkedAt: new Date(Date.UTC(2026, 0, 1) + at * 1000),
      })
      try {
        await run(store, link, id)
      } finally {
        await close?.()
      }
    })

  declare('a link is found and listed as it was added, oldest first', async (store, link, id) => {
    const [first, second] = [link(1, 'b', 'x', 1), { ...link(1, 'a', 'y', 2), email: null }]
    assert.equal(await store.add(second), true)
    assert.equal(await store.add(first), true)
    assert.equal(await store.add(link(2, 'a')), true)
    assert.deepEqual(await store.find('b', 'x'), first)
    assert.deepEqual(await store.list(id(1)), [first, second])
    assert.deepEqual(await store.list(id(3)), [])
  })

  declare('only exactly this provider and subject are found', async (store, link) => {
    await store.add(link(1, 'acme', 'Rene'))
    const near = ['rene', 'René', 'Rene ', 'Rene\0', '', '%', '0']
    for (const subject of near) assert.equal(await store.find('acme', subject), null, subject)
    assert.equal(await store.find('Acme', 'Rene'), null)
    assert.equal((await store.find('acme', 'Rene'))?.subject, 'Rene')
  })

  declare('the constraints refuse a second link, and nothing is written', async (store, link) => {
    const first = link(1, 'acme', 'x')
    await store.add(first)
    assert.equal(await store.add(link(2, 'acme', 'x')), false)
    assert.equal(await store.add(link(1, 'acme', 'y')), false)
    assert.deepEqual(await store.list(first.userId), [first])
    assert.equal(await store.find('acme', 'y'), null)
  })

  declare('of 100 parallel links to one subject one is added', async (store, link) => {
    const added = await Promise.all(
      Array.from({ length: 100 }, (_, at) => store.add(link(at + 1, 'acme', 'one'))),
    )
    assert.equal(added.filter(Boolean).length, 1)
    const found = await store.find('acme', 'one')
    assert.deepEqual(found, link(added.indexOf(true) + 1, 'acme', 'one'))
  })

  declare('a link is removed, the only one not with keepLast', async (store, link, id) => {
    await store.add(link(1, 'acme'))
    await store.add(link(2, 'acme'))
    assert.equal(await store.remove(id(1), 'other', true), 'absent')
    assert.equal(await store.remove(id(3), 'acme', false), 'absent')
    assert.equal(await store.remove(id(1), 'acme', true), 'last')
    await store.add(link(1, 'other'))
    assert.equal(await store.remove(id(1), 'acme', true), 'removed')
    assert.equal(await store.remove(id(1), 'acme', true), 'absent')
    assert.equal(await store.remove(id(1), 'other', true), 'last')
    assert.equal(await store.remove(id(1), 'other', false), 'removed')
    assert.deepEqual(await store.list(id(1)), [])
    assert.equal((await store.list(id(2))).length, 1)
  })

  declare('of parallel removals one link is always left', async (store, link, id) => {
    for (let round = 0; round < 10; round++) {
      const providers = ['a', 'b', 'c']
      for (const provider of providers) await store.add(link(round, provider))
      const results = await Promise.all(
        providers.flatMap((provider) => [
          store.remove(id(round), provider, true),
          store.remove(id(round), provider, true),
        ]),
      )
      assert.equal((await store.list(id(round))).length, 1, results.join())
      assert.equal(results.filter((result) => result === 'removed').length, 2, results.join())
    }
  })

  declare('a matching table has no findings', async (store) => {
    assert.deepEqual(await store.verifySchema?.(), [])
  })
}
