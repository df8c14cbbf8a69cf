import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { memoryUsers, type UserId } from '../../src/index.js'
import { answers, refusesOwn } from '../helpers/answers.js'
import { type Backend, backends } from '../helpers/backends.js'
import { password } from '../helpers/build.js'
import { Client } from '../helpers/client.js'
import { addressOf, mailApp, next } from '../helpers/email.js'
import { interrupted, otherHash } from '../helpers/passwords.js'

/** An app in which an account can be disabled just before a write to it. */
async function open(t: TestContext, backend: Backend) {
  const inner = memoryUsers()
  const users = interrupted(inner)
  const made = await mailApp(t, backend, { auth: { users: users.store } })
  let disabled: unknown
  const disableAt = (field: string) => {
    users.around = {
      async before(id: UserId, values) {
        if (!(field in values)) return undefined
        users.around = {}
        await inner.update(id, { isActive: false })
        disabled = await inner.findById(id)
        return undefined
      },
    }
  }
  const nothingWritten = async () => {
    assert.ok(disabled, 'it was disabled in the meantime')
    assert.deepEqual(await made.row('ann'), disabled)
  }
  return { ...made, inner, disableAt, nothingWritten }
}

for (const backend of backends) {
  test(`${backend.name}: POST /password/reset-confirm: changes nothing if the account is disabled meanwhile`, async (t) => {
    const { anyone, join, ask, disableAt, nothingWritten, sendsNothing } = await open(t, backend)
    await join('ann', { verified: false })
    const token = await ask('reset', 'ann')
    disableAt('hashedPassword')
    await sendsNothing(async () => {
      const response = await anyone.post('/password/reset-confirm', { token, new_password: next })
      refusesOwn(response, 'CRUDAUTH_TOKEN_INVALID_OR_USED', [token, next])
    })
    await nothingWritten()
  })

  test(`${backend.name}: POST /change-password: changes nothing if the account is disabled meanwhile`, async (t) => {
    const { join, disableAt, nothingWritten, sendsNothing } = await open(t, backend)
    const client = await join('ann')
    disableAt('hashedPassword')
    await sendsNothing(async () => {
      const response = await client.post('/change-password', {
        current_password: password,
        new_password: next,
      })
      refusesOwn(response, 'CRUDAUTH_WRONG_PASSWORD', [password, next])
    })
    await nothingWritten()
  })

  test(`${backend.name}: POST /login: a rehash writes nothing if the account is disabled meanwhile`, async (t) => {
    const { app, inner, disableAt, nothingWritten } = await open(t, backend)
    await inner.create({
      email: addressOf('ann'),
      username: 'ann',
      hashedPassword: await otherHash(),
    })
    disableAt('hashedPassword')
    refusesOwn(await new Client(app).login('ann'), 'CRUDAUTH_BAD_CREDENTIALS')
    await nothingWritten()
  })

  test(`${backend.name}: POST /email/change-revert: doesn't take the address from a disabled account`, async (t) => {
    const { anyone, join, move, users, row } = await mailApp(t, backend)
    const token = await move(await join('ann'), addressOf('ann'), 'new@example.com')
    await users.create({
      ...{ email: addressOf('ann'), username: 'off', hashedPassword: null },
      ...{ emailVerified: false, isActive: false },
    })
    const before = await row('off')
    refusesOwn(await anyone.post('/email/change-revert', { token }), 'CRUDAUTH_BAD_REQUEST')
    assert.deepEqual(await row('off'), before)
    assert.equal((await row('ann')).email, 'new@example.com')
    await users.update(before.id as UserId, { isActive: true })
    answers(await anyone.post('/email/change-revert', { token }), 200)
    assert.equal((await row('ann')).email, addressOf('ann'))
  })

  for (const [url, field] of [
    ['/email/verify-confirm', 'emailVerified'],
    ['/email/change-confirm', 'email'],
    ['/email/change-revert', 'email'],
  ] as const) {
    test(`${backend.name}: POST ${url}: changes nothing if the account is disabled meanwhile`, async (t) => {
      const { anyone, join, ask, askChange, move, disableAt, nothingWritten, sendsNothing } =
        await open(t, backend)
      const client = await join('ann', { verified: false })
      let token = ''
      if (url.includes('verify')) token = await ask('verify', 'ann')
      else if (url.includes('revert'))
        token = await move(client, addressOf('ann'), 'moved@example.com')
      else token = await askChange(client, 'moved@example.com')
      disableAt(field)
      await sendsNothing(async () =>
        refusesOwn(await anyone.post(url, { token }), 'CRUDAUTH_TOKEN_INVALID_OR_USED', [token]),
      )
      await nothingWritten()
    })
  }
}

for (const backend of backends) {
  test(`${backend.name}: password_changed is sent while onAfterPasswordReset or onAfterPasswordChanged hangs`, async (t) => {
    let release = () => {}
    const released = new Promise<void>((resolve) => {
      release = resolve
    })
    t.after(() => release())
    let hooks = 0
    const hang = () => {
      hooks++
      return released
    }
    const { anyone, join, ask, mail } = await mailApp(t, backend, {
      auth: { hooks: { onAfterPasswordReset: hang, onAfterPasswordChanged: hang } },
    })
    const client = await join('ann')
    const change = client.post('/change-password', {
      current_password: password,
      new_password: next,
    })
    await mail.next(addressOf('ann'), 'password_changed')
    assert.equal(hooks, 1, 'the hook still runs')
    const reset = anyone.post('/password/reset-confirm', {
      token: await ask('reset', 'ann'),
      new_password: password,
    })
    await mail.next(addressOf('ann'), 'password_changed', 2)
    assert.equal(hooks, 2)
    release()
    for (const response of await Promise.all([change, reset])) answers(response, 200)
  })
}
