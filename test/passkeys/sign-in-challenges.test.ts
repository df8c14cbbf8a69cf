import { test } from 'node:test'
import { setTimeout as wait } from 'node:timers/promises'
import { memoryUsers } from '../../src/index.js'
import { answers } from '../helpers/answers.js'
import { Client } from '../helpers/client.js'
import { passkeyPlaces } from '../helpers/passkey-places.js'
import {
  addPasskey,
  assertionOf,
  buildPasskeys,
  device,
  isRefused,
  passkeyLogin,
  passkeyLoginOf,
  passkeyUser,
} from '../helpers/passkeys.js'

const verifyUrl = '/passkeys/login/verify'
const loose = { lockout: false } as const

const bytesOf = (text: string | undefined) => Buffer.from(text ?? '', 'base64url')

for (const place of passkeyPlaces) {
  test(`${place.name}: challenges of others, used, unknown and expired ones are refused`, async (t) => {
    const { auth, store } = await place.open(t)
    const app = await buildPasskeys(t, { ...auth, ...loose }, { store, challengeSeconds: 2 })
    const { client, authenticator } = await passkeyUser(app, 'ada')
    const [first, second] = [
      await assertionOf(client, authenticator),
      await assertionOf(client, authenticator),
    ]
    const send = (proof: object) => new Client(app).post(verifyUrl, proof)
    isRefused(await send({ ...second, challenge_id: first.challenge_id }))
    isRefused(await send(first), [])
    answers(await send(second), 200)
    isRefused(await send(second))
    for (const challenge_id of ['', 'A'.repeat(43), 'a\0', '\ud800'])
      isRefused(await send({ ...second, challenge_id }))
    const sudo = (await client.post('/sudo/options', {})).json()
    isRefused(
      await send({ challenge_id: sudo.challenge_id, response: authenticator.get(sudo.options) }),
    )
    const late = await assertionOf(client, authenticator)
    await wait(2100)
    isRefused(await send(late))
  })

  test(`${place.name}: deleted passkeys, disabled accounts and passkeys of others are refused`, async (t) => {
    const { auth, store } = await place.open(t)
    const users = memoryUsers()
    const app = await buildPasskeys(t, { ...auth, ...loose, users }, { store })
    const ada = await passkeyUser(app, 'ada')
    const bob = await passkeyUser(app, 'bob')
    // Bob signs, and says that it was Ada's passkey.
    const [{ id = '', userHandle = '' } = {}] = ada.authenticator.credentials
    const credentialId = bytesOf(id)
    for (const forged of [{ credentialId }, { credentialId, userHandle }, { userHandle }])
      isRefused(await passkeyLoginOf(app, bob.authenticator, { forged }))
    await users.update(1, { isActive: false })
    isRefused(await passkeyLoginOf(app, ada.authenticator))
    await users.update(1, { isActive: true })
    answers(await passkeyLoginOf(app, ada.authenticator), 200)
    await addPasskey(bob.client, device())
    answers(await bob.client.delete(`/passkeys/${bob.passkey.id}`), 200)
    isRefused(await passkeyLoginOf(app, bob.authenticator))
  })

  test(`${place.name}: a challenge ends when the relying party or the origins change`, async (t) => {
    const { auth, store } = await place.open(t)
    const users = memoryUsers()
    const own = { ...auth, ...loose, users }
    const app = await buildPasskeys(t, own, { store })
    const { authenticator } = await passkeyUser(app, 'ada')
    for (const changed of [
      { rpId: 'app.example.com' },
      { origins: ['https://other.example.com'] },
    ]) {
      const other = await buildPasskeys(t, own, { store, ...changed })
      if (auth.redis === undefined && auth.state === undefined) return
      const proof = await assertionOf(new Client(app), authenticator)
      isRefused(await new Client(other).post(verifyUrl, proof))
    }
    answers(await passkeyLoginOf(app, authenticator), 200)
  })
}

test('a page of one origin cannot have its challenge answered at another one', async (t) => {
  const origins = ['https://app.example.com', 'https://admin.example.com']
  const app = await buildPasskeys(t, { ...loose, trustedOrigins: origins }, { origins })
  const { authenticator } = await passkeyUser(app, 'ada')
  const asking = (origin: string) => new Client(app, '', { headers: { origin } })
  const forged = { origin: 'https://admin.example.com' }
  isRefused(await passkeyLogin(asking('https://app.example.com'), authenticator, { forged }))
  answers(await passkeyLogin(asking('https://admin.example.com'), authenticator, { forged }), 200)
  // Native apps send no origin.
  answers(await passkeyLogin(new Client(app), authenticator, { forged }), 200)
})
