import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { createRegistrationGate, memoryUsers } from '../../src/index.js'

const { fields } = memoryUsers()
const open = (allow: string[], more = {}) => createRegistrationGate({ fields, allow, ...more })

describe('createRegistrationGate', () => {
  test('picks only allowed fields', () => {
    const pick = open(['email', 'username', 'plan'])
    const body = {
      email: 'a@b.co',
      plan: null,
      is_superuser: true,
      isSuperuser: true,
      password: 'x',
      toString: 'y',
    }
    assert.deepEqual(pick(body), { email: 'a@b.co', plan: null })
  })

  test('ignores inherited properties and "__proto__"', () => {
    const pick = open(['plan', 'toString'])
    assert.deepEqual(pick(Object.create({ plan: 'gold' })), {})
    assert.deepEqual(pick(JSON.parse('{"__proto__":{"plan":"gold"}}')), {})
  })

  test('privileged fields and their mapped columns cannot be allowed', () => {
    const mapped = {
      ...fields,
      columns: {
        ...fields.columns,
        hashedPassword: 'pw',
        isSuperuser: 'root_flag',
        id: 'account_id',
      },
    }
    for (const name of [
      'pw',
      'PW',
      'root_flag',
      'rootFlag',
      'ROOT-FLAG',
      'account_id',
      'accountId',
      'hashed_password',
      'id',
    ]) {
      assert.throws(
        () => createRegistrationGate({ fields: mapped, allow: [name] }),
        { code: 'CRUDAUTH_CONFIG' },
        name,
      )
    }
    assert.doesNotThrow(() =>
      createRegistrationGate({ fields: mapped, allow: ['account_name', 'pwd_hint', 'flag'] }),
    )
  })

  test('ids of built-in and custom providers cannot be allowed', () => {
    for (const name of ['googleId', 'google_id', 'GITHUB_ID', 'apple-id']) {
      assert.throws(() => open([name]), { code: 'CRUDAUTH_CONFIG' }, name)
    }
    assert.doesNotThrow(() => open(['acme_id']))
    assert.throws(() => open(['acme_id'], { providers: ['acme'] }), { code: 'CRUDAUTH_CONFIG' })
  })

  test('names of the SQLite rowid cannot be allowed', () => {
    for (const name of ['rowid', 'ROWID', 'oid', '_rowid_'])
      assert.throws(() => open([name]), { code: 'CRUDAUTH_CONFIG' }, name)
  })

  test('verification flags cannot be allowed', () => {
    for (const name of ['emailVerified', 'phone_verified', 'VERIFIED', 'kyc-verified']) {
      assert.throws(() => open([name]), { code: 'CRUDAUTH_CONFIG' }, name)
    }
  })
})
