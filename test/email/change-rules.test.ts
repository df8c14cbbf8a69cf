import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import {
  type CrudAuthOptions,
  type DeliveryIntent,
  memoryUsers,
  UserValueError,
} from '../../src/index.js'
import { answers } from '../helpers/answers.js'
import { backends } from '../helpers/backends.js'
import { build, password } from '../helpers/build.js'
import { Client } from '../helpers/client.js'
import { Mailbox } from '../helpers/mailbox.js'
import { refuses } from '../helpers/refuses.js'

for (const backend of backends) {
  const setUp = async (t: TestContext, auth: Partial<CrudAuthOptions>) => {
    const mailbox = new Mailbox()
    const app = await build(t, {
      auth: { ...backend.options(), email: mailbox.options(), ...auth },
    })
    const client = new Client(app)
    answers(await client.register('ann'), 202)
    assert.equal((await client.login('ann')).statusCode, 200)
    const ask = (new_email: string) => client.post('/email/change-request', { new_email, password })
    return { app, mailbox, ask }
  }

  test(`${backend.name}: POST /email/change-request: the rules of registration.schema apply`, async (t) => {
    const email = { type: 'string', pattern: '@example\\.com$' }
    const { mailbox, ask } = await setUp(t, {
      registration: { schema: { type: 'object', properties: { email } } },
    })
    refuses(await ask('ann@evil.example'), 'FST_ERR_VALIDATION')
    refuses(await ask('no address'), 'FST_ERR_VALIDATION')
    answers(await ask('new@example.com'), 202)
    assert.ok(await mailbox.token('new@example.com', 'change_email'))
  })

  test(`${backend.name}: onBeforeEmailChange: receives the canonical address and can refuse it`, async (t) => {
    const asked: unknown[] = []
    const { mailbox, ask } = await setUp(t, {
      hooks: {
        onBeforeEmailChange(user, { newEmail, request }) {
          asked.push([user.username, 'hashed_password' in user, newEmail, request.url])
          if (!newEmail.endsWith('@example.com')) throw new Error('a reason for us alone')
        },
      },
    })
    const refused = await ask('ann@evil.example')
    refuses(refused, 'CRUDAUTH_FORBIDDEN', ['a reason for us alone'])
    answers(await ask(' New@EXAMPLE.com'), 202)
    assert.ok(await mailbox.token('new@example.com', 'change_email'))
    assert.deepEqual(asked, [
      ['ann', false, 'ann@evil.example', '/email/change-request'],
      ['ann', false, 'new@example.com', '/email/change-request'],
    ])
  })

  /** An app that resets passwords by another field. Without `isNullable`, an email is required. */
  const resetting = async (
    t: TestContext,
    { fields, login, isNullable }: { fields: string[]; login: string[]; isNullable: boolean },
  ) => {
    const recovery = login.at(-1) as string
    const inner = memoryUsers({
      fields: ['id', 'hashedPassword', 'isActive', 'tokenVersion', ...fields],
      unique: login,
    })
    const users = {
      ...inner,
      async compareAndSet(...args: Parameters<typeof inner.compareAndSet>) {
        if (!isNullable && args[2].email === null) throw new UserValueError('email')
        return inner.compareAndSet(...args)
      },
    }
    const sent: DeliveryIntent[] = []
    const app = await build(t, {
      auth: {
        ...backend.options(),
        users,
        identity: { login, recovery },
        channels: [{ deliver: (intent) => void sent.push(intent) }],
      },
    })
    const owner = new Client(app)
    const reset = async (value: string, new_password: string) => {
      answers(await owner.post('/password/reset-request', { [recovery]: value }), 202)
      while (!sent.some(({ kind }) => kind === 'reset_password'))
        await new Promise((resolve) => setTimeout(resolve, 5))
      const token = sent.find(({ kind }) => kind === 'reset_password')?.token
      answers(await owner.post('/password/reset-confirm', { token, new_password }), 200)
      return users.findById(1)
    }
    return { app, users, owner, reset }
  }
  const new_password = 'a new good password'

  for (const isNullable of [true, false]) {
    test(`${backend.name}: a reset by phone ${isNullable ? 'clears an unverified email' : 'replaces an unverified email if the column is not nullable'}`, async (t) => {
      const { app, owner, reset } = await resetting(t, {
        fields: ['email', 'phone', 'emailVerified', 'phoneVerified'],
        login: ['email', 'phone'],
        isNullable,
      })
      const phone = '+4915112345678'
      const squatter = new Client(app)
      const body = { phone, email: 'squatter@example.com', password }
      answers(await squatter.post('/register', body), 202)
      const row = await reset(phone, new_password)
      if (isNullable) assert.equal(row?.email, null)
      else assert.match(String(row?.email), /^gone-[\w-]+@account\.invalid$/)
      assert.equal(row?.phoneVerified, true)
      assert.equal((await owner.login(phone, new_password)).statusCode, 200)
    })
  }

  test(`${backend.name}: a reset by another field clears an unverified phone beside an email that can't be null`, async (t) => {
    const { users, reset } = await resetting(t, {
      fields: ['email', 'emailVerified', 'phone', 'phoneVerified', 'backup', 'backupVerified'],
      login: ['email', 'phone', 'backup'],
      isNullable: false,
    })
    const squatter = { email: 'squatter@example.com', phone: '+4915112345678' }
    await users.create({ ...squatter, backup: 'owner-1', hashedPassword: null })
    const row = await reset('owner-1', new_password)
    assert.match(String(row?.email), /^gone-/)
    assert.equal(row?.phone, null)
  })
}
