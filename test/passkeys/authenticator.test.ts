import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import {
  generateAuthenticationOptions,
  generateRegistrationOptions,
  verifyAuthenticationResponse,
  verifyRegistrationResponse,
} from '@simplewebauthn/server'
import { decodeClientDataJSON, parseAuthenticatorData } from '@simplewebauthn/server/helpers'
import { type Authenticator, createAuthenticator } from '../helpers/authenticator.js'
import { createKey } from '../helpers/authenticator-keys.js'
import {
  type AssertionForgery,
  base64url,
  type Forgery,
  looseBase64url,
} from '../helpers/authenticator-parts.js'

const origin = 'https://app.example.com'
const rpID = 'example.com'
const userID = new Uint8Array(Buffer.from('an opaque handle'))

const creation = (exclude: readonly string[] = []) =>
  generateRegistrationOptions({
    rpName: 'Example',
    rpID,
    userName: 'ada',
    userID,
    excludeCredentials: exclude.map((id) => ({ id })),
    authenticatorSelection: { residentKey: 'preferred' },
  })

async function registered(device: Authenticator, forged?: Forgery) {
  const options = await creation()
  const response = device.create(options, forged)
  const verified = await verifyRegistrationResponse({
    response,
    expectedChallenge: options.challenge,
    expectedOrigin: origin,
    expectedRPID: rpID,
  })
  assert.ok(verified.verified)
  return { response, info: verified.registrationInfo }
}

async function asserted(
  device: Authenticator,
  credential: Awaited<ReturnType<typeof registered>>['info']['credential'],
  forged?: AssertionForgery,
) {
  const options = await generateAuthenticationOptions({ rpID })
  const response = device.get(options, forged)
  const result = await verifyAuthenticationResponse({
    response,
    expectedChallenge: options.challenge,
    expectedOrigin: origin,
    expectedRPID: rpID,
    credential,
  })
  return { response, ...result }
}

describe('software authenticator', () => {
  for (const alg of ['ES256', 'EdDSA', 'RS256'] as const) {
    test(`${alg}: a registration and its assertions verify`, async () => {
      const aaguid = '11223344-5566-7788-99aa-bbccddeeff00'
      const device = createAuthenticator({ origin, alg, aaguid, transports: ['usb', 'nfc'] })
      const { response, info } = await registered(device)
      assert.equal(info.aaguid, aaguid)
      assert.deepEqual(response.response.transports, ['usb', 'nfc'])
      assert.deepEqual([info.fmt, info.userVerified], ['none', true])
      assert.deepEqual([info.credential.counter, info.credentialDeviceType], [0, 'singleDevice'])
      assert.equal(info.credential.id, response.id)
      for (const counter of [1, 2]) {
        const result = await asserted(device, info.credential)
        assert.ok(result.verified)
        assert.equal(result.authenticationInfo.newCounter, counter)
        assert.equal(result.response.response.userHandle, base64url(userID))
      }
    })
  }

  test('a synchronized device is backed up and stays at 0', async () => {
    const device = createAuthenticator({ origin, isSynced: true, counts: false })
    const { info } = await registered(device)
    assert.ok(info.credentialBackedUp)
    assert.equal(info.credentialDeviceType, 'multiDevice')
    const result = await asserted(device, info.credential)
    assert.ok(result.verified)
    assert.equal(result.authenticationInfo.newCounter, 0)
  })

  test('a clone has the same keys, and counts separately', async () => {
    const device = createAuthenticator({ origin })
    const { info } = await registered(device)
    await asserted(device, info.credential)
    const clone = device.clone()
    const counters = []
    for (const copy of [device, device, clone])
      counters.push((await asserted(copy, info.credential)).authenticationInfo.newCounter)
    assert.deepEqual(counters, [2, 3, 2])
    const seen = { ...info.credential, counter: 3 }
    await assert.rejects(asserted(clone, seen), /counter value 3 was lower than expected 3/)
  })

  test('it refuses what browsers refuse', async () => {
    const device = createAuthenticator({ origin, verifiesUser: false })
    const empty = await generateAuthenticationOptions({ rpID })
    assert.throws(() => device.get(empty), { name: 'NotAllowedError' })
    const { id } = device.create(await creation())
    const again = await creation([id])
    assert.throws(() => device.create(again), { name: 'InvalidStateError' })
    for (const rpId of ['example.org', 'evil-example.com', 'a.app.example.com'])
      assert.throws(() => device.get({ ...empty, rpId }), { name: 'SecurityError' })
    const strict = { ...empty, userVerification: 'required' as const }
    assert.throws(() => device.get(strict), { name: 'NotAllowedError' })
    const wants = { ...(await creation()), pubKeyCredParams: [] }
    assert.throws(() => device.create(wants), { name: 'NotSupportedError' })
    assert.equal(device.credentials.length, 1)
  })

  test('only resident credentials are found without their id', async () => {
    const device = createAuthenticator({ origin })
    const options = await creation()
    const { id } = device.create({ ...options, authenticatorSelection: {} })
    const challenge = options.challenge
    assert.throws(() => device.get({ challenge, rpId: rpID }), { name: 'NotAllowedError' })
    const named = { challenge, rpId: rpID, allowCredentials: [{ id, type: 'public-key' }] }
    assert.equal(device.get(named).id, id)

    const first = device.create(await creation())
    const second = device.create(await creation())
    assert.equal(device.get({ challenge, rpId: rpID }).id, second.id)
    assert.equal(device.get({ challenge, rpId: rpID }, { use: first.id }).id, first.id)
  })
})

describe('forged registrations', () => {
  for (const [name, forged, error] of [
    ['type', { type: 'webauthn.get' }, /response type: webauthn.get/],
    ['challenge', { challenge: 'AAAA' }, /challenge "AAAA"/],
    ['origin', { origin: 'https://evil.example' }, /origin "https:\/\/evil.example"/],
    ['rpId', { rpId: 'evil.example' }, /RP ID/],
    ['user presence', { flags: { up: false } }, /user was not present/],
    ['user verification', { flags: { uv: false } }, /could not be verified/],
    ['attested data', { flags: { at: false } }, /No credential ID/],
    ['backup state alone', { flags: { bs: true } }, /backup/i],
    ['credential type', { credentialType: 'password' }, /credential type password/],
    ['id', { id: 'AAAA' }, /not base64url-encoded/],
    ['rawId', { rawId: 'AAAA' }, /not base64url-encoded/],
    ['further members', { clientData: { tokenBinding: 'x' } }, /TokenBinding "x"/],
  ] satisfies [string, Forgery, RegExp][]) {
    test(`${name}: is what the library sees`, async () => {
      await assert.rejects(registered(createAuthenticator({ origin }), forged), error)
    })
  }

  test('what the library leaves open is in the response', async () => {
    const credentialId = Buffer.alloc(1024, 7)
    const { response, info } = await registered(createAuthenticator({ origin }), {
      crossOrigin: true,
      topOrigin: 'https://evil.example',
      credentialId,
      counter: 41,
      encode: looseBase64url,
    })
    const { crossOrigin, topOrigin } = decodeClientDataJSON(response.response.clientDataJSON)
    assert.deepEqual([crossOrigin, topOrigin], [true, 'https://evil.example'])
    assert.equal(info.credential.id, base64url(credentialId))
    assert.equal(info.credential.counter, 41)
    assert.equal(response.id, looseBase64url(credentialId))
  })
})

describe('forged assertions', () => {
  for (const [name, forged, error] of [
    ['type', { type: 'webauthn.create' }, /response type: webauthn.create/],
    ['challenge', { challenge: 'AAAA' }, /challenge "AAAA"/],
    ['origin', { origin: 'http://app.example.com' }, /origin "http:/],
    ['topOrigin', { crossOrigin: true, topOrigin: 'https://evil.example' }, /top origin/],
    ['rpId', { rpId: 'evil.example' }, /RP ID/],
    ['user presence', { flags: { up: false } }, /not present/],
    ['user verification', { flags: { uv: false } }, /could not be verified/],
    ['backup state alone', { flags: { bs: true } }, /backup/i],
    ['credential type', { credentialType: 'password' }, /credential type password/],
    ['id', { id: 'AAAA' }, /not base64url-encoded/],
  ] satisfies [string, AssertionForgery, RegExp][]) {
    test(`${name}: is what the library sees`, async () => {
      const device = createAuthenticator({ origin })
      const { info } = await registered(device)
      await assert.rejects(asserted(device, info.credential, forged), error)
    })
  }

  test('another key, and the signature of other data, do not verify', async () => {
    const device = createAuthenticator({ origin })
    const { info } = await registered(device)
    const { response } = await asserted(device, info.credential)
    const signature = Buffer.from(response.response.signature, 'base64url')
    for (const forged of [{ key: createKey('ES256') }, { signature }])
      assert.equal((await asserted(device, info.credential, forged)).verified, false)
  })

  test('what the library leaves open is in the response, under a right signature', async () => {
    const device = createAuthenticator({ origin })
    const { info } = await registered(device)
    const { response, verified } = await asserted(device, info.credential, {
      crossOrigin: true,
      clientData: { note: 1 },
      credentialId: Buffer.alloc(1024),
      counter: 9,
      userHandle: undefined,
    })
    assert.ok(verified)
    const { crossOrigin, ...data } = decodeClientDataJSON(response.response.clientDataJSON)
    assert.deepEqual([crossOrigin, 'note' in data && data.note], [true, 1])
    assert.equal(Buffer.from(response.id, 'base64url').length, 1024)
    assert.ok(!('userHandle' in response.response))
    const bytes = new Uint8Array(Buffer.from(response.response.authenticatorData, 'base64url'))
    assert.equal(parseAuthenticatorData(bytes).counter, 9)
    const other = await asserted(device, info.credential, { userHandle: 'AAAA' })
    assert.equal(other.response.response.userHandle, 'AAAA')
  })

  test('loose base64url has the same bytes in another text', () => {
    for (const length of [1, 2, 3, 32, 70]) {
      const bytes = Buffer.alloc(length, 0xff)
      assert.notEqual(looseBase64url(bytes), base64url(bytes))
      assert.deepEqual(Buffer.from(looseBase64url(bytes), 'base64url'), bytes)
    }
  })
})
