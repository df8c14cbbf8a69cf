import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import type { OneTimeStore } from '../ports/one-time-store.js'
import {
  atOnce,
  type ConformanceOptions,
  HOSTILE_TEXTS,
  past,
  type StoreFactory,
  storeKit,
} from './store-kit.js'

const MINUTE_MS = 60_000
const keyText = () => randomBytes(32).toString('base64url')

/**
 * Declares the tests that every `OneTimeStore` must pass.
 * @param factory called once per test; returns an empty store
 * @example
 * oneTimeStoreConformance(async () => ({ store: myOneTime(await emptyDatabase()) }))
 */
export function oneTimeStoreConformance(
  factory: StoreFactory<OneTimeStore>,
  options: ConformanceOptions = {},
): void {
  const declare = storeKit(factory, options, 'one-time store')

  // The same rules apply to values with and without a group.
  for (const [kind, groupText] of [
    ['value without a group', () => undefined],
    ['value in a group', keyText],
  ] as const) {
    declare(`${kind}: peek can be repeated, take returns it once`, async (store) => {
      const [key, group] = [keyText(), groupText()]
      await store.put(key, '{"user":1}', MINUTE_MS, group)
      assert.equal(await store.peek(key, group), '{"user":1}')
      assert.equal(await store.peek(key, group), '{"user":1}')
      assert.equal(await store.take(key, group), '{"user":1}')
      assert.equal(await store.take(key, group), null)
      assert.equal(await store.peek(key, group), null)
    })

    declare(`${kind}: an unknown key returns null`, async (store) => {
      const group = groupText()
      await store.put(keyText(), 'x', MINUTE_MS, group)
      for (const key of [keyText(), '', '__proto__']) {
        assert.equal(await store.peek(key, group), null)
        assert.equal(await store.take(key, group), null)
      }
    })

    declare(`${kind}: text of any kind and size is returned unchanged`, async (store) => {
      const group = groupText()
      for (const text of ['', ...HOSTILE_TEXTS, 'x'.repeat(4096)]) {
        const key = keyText()
        await store.put(key, text, MINUTE_MS, group)
        assert.equal(await store.peek(key, group), text)
        assert.equal(await store.take(key, group), text)
      }
    })

    declare(`${kind}: a second put replaces the value and its lifetime`, async (store) => {
      const [key, group] = [keyText(), groupText()]
      const startMs = Date.now()
      await store.put(key, 'old', 300, group)
      await store.put(key, 'new', MINUTE_MS, group)
      await past(startMs + 300)
      assert.equal(await store.take(key, group), 'new')
      assert.equal(await store.take(key, group), null)
    })

    declare(`${kind}: expires after its lifetime, and other values do not`, async (store) => {
      const [short, long, group] = [keyText(), keyText(), groupText()]
      await store.put(long, 'long', MINUTE_MS, group)
      await store.put(short, 'short', 300, group)
      await past(Date.now() + 300)
      assert.equal(await store.peek(short, group), null)
      assert.equal(await store.take(short, group), null)
      assert.equal(await store.peek(long, group), 'long')
    })

    declare(`${kind}: put with a lifetime of 0 only removes the old value`, async (store) => {
      const [key, group] = [keyText(), groupText()]
      await store.put(key, 'old', MINUTE_MS, group)
      await store.put(key, 'new', 0, group)
      assert.equal(await store.take(key, group), null)
    })

    declare(`${kind}: exactly one of 100 parallel take calls returns it`, async (store) => {
      const [key, group] = [keyText(), groupText()]
      await store.put(key, 'prize', MINUTE_MS, group)
      const answers = await atOnce(100, () => store.take(key, group))
      assert.deepEqual(
        answers.filter((answer) => answer !== null),
        ['prize'],
      )
    })
  }

  declare('the same key is a separate value in each group and without a group', async (store) => {
    const [key, group, other] = [keyText(), keyText(), keyText()]
    await store.put(key, 'alone', MINUTE_MS)
    await store.put(key, 'group', MINUTE_MS, group)
    assert.equal(await store.take(key, other), null)
    assert.equal(await store.take(key, group), 'group')
    assert.equal(await store.take(key), 'alone')
    // Groups and keys have separate namespaces.
    await store.put(key, 'alone', MINUTE_MS)
    assert.equal(await store.revokeGroup(key), 0)
    assert.equal(await store.take(key), 'alone')
  })

  declare(
    'revokeGroup removes only the values of its group and returns their number',
    async (store) => {
      const [group, other] = [keyText(), keyText()]
      const keys = [keyText(), keyText(), keyText()]
      for (const key of keys) {
        await store.put(key, 'mine', MINUTE_MS, group)
        await store.put(key, 'yours', MINUTE_MS, other)
        await store.put(key, 'alone', MINUTE_MS)
      }
      assert.equal(await store.revokeGroup(group), 3)
      assert.equal(await store.revokeGroup(group), 0)
      for (const key of keys) {
        assert.equal(await store.peek(key, group), null)
        assert.equal(await store.take(key, group), null)
        assert.equal(await store.take(key, other), 'yours')
        assert.equal(await store.take(key), 'alone')
      }
    },
  )

  declare('revokeGroup counts neither taken nor expired values', async (store) => {
    const group = keyText()
    const taken = keyText()
    await store.put(taken, 'a', MINUTE_MS, group)
    await store.put(keyText(), 'b', 300, group)
    await store.put(keyText(), 'c', MINUTE_MS, group)
    await store.take(taken, group)
    await past(Date.now() + 300)
    assert.equal(await store.revokeGroup(group), 1)
  })

  declare(
    'a short-lived value does not shorten the lifetime of others in its group',
    async (store) => {
      const [group, long, short] = [keyText(), keyText(), keyText()]
      await store.put(long, 'long', MINUTE_MS, group)
      await store.put(short, 'short', 200, group)
      await past(Date.now() + 200)
      assert.equal(await store.take(long, group), 'long')
    },
  )

  declare('a value is either taken or revoked with its group, never both', async (store) => {
    const group = keyText()
    const keys = Array.from({ length: 99 }, keyText)
    for (const key of keys) await store.put(key, 'x', MINUTE_MS, group)
    const answers = await atOnce<string | number | null>(100, (i) =>
      i === 50 ? store.revokeGroup(group) : store.take(keys[i < 50 ? i : i - 1] as string, group),
    )
    const taken = answers.filter((answer) => answer === 'x').length
    assert.equal(taken + Number(answers[50]), 99)
  })
}
