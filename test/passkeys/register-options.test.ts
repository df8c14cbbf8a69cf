import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { setTimeout as wait } from 'node:timers/promises'
import { answers, refusesOwn } from '../helpers/answers.js'
import { password } from '../helpers/build.js'
import { signedIn } from '../helpers/client.js'
import { addPasskey, buildPasskeys, device, passkeyUser } from '../helpers/passkeys.js'

const _invalid = 'CRUDAUTH_PASSKEY_INVALID'
const beginUrl = '/passkeys/register/options'

describe('options of a registration', () => {
  test('they name the app and the account, and exclude what the account has', async (t) => {
    const app = await buildPasskeys(t)
    const { client, authenticator } = await passkeyUser(app, 'ada')
    const { challenge_id, options } = answers(await client.post(beginUrl, {}), 200)
    assert.match(challenge_id, /^[\w-]{43}$/)
    assert.match(options.challenge, /^[\w-]{43}$/)
    assert.deepEqual(options.rp, { name: 'Example App', id: 'example.com' })
    assert.deepEqual(
      { name: options.user.name, displayName: options.user.displayName },
      { name: 'ada@example.com', displayName: 'ada' },
    )
    assert.equal(options.authenticatorSelection.residentKey, 'preferred')
    assert.equal(options.authenticatorSelection.userVerification, 'preferred')
    assert.equal(options.attestation, 'none')
    assert.equal(options.timeout, 300_000)
    const known = authenticator.credentials.map(({ id }) => id)
    assert.deepEqual(
      options.excludeCredentials.map(({ id }: { id: string }) => id),
      known,
    )
    assert.deepEqual(
      options.pubKeyCredParams.map(({ alg }: { alg: number }) => alg),
      [-8, -7, -257],
    )
  })

  test('the user handle is random, one for all passkeys of an account, and never the id', async (t) => {
    const app = await buildPasskeys(t)
    const [ada, bob] = [await signedIn(app, 'ada'), await signedIn(app, 'bob')]
    const handleOf = async (client: typeof ada): Promise<string> =>
      answers(await client.post(beginUrl, {}), 200).options.user.id
    const handles = [await handleOf(ada), await handleOf(ada), await handleOf(bob)]
    assert.equal(new Set(handles).size, 3, 'nothing is derived from the account')
    for (const handle of handles) assert.equal(Buffer.from(handle, 'base64url').length, 32)
    await addPasskey(ada, device())
    const kept = await handleOf(ada)
    const second = device()
    await addPasskey(ada, second)
    assert.equal(second.credentials[0]?.userHandle, kept)
    assert.equal(await handleOf(ada), kept)
  })

  test('userVerification and attestation are passed on', async (t) => {
    const app = await buildPasskeys(t, {}, { userVerification: 'required', attestation: 'direct' })
    const client = await signedIn(app, 'ada')
    const { options } = answers(await client.post(beginUrl, {}), 200)
    assert.equal(options.authenticatorSelection.userVerification, 'required')
    assert.equal(options.attestation, 'direct')
    const login = answers(await client.post('/passkeys/login/options', {}), 200)
    assert.equal(login.options.userVerification, 'required')
  })

  test('nobody gets them without a sign-in, a CSRF token or a place for a passkey', async (t) => {
    const app = await buildPasskeys(t, {}, { maxPerUser: 1 })
    const { client } = await passkeyUser(app, 'ada')
    refusesOwn(await client.post(beginUrl, {}), 'CRUDAUTH_DUPLICATE')
    client.csrf = null
    refusesOwn(await client.post(beginUrl, {}), 'CRUDAUTH_CSRF')
    client.cookies.clear()
    refusesOwn(await client.post(beginUrl, {}), 'CRUDAUTH_UNAUTHENTICATED')
  })

  test('an old sign-in is refused, unless the session is in sudo mode', async (t) => {
    const app = await buildPasskeys(t, { freshSeconds: 1 })
    const client = await signedIn(app, 'ada')
    await wait(1100)
    refusesOwn(await client.post(beginUrl, {}), 'CRUDAUTH_FRESH_SIGN_IN_REQUIRED')
    assert.equal((await client.post('/sudo', { password })).statusCode, 200)
    await addPasskey(client, device())
  })
})
