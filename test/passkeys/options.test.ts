import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { github, memoryPasskeys, memoryUsers, type PasskeyOptions } from '../../src/index.js'
import { answers } from '../helpers/answers.js'
import { secret, startAndClose } from '../helpers/build.js'
import { Client } from '../helpers/client.js'
import { Mailbox } from '../helpers/mailbox.js'
import { fields } from '../helpers/oauth.js'
import { buildPasskeys, passkeyOptions } from '../helpers/passkeys.js'

const store = memoryPasskeys()
const whole = passkeyOptions({ store })
/** Options without `rpId` and `origins`. */
const bare = { rpName: 'Example App', store }

const mail = (frontendUrl: string) => ({ email: new Mailbox().options({ frontendUrl }) })
const provider = (baseUrl: string) => ({
  oauth: {
    baseUrl,
    providers: { github: github({ clientId: 'id', clientSecret: 'secret' }) },
  },
  users: memoryUsers({ fields: [...fields] }),
})

describe('mistakes in the options of passkeys', () => {
  const mistakes: [string, unknown, RegExp][] = [
    ['not an object', true, /"passkeys"/],
    ['an unknown member', { ...whole, rpID: 'example.com' }, /no option "rpID"/],
    ['no name', { ...whole, rpName: undefined }, /"passkeys.rpName" must be the name of your app/],
    ['an empty name', { ...whole, rpName: ' ' }, /"passkeys.rpName"/],
    ['a long name', { ...whole, rpName: 'x'.repeat(65) }, /at most 64 characters/],
    ['no store', { ...whole, store: undefined }, /lacks the method "create"; pass memoryPasskeys/],
    ['an rpId with a scheme', { ...whole, rpId: 'https://example.com' }, /without scheme and port/],
    ['an rpId with a port', { ...whole, rpId: 'example.com:443' }, /without scheme and port/],
    ['an rpId in capitals', { ...whole, rpId: 'Example.com' }, /in lower case/],
    ['an empty rpId', { ...whole, rpId: '' }, /"passkeys.rpId" must be a domain/],
    ['an rpId that is no text', { ...whole, rpId: 1 }, /"passkeys.rpId" must be a domain/],
    ['an rpId of another site', { ...whole, rpId: 'example.org' }, /None of "passkeys.origins"/],
    ['an rpId that only ends alike', { ...whole, rpId: 'ample.com' }, /None of "passkeys.origins"/],
    ['an rpId below the origin', { ...whole, rpId: 'a.app.example.com' }, /parent domain/],
    [
      'an address of IPv4',
      { ...bare, rpId: '127.0.0.1', origins: ['http://127.0.0.1:3000'] },
      /IP address "127.0.0.1"; open the app by a name/,
    ],
    ['an address of IPv6', { ...bare, origins: ['http://[::1]:3000'] }, /IP address "\[::1\]"/],
    ['no origins', { ...bare, rpId: 'example.com' }, /"passkeys.origins" is required/],
    ['an empty list of origins', { ...whole, origins: [] }, /must name at least one origin/],
    ['an origin alone', { ...whole, origins: 'https://app.example.com' }, /"passkeys.origins"/],
    [
      'an origin with a path',
      { ...whole, origins: ['https://app.example.com/in'] },
      /without a path/,
    ],
    [
      'an origin with a query',
      { ...whole, origins: ['https://app.example.com/?a'] },
      /without a path/,
    ],
    [
      'an origin with a user',
      { ...whole, origins: ['https://u@app.example.com'] },
      /without a path/,
    ],
    ['a default port', { ...whole, origins: ['https://app.example.com:443'] }, /without a path/],
    ['a host alone', { ...whole, origins: ['app.example.com'] }, /without a path/],
    ['any origin', { ...whole, origins: ['*'] }, /without a path/],
    ['http', { ...whole, origins: ['http://app.example.com'] }, /must be https/],
    ['another scheme', { ...whole, origins: ['ftp://app.example.com'] }, /must be https/],
    [
      'unrelated origins without an rpId',
      { ...bare, origins: ['https://a.example', 'https://b.example'] },
      /"passkeys.rpId" is required: "a.example" and "b.example" have no common host/,
    ],
    [
      'an Android app without an rpId',
      { ...bare, origins: ['android:apk-key-hash:abc'] },
      /"passkeys.rpId" is required: no origin has no host/,
    ],
    [
      'user verification by another word',
      { ...whole, userVerification: 'always' },
      /"required" or "preferred" or "discouraged", got "always"/,
    ],
    ['attestation by another word', { ...whole, attestation: true }, /"passkeys.attestation" must/],
    ['no passkey at most', { ...whole, maxPerUser: 0 }, /"passkeys.maxPerUser"/],
    ['too many passkeys', { ...whole, maxPerUser: 101 }, /"passkeys.maxPerUser"/],
    ['no time', { ...whole, challengeSeconds: 0 }, /"passkeys.challengeSeconds"/],
    ['too much time', { ...whole, challengeSeconds: 3601 }, /"passkeys.challengeSeconds"/],
    ['half a second', { ...whole, challengeSeconds: 0.5 }, /"passkeys.challengeSeconds"/],
  ]
  for (const method of Object.keys(memoryPasskeys()))
    mistakes.push([
      `a store without ${method}`,
      { ...whole, store: { ...memoryPasskeys(), [method]: undefined } },
      new RegExp(`lacks the method "${method}"`),
    ])
  for (const [name, passkeys, message] of mistakes) {
    test(`${name}: CRUDAUTH_CONFIG`, async () => {
      await assert.rejects(
        startAndClose({ secret, passkeys }),
        (error: Error & { code?: string }) => {
          assert.equal(error.code, 'CRUDAUTH_CONFIG')
          assert.match(error.message, message)
          return true
        },
      )
    })
  }

  test('defaults that cannot be right: CRUDAUTH_CONFIG', async () => {
    for (const [options, message] of [
      [mail('http://127.0.0.1:3000'), /IP address/],
      [
        { ...mail('https://app.example.com'), ...provider('https://api.example.org') },
        /"passkeys.rpId" is required: "api.example.org" and "app.example.com" have no common host/,
      ],
    ] as const)
      await assert.rejects(startAndClose({ ...options, passkeys: bare }), message)
  })

  test('the routes need the option', async () => {
    await assert.rejects(startAndClose({ routes: ['passkeys'] }), /"passkeys"/)
  })
})

describe('defaults', () => {
  const started = async (t: Parameters<typeof buildPasskeys>[0], auth: object, more = {}) => {
    const app = await buildPasskeys(t, {
      ...auth,
      passkeys: { ...bare, ...more } as PasskeyOptions,
    })
    const begun = answers(await new Client(app).post('/passkeys/login/options', {}), 200)
    return begun.options.rpId
  }

  test('the host of the front end, of the base URL, or the one that both share', async (t) => {
    assert.equal(await started(t, mail('https://app.example.com')), 'app.example.com')
    assert.equal(await started(t, mail('http://localhost:5173')), 'localhost')
    assert.equal(await started(t, provider('https://api.example.com')), 'api.example.com')
    const both = { ...mail('https://app.example.com'), ...provider('https://example.com') }
    assert.equal(await started(t, both), 'example.com')
  })

  test('an rpId of its own goes with the origins of the URLs', async (t) => {
    const both = { ...mail('https://app.example.com'), ...provider('https://api.example.com') }
    assert.equal(await started(t, both, { rpId: 'example.com' }), 'example.com')
  })

  test('the origins decide where they are given', async (t) => {
    const origins = ['https://example.net', 'https://app.example.net', 'android:apk-key-hash:a-_Z9']
    assert.equal(await started(t, mail('https://app.example.com'), { origins }), 'example.net')
    assert.equal(await started(t, {}, { origins: ['http://localhost:3000'] }), 'localhost')
  })
})
