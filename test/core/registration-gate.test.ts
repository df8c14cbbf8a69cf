import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { createRegistrationGate, memoryUsers } from '../../src/index.js'

const { fields } = memoryUsers()
const open = (allow: string[], more = {}) => createRegistrationGate({ fields, allow, ...more })

describe('createRegistrationGate', () => {
  test('takes what is allowed and nothing else', () => {
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

  test('takes nothing that is inherited', () => {
    const pick = open(['plan', 'toString'])
    assert.deepEqual(pick(Object.create({ plan: 'gold' })), {})
    assert.deepEqual(pick(JSON.parse('{"__proto__":{"plan":"gold"}}')), {})
  })

  test('knows the columns of a mapped model', () => {
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

  test('knows the ids of providers, shipped and of the app’s own', () => {
    for (const name of ['googleId', 'google_id', 'GITHUB_ID', 'apple-id']) {
      assert.throws(() => open([name]), { code: 'CRUDAUTH_CONFIG' }, name)
    }
    assert.doesNotThrow(() => open(['acme_id']))
    assert.throws(() => open(['acme_id'], { providers: ['acme'] }), { code: 'CRUDAUTH_CONFIG' })
  })

  test('knows the names by which SQLite takes the id of a row', () => {
    for (const name of ['rowid', 'ROWID', 'oid', '_rowid_'])
      assert.throws(() => open([name]), { code: 'CRUDAUTH_CONFIG' }, name)
  })

  test('knows every flag of verification', () => {
    for (const name of ['emailVerified', 'phone_verified', 'VERIFIED', 'kyc-verified']) {
      assert.throws(() => open([name]), { code: 'CRUDAUTH_CONFIG' }, name)
    }
  })
})
