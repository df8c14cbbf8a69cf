import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { signedIn } from '../helpers/client.js'
import { hookedPasskeys } from '../helpers/hooked-passkeys.js'
import { noUnhandledRejections, statuses, times } from '../helpers/hostile.js'
import { passkeysEverywhere } from '../helpers/passkey-places.js'
import {
  addPasskey,
  buildPasskeys,
  device,
  passkeyIds,
  register,
  registrationOf,
} from '../helpers/passkeys.js'

for (const place of passkeysEverywhere) {
  describe(`${place.name}: 100 parallel registrations`, () => {
    test('with one challenge: one adds its passkey', async (t) => {
      noUnhandledRejections(t)
      const { auth, store } = await place.open(t)
      const app = await buildPasskeys(t, auth, { store, maxPerUser: 100 })
      const client = await signedIn(app, 'ada')
      const registration = await registrationOf(client, device())
      const answered = await Promise.all(times(100, () => register(client, registration)))
      assert.deepEqual(statuses(answered), { 201: 1, 400: 99 })
      assert.equal((await passkeyIds(client)).length, 1)
    })

    test('for the last free place: exactly one gets it', async (t) => {
      noUnhandledRejections(t)
      const { auth, store } = await place.open(t)
      const app = await buildPasskeys(t, auth, { store, maxPerUser: 3 })
      const client = await signedIn(app, 'ada')
      const first = [
        (await addPasskey(client, device())).id,
        (await addPasskey(client, device())).id,
      ]
      const registrations = await Promise.all(times(100, () => registrationOf(client, device())))
      const answered = await Promise.all(registrations.map((one) => register(client, one)))
      assert.deepEqual(statuses(answered), { 201: 1, 409: 99 })
      const winner = answered.find(({ statusCode }) => statusCode === 201)?.json().id
      assert.deepEqual(await passkeyIds(client), [...first, winner])
    })

    test('of one credential in two accounts: one account gets it', async (t) => {
      noUnhandledRejections(t)
      const { auth, store } = await place.open(t)
      const app = await buildPasskeys(t, auth, { store })
      const clients = [await signedIn(app, 'ada'), await signedIn(app, 'bob')] as const
      const forged = { credentialId: Buffer.alloc(32, 5) }
      const registrations = await Promise.all(
        times(10, (index) => registrationOf(clients[(index % 2) as 0 | 1], device(), forged)),
      )
      const answered = await Promise.all(
        registrations.map((one, index) => register(clients[(index % 2) as 0 | 1], one)),
      )
      assert.deepEqual(statuses(answered), { 201: 1, 409: 9 })
      const counts = await Promise.all(clients.map(async (one) => (await passkeyIds(one)).length))
      assert.deepEqual(counts.sort(), [0, 1])
    })
  })
}

test('registrations that have all seen a free place: exactly one gets it', async (t) => {
  const hooked = hookedPasskeys()
  const app = await buildPasskeys(t, {}, { store: hooked.store, maxPerUser: 1 })
  const client = await signedIn(app, 'ada')
  const registrations = await Promise.all(times(5, () => registrationOf(client, device())))
  let waiting = 0
  let release = () => {}
  const all = new Promise<void>((resolve) => {
    release = resolve
  })
  hooked.before = (method) => {
    if (method !== 'create') return undefined
    if (++waiting === 5) release()
    return all
  }
  const answered = await Promise.all(registrations.map((one) => register(client, one)))
  assert.deepEqual(statuses(answered), { 201: 1, 409: 4 })
  assert.equal((await passkeyIds(client)).length, 1)
})
