import assert from 'node:assert/strict'
import { test } from 'node:test'
import { answers } from '../helpers/answers.js'
import { backends } from '../helpers/backends.js'
import { Client } from '../helpers/client.js'
import { buildPasskeys, passkeyLogin, passkeyUser } from '../helpers/passkeys.js'

for (const backend of backends) {
  test(`${backend.name}: a passkey signs in as its user, with two factors where it verifies them`, async (t) => {
    const app = await buildPasskeys(t, backend.options())
    const { authenticator } = await passkeyUser(app, 'ann')
    const client = new Client(app)
    const signedIn = answers(await passkeyLogin(client, authenticator), 200)
    assert.equal(signedIn.username, 'ann')
    assert.deepEqual((await client.get('/guarded')).json(), {
      amr: ['webauthn', 'mfa'],
      via: 'session',
    })
    const other = await passkeyUser(app, 'bob', { verifiesUser: false, counts: false })
    const bob = new Client(app)
    assert.equal(answers(await passkeyLogin(bob, other.authenticator), 200).username, 'bob')
    assert.deepEqual((await bob.get('/guarded')).json().amr, ['webauthn'])
  })
}
